import { RangeSet } from '../../../bytes/range-set.ts';
import { SparseBitSet } from '../../../bytes/sparse-bit-set.ts';
import type { BlockRun } from '../block-run.ts';
import type { Surveyed } from './candidate.ts';

/** Blocks that are remembered: their bits take 128 MiB. */
const MAX_CLAIMED_BLOCKS = 2 ** 30;
/** Files whose own earlier versions are told from others' by their runs. */
const MAX_FILES = 100_000;

/**
 * Which blocks files had that are no more, from the last to be deleted to the first: of two that had the same block the later one
 * has what is in it. Of two that ended together neither is known to.
 */
export class Claims {
  /** Blocks of files that ended later. */
  readonly #later = new SparseBitSet();
  /** Blocks of more than one file of those that ended together. */
  #disputed = new SparseBitSet();
  /** Blocks of the files of this group, and what each of those has claimed itself. */
  #here = new SparseBitSet();
  readonly #mine = new Map<number, RangeSet>();
  /** What each file that is met more than once has claimed itself. */
  readonly #own = new Map<number, RangeSet>();
  #count = 0;

  /** Whether there were more blocks than are remembered: what was found then is not sure. */
  get isFull(): boolean {
    return this.#count > MAX_CLAIMED_BLOCKS || this.#own.size >= MAX_FILES;
  }

  /** What is added from here on ended together, and before all that was settled. */
  beginGroup(): void {
    this.#disputed = new SparseBitSet();
    this.#here = new SparseBitSet();
    this.#mine.clear();
  }

  /** A file that is met more than once does not take its own blocks. */
  add({ candidate: { file }, survey }: Surveyed): void {
    if (survey.contradiction !== undefined || survey.blocks === 0) return;
    const own = file === undefined ? undefined : ownOf(this.#mine, file);
    for (const block of this.#blocks(survey.runs))
      if (own?.endOfRangeAt(block) === undefined && !this.#here.add(block)) this.#disputed.add(block);
    for (const { physical, count } of survey.runs) own?.add(physical, physical + count);
  }

  /** How many of a candidate's blocks another file claims as well. */
  countOthers({ candidate: { file }, survey }: Surveyed): number {
    const own = file === undefined ? undefined : this.#own.get(file);
    let count = 0;
    for (const block of this.#blocks(survey.runs)) {
      if (this.#disputed.has(block)) count++;
      else if (this.#later.has(block) && own?.endOfRangeAt(block) === undefined) count++;
    }
    return count;
  }

  /** Whether a later version of the same file has a block of this one. */
  isSharedWithOwn({ candidate: { file }, survey }: Surveyed): boolean {
    const own = file === undefined ? undefined : this.#own.get(file);
    if (own === undefined) return false;
    return survey.runs.some(({ physical, count }) => {
      const next = own.endOfRangeAt(physical) === undefined ? own.nextStart(physical) : physical;
      return next !== undefined && next < physical + count;
    });
  }

  /** From here on the candidate is one that ended later than what comes. */
  settle({ candidate: { file }, survey }: Surveyed): void {
    if (survey.contradiction !== undefined || survey.blocks === 0) return;
    for (const block of this.#blocks(survey.runs)) {
      this.#later.add(block);
      this.#count++;
    }
    if (file === undefined || this.isFull) return;
    const own = ownOf(this.#own, file);
    for (const { physical, count } of survey.runs) own.add(physical, physical + count);
  }

  *#blocks(runs: readonly BlockRun[]): Generator<number, void> {
    if (this.#count > MAX_CLAIMED_BLOCKS) return;
    for (const { physical, count } of runs) for (let at = 0; at < count; at++) yield physical + at;
  }
}

function ownOf(sets: Map<number, RangeSet>, file: number): RangeSet {
  const own = sets.get(file) ?? new RangeSet();
  sets.set(file, own);
  return own;
}
