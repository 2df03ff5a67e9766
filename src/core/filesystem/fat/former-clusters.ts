import type { ReadOptions } from '../../device/block-device.ts';
import { corrupt } from '../../errors.ts';
import type { ChainOrigin, ClusterRun } from './cluster-chain.ts';
import type { FatTable } from './fat-table.ts';
import { isDataCluster } from './geometry.ts';

/**
 * Where a deleted file most likely lay, as the Sleuth Kit guesses: its first cluster is still told and its chain is gone, so
 * the free clusters from there on are taken in order, those in use left out. A first cluster in use means that it is lost.
 */
export class FormerClusters {
  readonly #table: FatTable;
  readonly #first: number;
  readonly #origin: ChainOrigin;
  /** A free cluster and its index, from which a read that goes on need not count anew. */
  #known: { index: number; cluster: number };

  constructor(table: FatTable, first: number, origin: ChainOrigin) {
    this.#table = table;
    this.#first = first;
    this.#origin = origin;
    this.#known = { index: 0, cluster: first };
  }

  /** As `ClusterChain.runs` has it; `toEnd` gives one cluster, since how long a deleted directory was is not told. */
  async *runs(
    from: number,
    count: number,
    options: ReadOptions & { readonly toEnd?: boolean } = {},
  ): AsyncGenerator<ClusterRun, void> {
    const end = from + (options.toEnd === true ? Math.min(count, 1) : count);
    if (end <= from) return;
    await this.#requireFirst(options);
    const known = this.#known;
    let { index, cluster } = known.index <= from ? known : { index: 0, cluster: this.#first };
    let run = { cluster: 0, count: 0 };
    for (; index < end; cluster++) {
      if (!isDataCluster(this.#table.geometry, cluster)) {
        if (run.count > 0) yield run;
        throw this.#lost(`${end} free clusters from the first on`, `${index}`);
      }
      if (!(await this.#isFree(cluster, options))) continue;
      if (index >= from) {
        if (run.count > 0 && cluster === run.cluster + run.count) run.count++;
        else {
          if (run.count > 0) yield run;
          run = { cluster, count: 1 };
        }
      }
      this.#known = { index, cluster };
      index++;
    }
    yield run;
  }

  async #requireFirst(options: ReadOptions): Promise<void> {
    const first = this.#first;
    const isThere = isDataCluster(this.#table.geometry, first);
    if (isThere && (await this.#isFree(first, options))) return;
    throw this.#lost('a first cluster that is free', isThere ? `cluster ${first}, in use again` : `cluster ${first}`);
  }

  async #isFree(cluster: number, options: ReadOptions): Promise<boolean> {
    return (this.#table.peek(cluster) ?? (await this.#table.entry(cluster, options))) === 0;
  }

  #lost(expected: string, found: string): Error {
    return corrupt({ layer: 'fat', ...this.#origin, expected, found });
  }
}
