const PAGE_NUMBERS = 4096;

/** A number of at most 32 bits for each non-negative integer, 0 unless set; pages of 4096 exist where one was set. */
export class PagedNumbers {
  readonly #pages = new Map<number, Uint32Array>();
  #lastIndex = -1;
  #last: Uint32Array | undefined;

  get(key: number): number {
    const within = key % PAGE_NUMBERS;
    return this.#find((key - within) / PAGE_NUMBERS)?.[within] ?? 0;
  }

  set(key: number, value: number): void {
    const within = key % PAGE_NUMBERS;
    this.#make((key - within) / PAGE_NUMBERS)[within] = value;
  }

  /** Adds one and returns the sum; it stays at the largest. */
  increment(key: number): number {
    const within = key % PAGE_NUMBERS;
    const page = this.#make((key - within) / PAGE_NUMBERS);
    const sum = Math.min(page[within]! + 1, 0xffff_ffff);
    page[within] = sum;
    return sum;
  }

  /** The keys whose number is not 0, ascending inside each page; pages in the order in which they came to be. */
  *keys(): Generator<number, void> {
    for (const [index, page] of this.#pages)
      for (let within = 0; within < PAGE_NUMBERS; within++) if (page[within] !== 0) yield index * PAGE_NUMBERS + within;
  }

  #find(index: number): Uint32Array | undefined {
    if (index === this.#lastIndex) return this.#last;
    this.#lastIndex = index;
    this.#last = this.#pages.get(index);
    return this.#last;
  }

  #make(index: number): Uint32Array {
    const found = this.#find(index);
    if (found !== undefined) return found;
    const page = new Uint32Array(PAGE_NUMBERS);
    this.#pages.set(index, page);
    this.#last = page;
    return page;
  }
}
