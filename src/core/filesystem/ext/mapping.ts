import { divideDown, divideUp } from '../../bytes/rounding.ts';
import type { ByteRange } from '../../device/block-device.ts';
import { clipExtent, type Extent, mergeExtents } from '../../device/extent.ts';
import { unsupported } from '../../errors.ts';
import type { MapOptions } from '../filesystem.ts';
import { blockMapRuns } from './block-map.ts';
import type { BlockRange, BlockRun, BlockRunOptions } from './block-run.ts';
import { extentTreeRuns, rootRuns } from './extent-tree.ts';
import { inlineDataParts } from './inline-data.ts';
import { hasFlag, type Inode } from './inode.ts';
import type { ExtVolume } from './volume.ts';

/** The runs of a file or directory inside `range` of its blocks, ascending, in batches; what they leave out is a hole. */
export function blockRuns(
  volume: ExtVolume,
  inode: Inode,
  range: BlockRange,
  options?: BlockRunOptions,
): AsyncGenerator<readonly BlockRun[], void> {
  const runs = hasFlag(inode, 'extents') ? extentTreeRuns : blockMapRuns;
  return runs(volume, inode, range, options);
}

/** Where the bytes of `range` lie, joined and without gaps; the range is cut to the inode's size. */
export async function* inodeExtents(
  volume: ExtVolume,
  inode: Inode,
  range: ByteRange,
  options?: MapOptions,
): AsyncGenerator<Extent, void> {
  const end = Math.min(range.start + range.length, inode.size);
  if (range.start >= end) return;
  requirePlain(inode);
  const wanted = { start: range.start, length: end - range.start };
  const isMapped = hasFlag(inode, 'extents') && !hasFlag(inode, 'inlineData') && options?.onLost === undefined;
  const runs = isMapped ? rootRuns(volume, inode) : undefined;
  // Nearly every file has all its extents in the inode: nothing has to be waited for.
  const extents =
    runs === undefined ? rawExtents(volume, inode, wanted, options) : placed(piecesOf(volume, runs), wanted);
  yield* mergeExtents(extents);
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
  wanted: ByteRange,
  options?: MapOptions,
): AsyncGenerator<Extent, void> {
  const end = wanted.start + wanted.length;
  let at = wanted.start;
  const { blockSize } = volume.geometry;
  const blocks = { first: divideDown(at, blockSize), end: divideUp(end, blockSize) };
  const batches = hasFlag(inode, 'inlineData')
    ? inlinePieces(volume, inode)
    : blockPieces(volume, inode, blocks, {
        signal: options?.signal,
        onLostBlocks: lossesInBytes(volume, wanted, options),
      });
  for await (const pieces of batches) {
    for (const extent of placed(pieces, { start: at, length: end - at }, false)) {
      yield extent;
      at = extent.start + extent.length;
    }
  }
  if (at < end) yield hole(at, end);
}

function hole(start: number, end: number): Extent {
  return { kind: 'zero', explicit: false, start, length: end - start };
}

/** The pieces inside `wanted`, ascending, with holes between them; behind the last one too where it `isLast`. */
function* placed(pieces: readonly Extent[], wanted: ByteRange, isLast = true): Generator<Extent, void> {
  const end = wanted.start + wanted.length;
  let at = wanted.start;
  for (const piece of pieces) {
    if (piece.start >= end || piece.start + piece.length <= wanted.start) continue;
    const extent = clipExtent(piece, wanted);
    if (extent.start > at) yield hole(at, extent.start);
    yield extent;
    at = extent.start + extent.length;
  }
  if (isLast && at < end) yield hole(at, end);
}

/** Tells lost blocks as the bytes that they have of a range. */
function lossesInBytes(
  { geometry: { blockSize } }: ExtVolume,
  wanted: ByteRange,
  options?: MapOptions,
): BlockRunOptions['onLostBlocks'] {
  const onLost = options?.onLost;
  if (onLost === undefined) return undefined;
  return (blocks, reason) => {
    const start = Math.max(wanted.start, blocks.first * blockSize);
    const length = Math.min(wanted.start + wanted.length, blocks.end * blockSize) - start;
    if (length > 0) onLost({ start, length, reason });
  };
}

async function* blockPieces(
  volume: ExtVolume,
  inode: Inode,
  range: BlockRange,
  options?: BlockRunOptions,
): AsyncGenerator<readonly Extent[], void> {
  for await (const runs of blockRuns(volume, inode, range, options)) yield piecesOf(volume, runs);
}

function piecesOf(volume: ExtVolume, runs: readonly BlockRun[]): Extent[] {
  const { blockSize } = volume.geometry;
  return runs.map((run): Extent => {
    const place = { start: run.logical * blockSize, length: run.count * blockSize };
    return run.unwritten
      ? { ...place, kind: 'zero', explicit: true }
      : { ...place, kind: 'data', source: volume.device, sourceOffset: run.physical * blockSize };
  });
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
