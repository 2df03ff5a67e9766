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

/** The part of a run inside `range`; undefined when there is none. */
export function clipRun(run: BlockRun, range: BlockRange): BlockRun | undefined {
  const first = Math.max(run.logical, range.first);
  const end = Math.min(run.logical + run.count, range.end);
  if (first >= end) return undefined;
  if (first === run.logical && end === run.logical + run.count) return run;
  return { ...run, logical: first, physical: run.physical + first - run.logical, count: end - first };
}
