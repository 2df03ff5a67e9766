import type {
  BlockDevice,
  ByteRange,
  ReadOptions,
  ResizableBlockDevice,
  WritableBlockDevice,
} from '../device/block-device.ts';
import { type Extent, type ExtentSource, errorInLayer, extentsOf } from '../device/extent.ts';
import { FileDevice } from '../device/file-device.ts';
import type { Format, OpenContext, Property } from '../format.ts';

export type ContainerFormatName = 'raw' | 'qcow2' | 'vhdx';

/** How a container is to be read, where its format leaves a choice; what a format does not have is refused. */
export interface ContainerOptions {
  /** The internal snapshot to read instead of the present state, by its name or its ID. */
  readonly snapshot?: string | undefined;
  /** For an encrypted image; for one that is not, a mistake that is told. */
  readonly passphrase?: string | undefined;
  /** The same, only in case that the image is encrypted: one that stands ready whatever is opened. */
  readonly offeredPassphrase?: string | undefined;
  /**
   * A log of updates that the file does not have yet: `replay` (the default) reads as after them, in memory, the file
   * untouched; `ignore` reads the file as it stands.
   */
  readonly log?: 'replay' | 'ignore' | undefined;
  /** What ranges that were given back read as: `zeros` (the default), or `raw`, what the file still holds for them. */
  readonly unmapped?: 'zeros' | 'raw' | undefined;
}

/** A container format; the options are those of the image that was asked for; one that it refers to is offered its passphrase. */
export interface ContainerFormat extends Format<Container> {
  readonly name: ContainerFormatName;
  /** The options that mean something for it; asked for of any other format they are refused. */
  readonly options: readonly (keyof ContainerOptions)[];
  open(device: BlockDevice, context: OpenContext, options?: ContainerOptions): Promise<Container>;
  /** Opens an image to write to it; refuses one that cannot be written safely. Missing in a format that is only read. */
  openWritable?(device: ResizableBlockDevice, context: OpenContext): Promise<WritableContainer>;
}

/** An image-file format that presents a virtual disk; as a device it is that disk. */
export interface Container extends BlockDevice, ExtentSource {
  readonly format: ContainerFormatName;
  /** The device that holds the image file's own bytes. */
  readonly file: BlockDevice;
  /** The next layer down of a chain, if any. */
  readonly backing: BackingLayer | undefined;
  /** The states that the image keeps inside itself, in the order of its own table. */
  readonly snapshots?: readonly Snapshot[];
  /** Facts for people and `--json` beyond what the interface says, in the order to print them. */
  readonly properties: readonly Property[];
}

/** A virtual disk that can be written: only for who was given the user's explicit word. Disposing flushes. */
export interface WritableContainer extends Container, WritableBlockDevice {
  /** Makes a range read as zeros, without storing them where the format can say so. */
  writeZeros(range: ByteRange, options?: ReadOptions): Promise<void>;
  /** Gives the space of a range back as far as whole units of the format lie in it; they read as zeros afterwards. */
  discard(range: ByteRange, options?: ReadOptions): Promise<void>;
  /** Makes the virtual disk larger; the new bytes read as zeros. A smaller size is refused. */
  resize(size: number): Promise<void>;
}

/** An internal snapshot: a state of the disk that the same file keeps. */
export interface Snapshot {
  readonly id: string;
  readonly name: string;
  /** When it was taken, in milliseconds since 1970. */
  readonly date: number;
  /** Bytes of the disk in that state. */
  readonly virtualSize: number;
  /** Bytes of the machine's memory kept with it. */
  readonly vmStateSize: number;
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
    const isInherited = extent.kind === 'inherited';
    const leaves = leafExtents(layer, { start: offset, length: extent.length }, options, depth + (isInherited ? 1 : 0));
    try {
      for await (const leaf of leaves) yield { ...leaf, start: leaf.start - offset + extent.start };
    } catch (error) {
      throw isInherited ? errorInLayer(error, layer) : error;
    }
  }
}

/** Where to look further for an extent's bytes; undefined when it is a leaf. */
export function layerBelow(extent: Extent, device: BlockDevice): { layer: BlockDevice; offset: number } | undefined {
  if (extent.kind === 'inherited') return { layer: extent.layer, offset: extent.layerOffset };
  // A file of the host is where it ends: holes in one that holds a container's data are no matter of the disk.
  if (extent.kind !== 'data' || extent.source === device || extent.source instanceof FileDevice) return undefined;
  return { layer: extent.source, offset: extent.sourceOffset };
}
