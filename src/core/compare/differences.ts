import type { BlockDevice, ByteRange } from '../device/block-device.ts';
import type { OnProgress } from '../device/progress.ts';
import { readAhead } from '../device/read-ahead.ts';
import { cut, PieceComparison } from './compare-piece.ts';
import { type Segment, segments } from './segments.ts';

export interface CompareOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told how far the comparison has come, in bytes of the larger device. */
  readonly onProgress?: OnProgress | undefined;
  /** Bytes, a power of two: differences are whole sectors of this size. The first device's own unless given. */
  readonly sectorSize?: number | undefined;
  /** Whether all that one device has past the other's end is a difference; otherwise zeros there are none. */
  readonly strict?: boolean | undefined;
}

/** Pieces that are read and compared at once. */
const PARALLEL_PIECES = 6;

/**
 * The ranges in which two devices differ, ascending, in whole sectors (the last one clipped to the larger device's end),
 * joined where they touch. Where both are zero, or have the same bytes of the same host file, nothing is read.
 */
export async function* differences(
  first: BlockDevice,
  second: BlockDevice,
  options: CompareOptions = {},
): AsyncGenerator<ByteRange, void> {
  const total = Math.max(first.size, second.size);
  let pending: ByteRange | undefined;
  for await (const { start, length } of differingRanges(first, second, options)) {
    const end = Math.min(start + length, total);
    // A sector that two pieces share may come twice.
    if (pending !== undefined && start <= pending.start + pending.length) {
      pending = { start: pending.start, length: Math.max(end - pending.start, pending.length) };
    } else {
      if (pending !== undefined) yield pending;
      pending = { start, length: end - start };
    }
  }
  if (pending !== undefined) yield pending;
  options.onProgress?.({ done: total, total });
}

async function* differingRanges(
  first: BlockDevice,
  second: BlockDevice,
  options: CompareOptions,
): AsyncGenerator<ByteRange, void> {
  const { sectorSize = first.sectorSize, onProgress, strict = false } = options;
  const total = Math.max(first.size, second.size);
  const compared = strict ? Math.min(first.size, second.size) : total;
  const comparison = new PieceComparison(first, second, sectorSize, options);
  const compare = async (piece: Segment) => ({
    done: piece.start + piece.length,
    ranges: piece.reading === 'none' ? [] : await comparison.compare(piece),
  });
  for await (const { done, ranges } of readAhead(pieces(first, second, compared, options), PARALLEL_PIECES, compare)) {
    yield* ranges;
    onProgress?.({ done, total });
  }
  if (compared < total) yield { start: compared, length: total - compared };
}

/** What need not be read comes whole, the rest in pieces of bounded length. */
async function* pieces(
  first: BlockDevice,
  second: BlockDevice,
  length: number,
  options: CompareOptions,
): AsyncGenerator<Segment, void> {
  for await (const segment of segments(first, second, length, options)) {
    if (segment.reading === 'none') yield segment;
    else yield* cut(segment);
  }
}
