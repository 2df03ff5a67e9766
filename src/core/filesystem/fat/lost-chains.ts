import { SparseBitSet } from '../../bytes/sparse-bit-set.ts';
import type { ReadOptions } from '../../device/block-device.ts';
import { type ChainStop, type Claim, ClusterClaims } from './cluster-claims.ts';
import type { FatTable } from './fat-table.ts';
import { linkKind } from './link-kind.ts';

/** Clusters in use that no file has, linked to each other. */
export interface LostChain {
  readonly first: number;
  /** Clusters that belong to it alone. */
  readonly count: number;
  readonly stop: ChainStop;
  /** The number at which it stopped. */
  readonly at: number;
}

/**
 * The chains that no directory leads to, once `owned` has the clusters of all files. First those that begin somewhere, in
 * the order of their first clusters; then what only goes round in itself, from its lowest cluster.
 */
export async function* lostChains(
  table: FatTable,
  owned: ClusterClaims,
  options?: ReadOptions,
): AsyncGenerator<LostChain, void> {
  const { geometry } = table;
  const isLost = (cluster: number, value: number): boolean =>
    cluster >= 2 && value !== 0 && linkKind(geometry, value) !== 'bad' && !owned.has(cluster);
  const targets = new SparseBitSet();
  let isAnyLost = false;
  for await (const { first, entries } of table.pages(options)) {
    for (let at = 0; at < entries.length; at++) {
      if (!isLost(first + at, entries[at]!)) continue;
      isAnyLost = true;
      if (linkKind(geometry, entries[at]!) === 'next') targets.add(entries[at]!);
    }
  }
  if (!isAnyLost) return;
  const taken = new ClusterClaims(table);
  for (const isRound of [false, true]) {
    for await (const { first, entries } of table.pages(options)) {
      for (let at = 0; at < entries.length; at++) {
        const cluster = first + at;
        if (!isLost(cluster, entries[at]!) || taken.has(cluster) || (!isRound && targets.has(cluster))) continue;
        yield lostChain(cluster, await taken.claim(cluster, options, owned));
      }
    }
  }
}

function lostChain(first: number, { count, stop, at }: Claim): LostChain {
  return { first, count, stop, at };
}
