import { NumberList } from '../../../bytes/number-list.ts';
import type { JournaledBlock } from '../journal/transactions.ts';

/** The copies of blocks that a journal has, as rows of numbers: of a journal of 1 GiB there may be a million. */
export class CopyRows {
  readonly #targets = NumberList.ofFloat64();
  readonly #blocks = NumberList.ofUint32();
  readonly #checksums = NumberList.ofUint32();
  readonly #isEscaped = NumberList.ofUint32();

  get length(): number {
    return this.#targets.length;
  }

  push({ target, block, checksum, isEscaped }: JournaledBlock): void {
    this.#targets.push(target);
    this.#blocks.push(block);
    this.#checksums.push(checksum);
    this.#isEscaped.push(isEscaped ? 1 : 0);
  }

  at(row: number): JournaledBlock {
    return {
      target: this.#targets.at(row),
      block: this.#blocks.at(row),
      checksum: this.#checksums.at(row),
      isEscaped: this.#isEscaped.at(row) === 1,
    };
  }

  targetAt(row: number): number {
    return this.#targets.at(row);
  }

  /** Forgets the rows from `length` on. */
  truncate(length: number): void {
    for (const list of [this.#targets, this.#blocks, this.#checksums, this.#isEscaped]) list.truncate(length);
  }
}
