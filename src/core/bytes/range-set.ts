import { firstAtLeast } from './sorted-search.ts';

/** A set of integers as disjoint ranges, joined where they touch: memory by the number of ranges, whatever their length. */
export class RangeSet {
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];

  /** How many ranges there are. */
  get count(): number {
    return this.#starts.length;
  }

  /** Adds `start` up to, but not including, `end`. */
  add(start: number, end: number): void {
    if (start >= end) return;
    const first = firstAtLeast(this.#ends, start);
    const behind = firstAtLeast(this.#starts, end + 1);
    const touched = behind - first;
    const low = touched > 0 ? Math.min(start, this.#starts[first]!) : start;
    const high = touched > 0 ? Math.max(end, this.#ends[behind - 1]!) : end;
    this.#starts.splice(first, touched, low);
    this.#ends.splice(first, touched, high);
  }

  /** The end of the range that holds `value`; undefined when none does. */
  endOfRangeAt(value: number): number | undefined {
    const index = firstAtLeast(this.#starts, value + 1) - 1;
    const end = index < 0 ? undefined : this.#ends[index];
    return end !== undefined && end > value ? end : undefined;
  }

  /** Where the first range behind `value` begins; undefined when there is none. */
  nextStart(value: number): number | undefined {
    return this.#starts[firstAtLeast(this.#starts, value + 1)];
  }
}
