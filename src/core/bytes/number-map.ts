const FIRST_CAPACITY = 1024;
/** A value that none has. */
const ABSENT = 0xffff_ffff;
/** Spreads numbers that follow each other (2^32 divided by the golden ratio). */
const SPREAD = 0x9e37_79b1;

/** A map from integers below 2^32 to integers below 2^32 - 1 that takes 16 bytes an entry, not the 50 of a Map. */
export class NumberMap {
  #keys = new Uint32Array(FIRST_CAPACITY);
  #values = new Uint32Array(FIRST_CAPACITY).fill(ABSENT);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: number): number | undefined {
    const value = this.#values[this.#slot(key)]!;
    return value === ABSENT ? undefined : value;
  }

  has(key: number): boolean {
    return this.#values[this.#slot(key)] !== ABSENT;
  }

  set(key: number, value: number): void {
    if (this.#size * 2 >= this.#keys.length) this.#grow();
    const slot = this.#slot(key);
    if (this.#values[slot] === ABSENT) this.#size++;
    this.#keys[slot] = key;
    this.#values[slot] = value;
  }

  /** Where a key is, or would be: half of the slots are empty, so there is an end. */
  #slot(key: number): number {
    const mask = this.#keys.length - 1;
    let slot = (Math.imul(key, SPREAD) >>> 8) & mask;
    while (this.#values[slot] !== ABSENT && this.#keys[slot] !== key) slot = (slot + 1) & mask;
    return slot;
  }

  #grow(): void {
    const [keys, values] = [this.#keys, this.#values];
    this.#keys = new Uint32Array(keys.length * 2);
    this.#values = new Uint32Array(keys.length * 2).fill(ABSENT);
    for (let at = 0; at < keys.length; at++) {
      if (values[at] === ABSENT) continue;
      const slot = this.#slot(keys[at]!);
      this.#keys[slot] = keys[at]!;
      this.#values[slot] = values[at]!;
    }
  }
}
