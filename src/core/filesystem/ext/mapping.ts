import { divideDown, divideUp } from '../../bytes/rounding.ts';
import type { ByteRange, ReadOptions } from '../../device/block-device.ts';
import { clipExtent, type Extent, mergeExtents } from '../../device/extent.ts';
import { unsupported } from '../../errors.ts';
import { blockMapRuns } from './block-map.ts';
import type { BlockRange, BlockRun } from './block-run.ts';
import { extentTreeRuns } from './extent-tree.ts';
import { inlineDataParts } from './inline-data.ts';
import { hasFlag, type Inode } from './inode.ts';
import type { ExtVolume } from './volume.ts';

/** The runs of a file or directory inside `range` of its blocks, ascending, in batches; what they leave out is a hole. */
export function blockRuns(
  volume: ExtVolume,
  inode: Inode,
  range: BlockRange,
  options?: ReadOptions,
): AsyncGenerator<readonly BlockRun[], void> {
  const runs = hasFlag(inode, 'extents') ? extentTreeRuns : blockMapRuns;
  return runs(volume, inode, range, options);
}

/** Where the bytes of `range` lie, joined and without gaps; the range is cut to the inode's size. */
export async function* inodeExtents(
  volume: ExtVolume,
  inode: Inode,
  range: ByteRange,
  options?: ReadOptions,
): AsyncGenerator<Extent, void> {
  const end = Math.min(range.start + range.length, inode.size);
  if (range.start >= end) return;
  requirePlain(inode);
  yield* mergeExtents(rawExtents(volume, inode, range.start, end, options));
}

/** Encrypted content is recognized and refused; a directory's names can be listed raw. */
export function requirePlain(inode: Inode): void {
  if (!hasFlag(inode, 'encrypted') || inode.kind === 'directory') return;
  throw unsupported({
    layer: 'ext',
    structure: `content of inode ${inode.id}`,
    offset: inode.offset,
    expected: 'a file that is not encrypted',
    found: 'one encrypted with fscrypt (encrypt feature)',
  });
}

async function* rawExtents(
  volume: ExtVolume,
  inode: Inode,
  start: number,
  end: number,
  options?: ReadOptions,
): AsyncGenerator<Extent, void> {
  const hole = (from: number, to: number): Extent => ({
    kind: 'zero',
    explicit: false,
    start: from,
    length: to - from,
  });
  let at = start;
  const pieces = hasFlag(inode, 'inlineData')
    ? inlinePieces(volume, inode)
    : blockPieces(
        volume,
        inode,
        { first: divideDown(start, volume.geometry.blockSize), end: blocksIn(volume, end) },
        options,
      );
  for await (const batch of pieces) {
    for (const piece of batch) {
      if (piece.start >= end || piece.start + piece.length <= start) continue;
      const extent = clipExtent(piece, { start, length: end - start });
      if (extent.start > at) yield hole(at, extent.start);
      yield extent;
      at = extent.start + extent.length;
    }
  }
  if (at < end) yield hole(at, end);
}

function blocksIn(volume: ExtVolume, bytes: number): number {
  return divideUp(bytes, volume.geometry.blockSize);
}

async function* blockPieces(
  volume: ExtVolume,
  inode: Inode,
  range: BlockRange,
  options?: ReadOptions,
): AsyncGenerator<readonly Extent[], void> {
  const { blockSize } = volume.geometry;
  for await (const runs of blockRuns(volume, inode, range, options)) {
    yield runs.map((run): Extent => {
      const place = { start: run.logical * blockSize, length: run.count * blockSize };
      return run.unwritten
        ? { ...place, kind: 'zero', explicit: true }
        : { ...place, kind: 'data', source: volume.device, sourceOffset: run.physical * blockSize };
    });
  }
}

async function* inlinePieces(volume: ExtVolume, inode: Inode): AsyncGenerator<readonly Extent[], void> {
  let start = 0;
  const pieces: Extent[] = [];
  for (const part of inlineDataParts(inode)) {
    const length = part.bytes.length;
    if (length > 0) pieces.push({ kind: 'data', start, length, source: volume.device, sourceOffset: part.offset });
    start += length;
  }
  yield pieces;
}
