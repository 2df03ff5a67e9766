import { SparseBitSet } from '../../bytes/sparse-bit-set.ts';
import type { ReadOptions } from '../../device/block-device.ts';
import { DiskError } from '../../errors.ts';
import type { FatTable } from './fat-table.ts';
import { isDataCluster } from './geometry.ts';
import { linkKind } from './link-kind.ts';

/** Clusters followed between two looks at the signal. */
const CLUSTERS_PER_LOOK = 65536;

/**
 * Where a chain stops. `end`: at its end mark. `free`, `bad`: at a cluster that the FAT says is free or bad. `outside`: at a
 * number that no cluster has. `loop`: where it comes back to itself. `claimed`: at a cluster of another owner. `cut`: where
 * the FAT is cut off.
 */
export type ChainStop = 'end' | 'free' | 'bad' | 'outside' | 'loop' | 'claimed' | 'cut';

export interface Claim {
  /** Clusters that the chain has for itself, from its first on. */
  readonly count: number;
  readonly stop: ChainStop;
  /** The number at which it stopped, and the cluster whose entry leads there: 0 where the first itself is wrong. */
  readonly at: number;
  readonly from: number;
}

/** Whose each cluster is, as one bit: somebody's. Chains claim theirs in the order of the directories; the first one has it. */
export class ClusterClaims {
  readonly table: FatTable;
  readonly #claimed = new SparseBitSet();
  readonly #onClaim: ((cluster: number) => void) | undefined;
  /** Clusters that have an owner. */
  count = 0;

  constructor(table: FatTable, onClaim?: (cluster: number) => void) {
    this.table = table;
    this.#onClaim = onClaim;
  }

  has(cluster: number): boolean {
    return this.#claimed.has(cluster);
  }

  /** Claims the chain that begins at `first`, as far as it goes; what `others` have is not its own. */
  async claim(first: number, options?: ReadOptions, others?: ClusterClaims): Promise<Claim> {
    const { geometry } = this.table;
    let cluster = first;
    let from = 0;
    let count = 0;
    const stopped = (stop: ChainStop): Claim => ({ count, stop, at: cluster, from });
    for (;;) {
      if (!isDataCluster(geometry, cluster)) return stopped('outside');
      if (count % CLUSTERS_PER_LOOK === CLUSTERS_PER_LOOK - 1) options?.signal?.throwIfAborted();
      const value = this.table.peek(cluster) ?? (await this.#entry(cluster, options));
      if (value === undefined) return stopped('cut');
      const kind = linkKind(geometry, value);
      if (kind === 'free' || kind === 'bad') return stopped(kind);
      if (others?.has(cluster) === true) return stopped('claimed');
      if (!this.#claimed.add(cluster))
        return stopped((await this.#isWithin(first, count, cluster, options)) ? 'loop' : 'claimed');
      this.#onClaim?.(cluster);
      this.count++;
      count++;
      if (kind === 'end') return stopped('end');
      from = cluster;
      cluster = value;
    }
  }

  /** Whether `wanted` is among the first `count` clusters of a chain. */
  async #isWithin(first: number, count: number, wanted: number, options?: ReadOptions): Promise<boolean> {
    let cluster = first;
    for (let index = 0; index < count; index++) {
      if (cluster === wanted) return true;
      cluster = this.table.peek(cluster) ?? (await this.table.entry(cluster, options));
    }
    return false;
  }

  async #entry(cluster: number, options?: ReadOptions): Promise<number | undefined> {
    try {
      return await this.table.entry(cluster, options);
    } catch (error) {
      if (error instanceof DiskError && error.code === 'OUT_OF_RANGE') return undefined;
      throw error;
    }
  }
}
