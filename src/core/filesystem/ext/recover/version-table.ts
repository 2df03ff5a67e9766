import { NumberList } from '../../../bytes/number-list.ts';
import { firstAtLeast } from '../../../bytes/sorted-search.ts';

/** An earlier content of an inode that the journal has a copy of. */
export interface InodeVersion {
  readonly id: number;
  readonly generation: number;
  readonly isDirectory: boolean;
  /** The place in the history of the newest transaction that has it. */
  readonly order: number;
  /** The same of the oldest. */
  readonly firstOrder: number;
  /** Of the transaction that ended it; undefined when the journal does not have that. */
  readonly endOrder: number | undefined;
  /** The copy of its block, by its number in the history, and where in that block it is, in bytes. */
  readonly copy: number;
  readonly within: number;
}

/** For the order of a transaction that is not known. */
const NONE = 0xffff_ffff;

/**
 * The versions of all inodes, each other than the one that followed it, by inode and from the newest: rows of numbers, for there
 * may be a million. What an inode was is read again from the journal when it is asked for.
 */
export class VersionTable {
  readonly #ids = NumberList.ofUint32();
  readonly #generations = NumberList.ofUint32();
  readonly #orders = NumberList.ofUint32();
  readonly #firstOrders = NumberList.ofUint32();
  readonly #endOrders = NumberList.ofUint32();
  readonly #copies = NumberList.ofUint32();
  readonly #withins = NumberList.ofUint32();
  readonly #isDirectory = NumberList.ofUint32();
  /** The first row of the same file: the same inode number and generation. */
  readonly #files = NumberList.ofUint32();
  /** In the first row of a file: how many rows it has. */
  readonly #counts = NumberList.ofUint32();

  get length(): number {
    return this.#ids.length;
  }

  /** Inodes come in ascending order. */
  push(version: InodeVersion): void {
    const file = this.fileOf(version.id, version.generation) ?? this.length;
    this.#ids.push(version.id);
    this.#generations.push(version.generation);
    this.#orders.push(version.order);
    this.#firstOrders.push(version.firstOrder);
    this.#endOrders.push(version.endOrder ?? NONE);
    this.#copies.push(version.copy);
    this.#withins.push(version.within);
    this.#isDirectory.push(version.isDirectory ? 1 : 0);
    this.#files.push(file);
    this.#counts.push(0);
    this.#counts.set(file, this.#counts.at(file) + 1);
  }

  at(index: number): InodeVersion {
    const endOrder = this.#endOrders.at(index);
    return {
      id: this.#ids.at(index),
      generation: this.#generations.at(index),
      isDirectory: this.#isDirectory.at(index) === 1,
      order: this.#orders.at(index),
      firstOrder: this.#firstOrders.at(index),
      endOrder: endOrder === NONE ? undefined : endOrder,
      copy: this.#copies.at(index),
      within: this.#withins.at(index),
    };
  }

  /** A number for the file that had that inode; undefined when no version is of it. */
  fileOf(id: number, generation: number): number | undefined {
    for (let at = firstAtLeast(this.#ids.values, id); at < this.length && this.#ids.at(at) === id; at++)
      if (this.#generations.at(at) === generation) return this.#files.at(at);
    return undefined;
  }

  /** How many versions a file has. */
  countOf(file: number | undefined): number {
    return file === undefined ? 0 : this.#counts.at(file);
  }
}
