import {
  type BlockDevice,
  type ByteRange,
  clamp,
  type FileNode,
  type FileSystem,
  fileDevice,
  RangeView,
} from '../../core/index.ts';
import { nodeOf } from './node-of.ts';
import type { FileItem, TreeItem } from './tree-item.ts';

/** Where a run of the thing in view lies on the disk. */
export interface Segment extends ByteRange {
  /** Byte offset on the virtual disk; undefined where no byte of the disk stands for it. */
  readonly diskStart: number | undefined;
  /** In words, when it is not plainly on the disk: `hole`, `zlib`. */
  readonly note: string;
}

/** Bytes to look at, and how to tell where they lie. */
export interface HexTarget {
  readonly device: BlockDevice;
  segments(range: ByteRange, signal: AbortSignal): Promise<readonly Segment[]>;
}

/** A window of a few KiB that lies in more pieces than this says where only the first of them are. */
const MAX_SEGMENTS = 512;

/** The bytes behind an item; undefined where there are none. */
export async function openHexTarget(item: TreeItem, signal: AbortSignal): Promise<HexTarget | undefined> {
  switch (item.kind) {
    case 'disk':
    case 'table':
      return contiguous(item.image.disk, 0);
    case 'host-file':
      return offDisk(item.image.container.file, 'image file');
    case 'view': {
      const view = await item.image.openView(item.entry.view);
      const { partition } = item.volume ?? {};
      if (item.volume === undefined) return contiguous(view.disk, 0);
      return contiguous(view.volume(partition?.number ?? 'bare').device, partition?.start ?? 0);
    }
    case 'volume': {
      if (item.volume !== undefined) return contiguous(item.volume.device, item.partition?.start ?? 0);
      return item.partition === undefined ? undefined : part(item.image.disk, item.partition);
    }
    case 'region':
    case 'gap':
      return part(item.image.disk, item.range);
    case 'filesystem':
      return contiguous(item.filesystem.device, item.volume.partition?.start ?? 0);
    case 'entry':
    case 'recoverable':
      return nodeTarget(item, await nodeOf(item, signal));
    default:
      return undefined;
  }
}

function contiguous(device: BlockDevice, diskStart: number): HexTarget {
  return {
    device,
    segments: async (range) => [{ ...range, diskStart: diskStart + range.start, note: '' }],
  };
}

function offDisk(device: BlockDevice, note: string): HexTarget {
  return { device, segments: async (range) => [{ ...range, diskStart: undefined, note }] };
}

/** A range of the disk, as much of it as the disk has. */
function part(disk: BlockDevice, { start, length }: ByteRange): HexTarget {
  const from = clamp(start, 0, disk.size);
  return contiguous(new RangeView(disk, { start: from, length: clamp(length, 0, disk.size - from) }), from);
}

function nodeTarget({ volume, filesystem }: FileItem, node: FileNode): HexTarget | undefined {
  const base = volume.partition?.start ?? 0;
  if (node.kind !== 'file' && node.kind !== 'directory') {
    const { start, length } = node.location;
    return contiguous(new RangeView(filesystem.device, { start, length }), base + start);
  }
  return {
    device: fileDevice(filesystem, node),
    segments: (range, signal) => fileSegments(filesystem, node, range, base, signal),
  };
}

async function fileSegments(
  filesystem: FileSystem,
  node: Extract<FileNode, { kind: 'file' | 'directory' }>,
  range: ByteRange,
  base: number,
  signal: AbortSignal,
): Promise<Segment[]> {
  const segments: Segment[] = [];
  for await (const extent of node.extents(range, { signal })) {
    const { start, length } = extent;
    const isOnDisk = extent.kind === 'data' && extent.source === filesystem.device;
    const note =
      extent.kind === 'zero'
        ? extent.explicit
          ? 'unwritten'
          : 'hole'
        : extent.kind === 'encoded'
          ? extent.encoding
          : '';
    segments.push({ start, length, diskStart: isOnDisk ? base + extent.sourceOffset : undefined, note });
    if (segments.length >= MAX_SEGMENTS) break;
  }
  return segments;
}
