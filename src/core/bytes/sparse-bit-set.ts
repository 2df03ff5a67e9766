import { allSet, anyBit, copyBits } from './bitmap.ts';
import { fillBits } from './bits.ts';

/** Bits that one page holds. */
const PAGE_BITS = 4096;
const PAGE_BYTES = PAGE_BITS / 8;

/** A set of non-negative integers that takes memory only near the numbers it holds: one bit each, in pages of 512 bytes. */
export class SparseBitSet {
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
