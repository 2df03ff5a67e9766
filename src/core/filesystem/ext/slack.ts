import { divideDown, divideUp } from '../../bytes/rounding.ts';
import type { ByteRange, ReadOptions } from '../../device/block-device.ts';
import { clipExtent, type Extent, type ExtentSource, mergeExtents } from '../../device/extent.ts';
import { hasFlag, type Inode } from './inode.ts';
import { blockRuns } from './mapping.ts';
import type { ExtVolume } from './volume.ts';

/** Logical blocks are numbered with 32 bits. */
const MAX_BLOCKS = 0x1_0000_0000;

/**
 * The blocks of an inode behind its size, to the last one that is its own: blocks may be allocated in advance, and are given
 * as they lie on the disk, written or not. What has no block is a hole. Inline data has none.
 */
export async function inodeSlack(volume: ExtVolume, inode: Inode, options?: ReadOptions): Promise<ExtentSource> {
  const { blockSize } = volume.geometry;
  const from = inode.size;
  const first = divideDown(from, blockSize);
  let end = from;
  if (!hasFlag(inode, 'inlineData') && first < MAX_BLOCKS) {
    for await (const runs of blockRuns(volume, inode, { first, end: MAX_BLOCKS }, options))
      for (const { logical, count } of runs) end = Math.max(end, (logical + count) * blockSize);
  }
  return {
    size: end - from,
    extents: (range, reading) => mergeExtents(rawExtents(volume, inode, range, end - from, reading)),
  };
}

async function* rawExtents(
  volume: ExtVolume,
  inode: Inode,
  range: ByteRange,
  size: number,
  options?: ReadOptions,
): AsyncGenerator<Extent, void> {
  const { blockSize } = volume.geometry;
  const start = range.start;
  const end = Math.min(range.start + range.length, size);
  if (start >= end) return;
  const hole = (from: number, to: number): Extent => ({
    kind: 'zero',
    explicit: false,
    start: from,
    length: to - from,
  });
  const blocks = {
    first: divideDown(inode.size + start, blockSize),
    end: divideUp(inode.size + end, blockSize),
  };
  let at = start;
  for await (const runs of blockRuns(volume, inode, blocks, options)) {
    for (const { logical, count, physical } of runs) {
      const place = { start: logical * blockSize - inode.size, length: count * blockSize };
      if (place.start >= end || place.start + place.length <= at) continue;
      const sourceOffset = physical * blockSize;
      const extent = clipExtent(
        { ...place, kind: 'data', source: volume.device, sourceOffset },
        { start: at, length: end - at },
      );
      if (extent.start > at) yield hole(at, extent.start);
      yield extent;
      at = extent.start + extent.length;
    }
  }
  if (at < end) yield hole(at, end);
}
