/** Numbers that one page holds; a multiple of 32. */
const PAGE_NUMBERS = 4096;

/** A set of non-negative integers below 2^32 that takes memory only near the numbers it holds: one bit each, in pages of 512 bytes. */
export class SparseBitSet {
  readonly #pages = new Map<number, Uint32Array>();
  #lastIndex = -1;
  #lastPage = new Uint32Array(0);

  /** Adds `value`; false when it was there already. */
  add(value: number): boolean {
    const within = value % PAGE_NUMBERS;
    const page = this.#page((value - within) / PAGE_NUMBERS);
    const word = page[within >>> 5]!;
    const mask = 1 << (within & 31);
    if ((word & mask) !== 0) return false;
    page[within >>> 5] = word | mask;
    return true;
  }

  has(value: number): boolean {
    const within = value % PAGE_NUMBERS;
    const index = (value - within) / PAGE_NUMBERS;
    const page = index === this.#lastIndex ? this.#lastPage : this.#pages.get(index);
    return page !== undefined && ((page[within >>> 5]! >>> (within & 31)) & 1) === 1;
  }

  #page(index: number): Uint32Array {
    if (index === this.#lastIndex) return this.#lastPage;
    let page = this.#pages.get(index);
    if (page === undefined) {
      page = new Uint32Array(PAGE_NUMBERS / 32);
      this.#pages.set(index, page);
    }
    this.#lastIndex = index;
    this.#lastPage = page as Uint32Array<ArrayBuffer>;
    return page;
  }
}
