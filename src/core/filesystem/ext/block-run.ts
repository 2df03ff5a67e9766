import type { ReadOptions } from '../../device/block-device.ts';
import { DiskError } from '../../errors.ts';

/** Consecutive blocks of a file that lie consecutively in the filesystem. What no run covers is a hole. */
export interface BlockRun {
  /** The first block, counted from the start of the file. */
  readonly logical: number;
  /** The first block, counted from the start of the filesystem. */
  readonly physical: number;
  readonly count: number;
  /** Allocated and never written: reads as zeros. */
  readonly unwritten: boolean;
}

/** Blocks of a file, `end` excluded. */
export interface BlockRange {
  readonly first: number;
  readonly end: number;
}

export interface BlockRunOptions extends ReadOptions {
  /** Told of blocks of the file whose place a damaged map does not give; the walk goes on behind them. Without it that is an error. */
  readonly onLostBlocks?: ((blocks: BlockRange, reason: DiskError) => void) | undefined;
}

/** Tells `blocks` of the file as lost, where that is wanted and `error` is about the image; otherwise throws it. */
export function loseBlocks(blocks: BlockRange, error: unknown, options: BlockRunOptions | undefined): void {
  if (options?.onLostBlocks === undefined || !(error instanceof DiskError)) throw error;
  options.onLostBlocks(blocks, error);
}

/** The part of a run inside `range`; undefined when there is none. */
export function clipRun(run: BlockRun, range: BlockRange): BlockRun | undefined {
  const first = Math.max(run.logical, range.first);
  const end = Math.min(run.logical + run.count, range.end);
  if (first >= end) return undefined;
  if (first === run.logical && end === run.logical + run.count) return run;
  return { ...run, logical: first, physical: run.physical + first - run.logical, count: end - first };
}
