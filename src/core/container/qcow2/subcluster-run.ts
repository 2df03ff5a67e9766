import { equalBits, hasBit, hasCommonBit } from '../../bytes/bits.ts';
import { divideDown } from '../../bytes/rounding.ts';
import type { ClusterRun } from './cluster-run.ts';
import type { MappingTable } from './mapping-table.ts';
import { type EntryGeometry, type L2Entry, SUBCLUSTERS, unpackL2Entry } from './table-entries.ts';

/**
 * The run of subclusters that begins at subcluster `unit` of a table of extended L2 entries (counted from the table's
 * beginning), of at most `limit` subclusters (qcow2 specification, section "Extended L2 Entries"). Pure, as `clusterRun`.
 */
export function subclusterRun(table: MappingTable, unit: number, limit: number, geometry: EntryGeometry): ClusterRun {
  const subclusterSize = geometry.clusterSize / SUBCLUSTERS;
  const entryCount = extendedEntryCount(table);
  let at = divideDown(unit, SUBCLUSTERS);
  const first = clusterAt(table, at, unit % SUBCLUSTERS, geometry);
  if (first.entry.kind === 'compressed' || first.entry.kind === 'invalid')
    return { entry: first.entry, count: Math.min(limit, first.count) };
  let count = first.count;
  // A run goes on in the next cluster only from the end of one: each step takes a whole entry.
  while (count < limit && (unit + count) % SUBCLUSTERS === 0 && ++at < entryCount) {
    const next = clusterAt(table, at, 0, geometry);
    if (!follows(first.entry, next.entry, count * subclusterSize)) break;
    count += next.count;
  }
  return { entry: first.entry, count: Math.min(limit, count) };
}

/** Whole extended entries that a table of 8-byte words has. */
export function extendedEntryCount(table: MappingTable): number {
  return divideDown(table.entryCount, 2);
}

/** What subcluster `from` of entry `index` is, and how many of the same cluster are the same. */
function clusterAt(table: MappingTable, index: number, from: number, geometry: EntryGeometry): ClusterRun {
  const entry = unpackL2Entry(table.high(2 * index), table.low(2 * index), geometry);
  if (entry.kind === 'invalid') return { entry, count: 1 };
  const zeros = table.high(2 * index + 1);
  const allocated = table.low(2 * index + 1);
  const objection = bitmapObjection(entry, zeros, allocated);
  if (objection !== undefined) return { entry: { kind: 'invalid', expected: objection }, count: 1 };
  if (entry.kind === 'compressed') return { entry, count: SUBCLUSTERS - from };
  return {
    entry: subclusterEntry(entry, zeros, allocated, from, geometry),
    count: Math.min(equalBits(zeros, from), equalBits(allocated, from)),
  };
}

function bitmapObjection(entry: L2Entry, zeros: number, allocated: number): string | undefined {
  if (entry.kind === 'compressed')
    return zeros === 0 && allocated === 0 ? undefined : 'no subcluster bitmap with a compressed cluster';
  if (entry.kind === 'unallocated' && allocated !== 0) return 'no allocated subcluster without a cluster';
  return hasCommonBit(zeros, allocated) ? 'each subcluster allocated or zero, not both' : undefined;
}

function subclusterEntry(
  cluster: L2Entry,
  zeros: number,
  allocated: number,
  from: number,
  geometry: EntryGeometry,
): L2Entry {
  // A subcluster may read as zeros, or be the backing file's, in a cluster that has its place.
  if (hasBit(zeros, from)) return { kind: 'zero', hostOffset: 0 };
  if (cluster.kind !== 'data' || !hasBit(allocated, from)) return { kind: 'unallocated' };
  return { kind: 'data', hostOffset: cluster.hostOffset + from * (geometry.clusterSize / SUBCLUSTERS) };
}

/** Whether `next` says the same as `first`, whose run is `distance` bytes long so far. */
function follows(first: L2Entry, next: L2Entry, distance: number): boolean {
  if (first.kind === 'data') return next.kind === 'data' && next.hostOffset === first.hostOffset + distance;
  return first.kind === next.kind;
}
