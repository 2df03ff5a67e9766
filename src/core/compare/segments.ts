import type { BlockDevice, ReadOptions } from '../device/block-device.ts';
import { type PlacedExtent, placedExtents } from './placed-extents.ts';

/** What must be read of a range to tell whether two devices hold the same there. */
export type Reading = 'none' | 'first' | 'second' | 'both';

export interface Segment {
  readonly start: number;
  readonly length: number;
  /** `none`: both are zero, or have the same bytes of the same file. `first`, `second`: the other one is zero. */
  readonly reading: Reading;
}

/**
 * The first `length` bytes of both devices as segments, ascending, without gaps, neighbours that need the same reading joined.
 * Behind a device's end there are zeros.
 */
export async function* segments(
  first: BlockDevice,
  second: BlockDevice,
  length: number,
  options?: ReadOptions,
): AsyncGenerator<Segment, void> {
  let last: Segment | undefined;
  for await (const segment of pairs(first, second, length, options)) {
    if (last !== undefined && last.reading === segment.reading)
      last = { ...last, length: last.length + segment.length };
    else {
      if (last !== undefined) yield last;
      last = segment;
    }
  }
  if (last !== undefined) yield last;
}

/** Walks both maps in step; each segment lies inside one extent of either. */
async function* pairs(
  first: BlockDevice,
  second: BlockDevice,
  length: number,
  options?: ReadOptions,
): AsyncGenerator<Segment, void> {
  await using left = new Walk(first, length, options);
  await using right = new Walk(second, length, options);
  for (let at = 0; at < length; ) {
    options?.signal?.throwIfAborted();
    const a = await left.covering(at);
    const b = await right.covering(at);
    const end = Math.min(a.start + a.length, b.start + b.length);
    yield { start: at, length: end - at, reading: readingOf(a, b) };
    at = end;
  }
}

/** An extent's place moves on in step with its start, so that comparing it needs no regard to where the segment begins. */
function readingOf(a: PlacedExtent, b: PlacedExtent): Reading {
  if (a.isZero) return b.isZero ? 'none' : 'second';
  if (b.isZero) return 'first';
  const isSame =
    a.place !== undefined &&
    b.place !== undefined &&
    a.place.key === b.place.key &&
    a.place.offset - a.start === b.place.offset - b.start;
  return isSame ? 'none' : 'both';
}

/** The extents of the first `length` bytes of a device, asked for from left to right. */
class Walk implements AsyncDisposable {
  readonly #extents: AsyncGenerator<PlacedExtent, void>;
  readonly #tail: PlacedExtent;
  #current: PlacedExtent | undefined;

  constructor(device: BlockDevice, length: number, options?: ReadOptions) {
    const end = Math.min(length, device.size);
    this.#extents = placedExtents(device, { start: 0, length: end }, options);
    this.#tail = { start: end, length: length - end, isZero: true, place: undefined };
  }

  /** The extent with byte `at`; `at` never goes back. */
  async covering(at: number): Promise<PlacedExtent> {
    while (this.#current === undefined || this.#current.start + this.#current.length <= at)
      this.#current = (await this.#extents.next()).value ?? this.#tail;
    return this.#current;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#extents.return();
  }
}
