import { fillBits } from './bits.ts';

/** Bits that one page holds. */
const PAGE_BITS = 32768;
const PAGE_BYTES = PAGE_BITS / 8;

/** A set of non-negative integers, one bit each in pages of 4 KiB, of which those exist that hold one: for ranges of many. */
export class PagedBits {
  readonly #pages = new Map<number, Uint8Array>();
  #lastIndex = -1;
  #last: Uint8Array | undefined;

  has(value: number): boolean {
    const within = value % PAGE_BITS;
    const page = this.#find((value - within) / PAGE_BITS);
    return page !== undefined && ((page[within >>> 3]! >>> (within & 7)) & 1) === 1;
  }

  /** Adds `value`; false when it was there already. */
  add(value: number): boolean {
    const within = value % PAGE_BITS;
    const page = this.#make((value - within) / PAGE_BITS);
    const byte = page[within >>> 3]!;
    const mask = 1 << (within & 7);
    if ((byte & mask) !== 0) return false;
    page[within >>> 3] = byte | mask;
    return true;
  }

  /** Adds `count` numbers from `first` up; false, and nothing added, when one of them was there already. */
  addNew(first: number, count: number): boolean {
    if (count === 1) return this.add(first);
    if (this.hasAny(first, count)) return false;
    this.fill(first, count);
    return true;
  }

  fill(first: number, count: number): void {
    for (let at = first, end = first + count; at < end; ) {
      const within = at % PAGE_BITS;
      const part = Math.min(PAGE_BITS - within, end - at);
      fillBits(this.#make((at - within) / PAGE_BITS), within, part, true);
      at += part;
    }
  }

  hasAll(first: number, count: number): boolean {
    for (let at = first, end = first + count; at < end; ) {
      const within = at % PAGE_BITS;
      const part = Math.min(PAGE_BITS - within, end - at);
      const page = this.#find((at - within) / PAGE_BITS);
      if (page === undefined || !allSet(page, within, within + part)) return false;
      at += part;
    }
    return true;
  }

  hasAny(first: number, count: number): boolean {
    for (let at = first, end = first + count; at < end; ) {
      const within = at % PAGE_BITS;
      const part = Math.min(PAGE_BITS - within, end - at);
      const page = this.#find((at - within) / PAGE_BITS);
      if (page !== undefined && anyBit(page, within, part)) return true;
      at += part;
    }
    return false;
  }

  /** Copies `count` bits from `first` up into `target`, the first to bit 0 of its first byte; the rest of the last byte is 0. */
  copyTo(target: Uint8Array, first: number, count: number): void {
    target.fill(0, 0, Math.ceil(count / 8));
    for (let at = first, end = first + count; at < end; ) {
      const within = at % PAGE_BITS;
      const part = Math.min(PAGE_BITS - within, end - at);
      const page = this.#find((at - within) / PAGE_BITS);
      if (page !== undefined) copyBits(page, within, part, target, at - first);
      at += part;
    }
  }

  #find(index: number): Uint8Array | undefined {
    if (index === this.#lastIndex) return this.#last;
    this.#lastIndex = index;
    this.#last = this.#pages.get(index);
    return this.#last;
  }

  #make(index: number): Uint8Array {
    const found = this.#find(index);
    if (found !== undefined) return found;
    const page = new Uint8Array(PAGE_BYTES);
    this.#pages.set(index, page);
    this.#last = page;
    return page;
  }
}

function anyBit(page: Uint8Array, from: number, count: number): boolean {
  for (let bit = from, end = from + count; bit < end; ) {
    const byte = page[bit >>> 3]!;
    if (byte === 0) bit = (bit | 7) + 1;
    else if (((byte >>> (bit & 7)) & 1) === 1) return true;
    else bit++;
  }
  return false;
}

function copyBits(page: Uint8Array, from: number, count: number, target: Uint8Array, to: number): void {
  if (from % 8 === 0 && to % 8 === 0) {
    const whole = count >>> 3;
    target.set(page.subarray(from >>> 3, (from >>> 3) + whole), to >>> 3);
    const rest = count & 7;
    if (rest > 0) target[(to >>> 3) + whole] = page[(from >>> 3) + whole]! & ((1 << rest) - 1);
    return;
  }
  for (let bit = 0; bit < count; bit++) {
    if (((page[(from + bit) >>> 3]! >>> ((from + bit) & 7)) & 1) === 0) continue;
    target[(to + bit) >>> 3]! |= 1 << ((to + bit) & 7);
  }
}

/** How many bits are set among the first `count` of `bytes`. */
export function countBits(bytes: Uint8Array, count: number): number {
  const whole = count >>> 3;
  let sum = 0;
  for (let index = 0; index < whole; index++) sum += bitCount(bytes[index]!);
  const rest = count & 7;
  return rest === 0 ? sum : sum + bitCount(bytes[whole]! & ((1 << rest) - 1));
}

function bitCount(byte: number): number {
  const pairs = byte - ((byte >>> 1) & 0x55);
  const nibbles = (pairs & 0x33) + ((pairs >>> 2) & 0x33);
  return (nibbles + (nibbles >>> 4)) & 0x0f;
}

/** Whether the bits of `bytes` from `from` to before `to` are all set. */
export function allSet(bytes: Uint8Array, from: number, to: number): boolean {
  for (let bit = from; bit < to; ) {
    const byte = bytes[bit >>> 3]!;
    if ((bit & 7) === 0 && byte === 0xff) bit += 8;
    else if (((byte >>> (bit & 7)) & 1) === 0) return false;
    else bit++;
  }
  return true;
}

/** Runs of bits among the first `count` that differ, as `[first, length, whether it is set in left]`. */
export function* differingBits(
  left: Uint8Array,
  right: Uint8Array,
  count: number,
): Generator<readonly [number, number, boolean], void> {
  let start = -1;
  let inLeft = false;
  for (let bit = 0; bit < count; bit++) {
    const index = bit >>> 3;
    if ((bit & 7) === 0 && left[index] === right[index]) {
      if (start >= 0) yield [start, bit - start, inLeft];
      start = -1;
      bit += 7;
      continue;
    }
    const one = (left[index]! >>> (bit & 7)) & 1;
    const differs = one !== ((right[index]! >>> (bit & 7)) & 1);
    if (start >= 0 && (!differs || (one === 1) !== inLeft)) {
      yield [start, bit - start, inLeft];
      start = -1;
    }
    if (differs && start < 0) {
      start = bit;
      inLeft = one === 1;
    }
  }
  if (start >= 0) yield [start, count - start, inLeft];
}

/** How many bits are set in both, as far as the shorter reaches. */
export function countCommonBits(left: Uint8Array, right: Uint8Array): number {
  const length = Math.min(left.length, right.length);
  let sum = 0;
  for (let index = 0; index < length; index++) sum += bitCount(left[index]! & right[index]!);
  return sum;
}
