import type { BlockDevice, ByteRange, ReadOptions } from '../device/block-device.ts';
import { type Extent, type ExtentSource, extentsOf } from '../device/extent.ts';
import { FileDevice } from '../device/file-device.ts';
import type { Property } from '../format.ts';

export type ContainerFormatName = 'raw' | 'qcow2';

/** An image-file format that presents a virtual disk; as a device it is that disk. */
export interface Container extends BlockDevice, ExtentSource {
  readonly format: ContainerFormatName;
  /** The device that holds the image file's own bytes. */
  readonly file: BlockDevice;
  /** The next layer down of a chain, if any. */
  readonly backing: BackingLayer | undefined;
  /** Facts for people and `--json` beyond what the interface says, in the order to print them. */
  readonly properties: readonly Property[];
}

export interface BackingLayer {
  /** The name inside the image. */
  readonly name: string;
  readonly device: BlockDevice;
}

/** The layers below a container, the nearest first; how deep a chain may be is the opener's limit. */
export function* backingLayers(container: Container): Generator<BackingLayer, void> {
  for (let at = container.backing; at !== undefined; at = isContainer(at.device) ? at.device.backing : undefined)
    yield at;
}

export function isContainer(device: BlockDevice): device is Container {
  return 'format' in device && 'extents' in device;
}

/** An extent with its place in the chain: depth 0 is the image that was opened. */
export type LeafExtent = Exclude<Extent, { kind: 'inherited' }> & { readonly depth: number };

/**
 * The extents of `range` followed down through files, partitions, caches and backing layers to the devices that hold
 * the bytes: for an image on disk, the files of the host.
 */
export async function* leafExtents(
  device: BlockDevice,
  range: ByteRange,
  options?: ReadOptions,
  depth = 0,
): AsyncGenerator<LeafExtent, void> {
  for await (const extent of extentsOf(device, range, options)) {
    const below = layerBelow(extent, device);
    if (below === undefined) {
      yield { ...(extent as Exclude<Extent, { kind: 'inherited' }>), depth };
      continue;
    }
    const { layer, offset } = below;
    const deeper = extent.kind === 'inherited' ? depth + 1 : depth;
    for await (const leaf of leafExtents(layer, { start: offset, length: extent.length }, options, deeper)) {
      yield { ...leaf, start: leaf.start - offset + extent.start };
    }
  }
}

/** Where to look further for an extent's bytes; undefined when it is a leaf. */
function layerBelow(extent: Extent, device: BlockDevice): { layer: BlockDevice; offset: number } | undefined {
  if (extent.kind === 'inherited') return { layer: extent.layer, offset: extent.layerOffset };
  // A file of the host is where it ends: holes in one that holds a container's data are no matter of the disk.
  if (extent.kind !== 'data' || extent.source === device || extent.source instanceof FileDevice) return undefined;
  return { layer: extent.source, offset: extent.sourceOffset };
}
