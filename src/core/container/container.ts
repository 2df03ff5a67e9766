import type { BlockDevice, ByteRange, ReadOptions } from '../device/block-device.ts';
import type { Extent, ExtentSource } from '../device/extent.ts';
import type { Property } from '../format.ts';

export type ContainerFormatName = 'raw' | 'qcow2';

/** An image-file format that presents a virtual disk; as a device it is that disk. */
export interface Container extends BlockDevice, ExtentSource {
  readonly format: ContainerFormatName;
  /** The device that holds the image file's own bytes. */
  readonly file: BlockDevice;
  /** The next layer down of a chain, if any. */
  readonly backing: BackingLayer | undefined;
  /** Facts for people and `--json`, in the order to print them. */
  readonly properties: readonly Property[];
}

export interface BackingLayer {
  /** The name inside the image. */
  readonly name: string;
  readonly device: BlockDevice;
}

export function isContainer(device: BlockDevice): device is Container {
  return 'format' in device && 'extents' in device;
}

/** An extent with its place in the chain: depth 0 is the image that was opened. */
export type LayeredExtent = Exclude<Extent, { kind: 'inherited' }> & {
  readonly depth: number;
  readonly layer: Container;
};

/** The extents of `range` with every inherited one followed down the chain to the layer that holds the bytes. */
export async function* leafExtents(
  container: Container,
  range: ByteRange,
  options?: ReadOptions,
  depth = 0,
): AsyncGenerator<LayeredExtent, void> {
  for await (const extent of container.extents(range, options)) {
    if (extent.kind !== 'inherited') {
      yield { ...extent, depth, layer: container };
      continue;
    }
    const { layer, layerOffset, start, length } = extent;
    if (!isContainer(layer)) {
      yield {
        kind: 'data',
        start,
        length,
        source: layer,
        sourceOffset: layerOffset,
        depth: depth + 1,
        layer: container,
      };
      continue;
    }
    for await (const leaf of leafExtents(layer, { start: layerOffset, length }, options, depth + 1)) {
      yield { ...leaf, start: leaf.start - layerOffset + start };
    }
  }
}
