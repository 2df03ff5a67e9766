import { clearMask } from '../../bytes/bits.ts';
import type { MappingTable } from './mapping-table.ts';
import { type EntryGeometry, ignoredMask, type L2Entry, unpackL2Entry } from './table-entries.ts';

/**
 * `count` consecutive units (clusters, or subclusters of extended L2 entries) that say the same thing: `entry` is the first
 * one's; the host offsets of the others follow on it.
 */
export interface ClusterRun {
  readonly entry: L2Entry;
  readonly count: number;
}

/**
 * The run of clusters that begins at entry `index` of an L2 table, of at most `limit` clusters. Pure and synchronous: one
 * compare per entry. Reserved bits and alignment need no second look inside a run, because its entries differ by whole clusters only.
 */
export function clusterRun(table: MappingTable, index: number, limit: number, geometry: EntryGeometry): ClusterRun {
  const ignored = ignoredMask(geometry);
  const firstHigh = clearMask(table.high(index), ignored);
  const firstLow = table.low(index);
  const entry = unpackL2Entry(firstHigh, firstLow, geometry);
  if (entry.kind === 'compressed' || entry.kind === 'invalid') return { entry, count: 1 };
  const isPlaced = entry.kind === 'data' || (entry.kind === 'zero' && entry.hostOffset !== 0);
  const step = isPlaced ? geometry.clusterSize : 0;
  const end = Math.min(index + limit, table.entryCount);
  let high = firstHigh;
  let low = firstLow;
  let at = index + 1;
  for (; at < end; at++) {
    low += step;
    if (low >= 0x1_0000_0000) {
      low -= 0x1_0000_0000;
      high += 1;
    }
    if (table.low(at) !== low || clearMask(table.high(at), ignored) !== high) break;
  }
  return { entry, count: at - index };
}
