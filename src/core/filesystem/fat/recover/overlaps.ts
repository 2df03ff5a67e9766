import { lowestBit } from '../../../bytes/bits.ts';
import { firstAtLeast } from '../../../bytes/sorted-search.ts';

/** Runs of clusters that deleted files claim, each with the time at which its file was last written; it grows as they are added. */
export class ClaimedRuns {
  #starts = new Float64Array(256);
  #ends = new Float64Array(256);
  #stamps = new Float64Array(256);
  count = 0;

  /** Adds `start` up to, but not including, `end`; its number is how many were added before. */
  add(start: number, end: number, stamp: number): void {
    if (this.count === this.#starts.length) {
      this.#starts = grown(this.#starts);
      this.#ends = grown(this.#ends);
      this.#stamps = grown(this.#stamps);
    }
    this.#starts[this.count] = start;
    this.#ends[this.count] = end;
    this.#stamps[this.count] = stamp;
    this.count++;
  }

  /** 1 for each run of which another one, not older, claims a part; two of the same time have both. */
  overwritten(): Uint8Array {
    const { count } = this;
    const marks = new Uint8Array(count);
    const starts = this.#starts.subarray(0, count);
    const ends = this.#ends.subarray(0, count);
    const stamps = this.#stamps;
    const points = new Float64Array(count * 2);
    points.set(starts);
    points.set(ends, count);
    points.sort();
    for (const direction of [1, -1]) {
      const order = Uint32Array.from({ length: count }, (_, at) => at);
      order.sort((left, right) => stamps[right]! - stamps[left]! || (left - right) * direction);
      const covered = new CoveredSegments(points.length);
      for (const run of order) {
        const from = firstAtLeast(points, starts[run]!);
        const to = firstAtLeast(points, ends[run]!);
        if (covered.cover(from, to)) marks[run] = 1;
      }
    }
    return marks;
  }
}

function grown(values: Float64Array): Float64Array<ArrayBuffer> {
  const more = new Float64Array(values.length * 2);
  more.set(values);
  return more;
}

/** The segments between neighbouring points, each covered at most once: as fast for a few long runs as for many short ones. */
class CoveredSegments {
  /** A binary indexed tree of how many are covered. */
  readonly #counts: Uint32Array;
  /** The first one from each on that is not covered yet, as far as it was found out. */
  readonly #next: Uint32Array;

  constructor(count: number) {
    this.#counts = new Uint32Array(count + 2);
    this.#next = Uint32Array.from({ length: count + 1 }, (_, at) => at);
  }

  /** Covers `from` up to `to`; tells whether any of them was covered before. */
  cover(from: number, to: number): boolean {
    const isAny = this.#before(to) > this.#before(from);
    for (let at = this.#uncovered(from); at < to; at = this.#uncovered(at)) {
      this.#next[at] = at + 1;
      for (let node = at + 1; node < this.#counts.length; node += lowestBit(node)) this.#counts[node]!++;
    }
    return isAny;
  }

  #before(end: number): number {
    let sum = 0;
    for (let node = end; node > 0; node -= lowestBit(node)) sum += this.#counts[node]!;
    return sum;
  }

  #uncovered(from: number): number {
    let found = from;
    while (this.#next[found] !== found) found = this.#next[found]!;
    // The way is made short for the next one who asks.
    for (let at = from; at !== found; ) {
      const next = this.#next[at]!;
      this.#next[at] = found;
      at = next;
    }
    return found;
  }
}
