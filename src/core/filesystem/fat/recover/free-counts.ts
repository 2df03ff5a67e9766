import { divideDown } from '../../../bytes/rounding.ts';
import type { ReadOptions } from '../../../device/block-device.ts';
import type { FatTable } from '../fat-table.ts';

/** Clusters counted together; a divisor of the entries of a page of the FAT. */
const CLUSTERS_PER_BLOCK = 1024;

/** How many clusters of any range are free, told without reading the FAT of a long range anew: 4 bytes for 1024 clusters. */
export class FreeCounts {
  readonly #table: FatTable;
  /** How many are free before each block. */
  readonly #before: number[];

  private constructor(table: FatTable, before: number[]) {
    this.#table = table;
    this.#before = before;
  }

  static async read(table: FatTable, options?: ReadOptions): Promise<FreeCounts> {
    const before = [0];
    let free = 0;
    for await (const { first, entries } of table.pages(options)) {
      for (let at = first === 0 ? 2 : 0; at < entries.length; at++) {
        if (entries[at] === 0) free++;
        if ((first + at) % CLUSTERS_PER_BLOCK === CLUSTERS_PER_BLOCK - 1) before.push(free);
      }
    }
    return new FreeCounts(table, before);
  }

  /** Of the clusters `from` up to, but not including, `to`, which is at most one more than the last there is. */
  async between(from: number, to: number, options?: ReadOptions): Promise<number> {
    return (await this.#below(to, options)) - (await this.#below(from, options));
  }

  async #below(end: number, options?: ReadOptions): Promise<number> {
    const block = Math.min(divideDown(end, CLUSTERS_PER_BLOCK), this.#before.length - 1);
    let free = this.#before[block]!;
    for (let cluster = Math.max(2, block * CLUSTERS_PER_BLOCK); cluster < end; cluster++)
      if ((this.#table.peek(cluster) ?? (await this.#table.entry(cluster, options))) === 0) free++;
    return free;
  }
}
