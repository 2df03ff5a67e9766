import { layerBelow } from '../container/container.ts';
import type { BlockDevice, ByteRange, ReadOptions } from '../device/block-device.ts';
import { type Extent, extentsOf } from '../device/extent.ts';
import { FileDevice } from '../device/file-device.ts';

/**
 * A range of a device and where its bytes come from: `zero`, or a `place`. Two ranges of the same length whose places are
 * equal hold the same bytes, and need not be read to know it.
 */
export interface PlacedExtent extends ByteRange {
  readonly isZero: boolean;
  readonly place: Place | undefined;
}

/** Where bytes stand in a file of the host; moves on with the range. */
export interface Place {
  /** The host file, and how its bytes are to be taken. */
  readonly key: string;
  /** Bytes. */
  readonly offset: number;
}

/** The extents of `range` followed down through views, caches and layers to the files of the host; ascending, without gaps. */
export async function* placedExtents(
  device: BlockDevice,
  range: ByteRange,
  options?: ReadOptions,
): AsyncGenerator<PlacedExtent, void> {
  for await (const extent of extentsOf(device, range, options)) {
    const below = layerBelow(extent, device);
    if (below === undefined) yield placed(extent);
    else {
      const { layer, offset } = below;
      const shift = extent.start - offset;
      for await (const deeper of placedExtents(layer, { start: offset, length: extent.length }, options))
        yield { ...deeper, start: deeper.start + shift };
    }
  }
}

function placed(extent: Extent): PlacedExtent {
  const { start, length } = extent;
  const isZero = extent.kind === 'zero';
  if (isZero || extent.kind === 'inherited' || !(extent.source instanceof FileDevice))
    return { start, length, isZero, place: undefined };
  const { identity } = extent.source;
  if (extent.kind === 'data') return { start, length, isZero, place: { key: identity, offset: extent.sourceOffset } };
  // The same encoded bytes give the same only from the same byte of them on: `start`, here still an offset in the container
  // itself, tells it.
  const key = `${identity} ${extent.encoding} ${extent.sourceOffset} ${extent.sourceLength}`;
  return { start, length, isZero, place: { key, offset: start } };
}
