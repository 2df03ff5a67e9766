const FIRST_CAPACITY = 1024;

type NumberArray = Uint32Array | Float64Array;

/** A list of numbers that grows, eight or four bytes each: for what there may be a million of. */
export class NumberList {
  #numbers: NumberArray;
  #length = 0;

  private constructor(numbers: NumberArray) {
    this.#numbers = numbers;
  }

  /** Of integers from 0 to 2^32 - 1. */
  static ofUint32(): NumberList {
    return new NumberList(new Uint32Array(FIRST_CAPACITY));
  }

  static ofFloat64(): NumberList {
    return new NumberList(new Float64Array(FIRST_CAPACITY));
  }

  get length(): number {
    return this.#length;
  }

  /** Adds a number and gives its place. */
  push(value: number): number {
    if (this.#length === this.#numbers.length) this.#grow();
    this.#numbers[this.#length] = value;
    return this.#length++;
  }

  at(index: number): number {
    return this.#numbers[index]!;
  }

  set(index: number, value: number): void {
    this.#numbers[index] = value;
  }

  /** Forgets what stands from `length` on. */
  truncate(length: number): void {
    this.#length = Math.min(this.#length, length);
  }

  /** All of them, without a copy: good until one is added. */
  get values(): NumberArray {
    return this.#numbers.subarray(0, this.#length);
  }

  #grow(): void {
    const capacity = this.#length * 2;
    const grown = this.#numbers instanceof Uint32Array ? new Uint32Array(capacity) : new Float64Array(capacity);
    grown.set(this.#numbers);
    this.#numbers = grown;
  }
}
