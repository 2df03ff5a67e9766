import { divideUp } from '../../../bytes/rounding.ts';
import { bootSector32 } from '../boot-sector-32.ts';
import type { Claim } from '../cluster-claims.ts';
import { directoryEntry } from '../directory-entry.ts';
import type { FatTable } from '../fat-table.ts';
import type { Sink } from './fault.ts';
import type { ScannedEntry } from './scanned-entry.ts';

const FIELDS = directoryEntry.fields;

/** Tells what is wrong with the chain of a file or directory, but for clusters that it shares: those need the other owner. */
export function checkChain(entry: ScannedEntry, claim: Claim, table: FatTable, sink: Sink): void {
  const { clusterSize } = table.geometry;
  const tell: Tell = (code, structure, offset, message) =>
    sink({ severity: 'error', code, structure, offset, message, owners: [entry.path] });
  tellStop(entry, claim, table, tell);
  if (entry.isDirectory) {
    if (entry.size !== 0 && entry.offset !== undefined) {
      const message = `the directory has the size ${entry.size}, which must be 0`;
      tell('directory-size', 'directory entry', entry.offset + FIELDS.size.offset, message);
    }
    return;
  }
  const needed = divideUp(entry.size, clusterSize);
  if (claim.count === needed) return;
  const message = `the size of ${entry.size} bytes needs ${clusters(needed)}, and the chain has ${claim.count}`;
  const code = claim.count > needed ? 'chain-too-long' : 'chain-too-short';
  tell(code, 'directory entry', (entry.offset ?? 0) + FIELDS.size.offset, message);
}

type Tell = (code: string, structure: string, offset: number, message: string) => void;

function tellStop(entry: ScannedEntry, claim: Claim, table: FatTable, tell: Tell): void {
  const { stop, at, from, count } = claim;
  if (stop === 'end' || stop === 'claimed') return;
  const { structure, offset } = linkPlace(entry, claim, table);
  const code = from === 0 && stop === 'outside' ? 'first-cluster-outside' : CODES[stop];
  const after = from === 0 ? '' : `after ${clusters(count)} `;
  tell(code, structure, offset, `${after}the chain ${words(stop, at, table.geometry.maxCluster)}`);
}

const CODES = {
  free: 'chain-to-free-cluster',
  bad: 'chain-to-bad-cluster',
  outside: 'chain-to-outside',
  loop: 'chain-loop',
  cut: 'chain-cut',
} as const;

function words(stop: keyof typeof CODES, at: number, maxCluster: number): string {
  switch (stop) {
    case 'free':
      return `leads to cluster ${at}, which is free`;
    case 'bad':
      return `leads to cluster ${at}, which is marked bad`;
    case 'outside':
      return `leads to cluster ${at}, where there are those from 2 to ${maxCluster}`;
    case 'loop':
      return `comes back to its own cluster ${at}`;
    case 'cut':
      return `leads to cluster ${at}, whose entry is cut off with the FAT`;
  }
}

/** What tells the number at which a chain stopped: the entry of the cluster before, or what names the first one. */
export function linkPlace(
  entry: ScannedEntry,
  { from }: Claim,
  table: FatTable,
): { readonly structure: string; readonly offset: number } {
  if (from !== 0) return { structure: `FAT entry of cluster ${from}`, offset: table.entryOffset(from) };
  const structure = entry.offset === undefined ? 'boot sector rootCluster' : 'directory entry';
  return { structure, offset: firstClusterOffset(entry) };
}

/** Of the field that names the first cluster. */
export function firstClusterOffset({ offset }: ScannedEntry): number {
  return offset === undefined ? bootSector32.fields.rootCluster.offset : offset + FIELDS.firstClusterLow.offset;
}

export function clusters(count: number): string {
  return count === 1 ? '1 cluster' : `${count} clusters`;
}
