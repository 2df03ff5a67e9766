import { clearMask, hasBit, hasMask } from '../../../bytes/bits.ts';
import { divideDown, divideUp, roundDown } from '../../../bytes/rounding.ts';
import { corrupt, type DiskError } from '../../../errors.ts';
import type { Qcow2Header } from '../header.ts';
import type { MappingTable } from '../mapping-table.ts';
import { subclusterRun } from '../subcluster-run.ts';
import { type L2Entry, l2TableSpan, SUBCLUSTERS, unpackL2Entry } from '../table-entries.ts';
import type { ClusterSpan } from './cluster-allocator.ts';
import type { L2Tables } from './l2-tables.ts';
import { COPIED_BIT, ownEntry, UNALLOCATED_ENTRY, ZERO_ENTRY } from './pack-entries.ts';

/** What an L2 entry says of its cluster. One bit for each subcluster; a plain entry's cluster is one subcluster. */
export interface ClusterState {
  /** Where the cluster lies, in use or kept for it; 0 when it has no place of its own. */
  readonly hostOffset: number;
  readonly isCompressed: boolean;
  /** Nothing else points to the cluster at `hostOffset`. */
  readonly isOwn: boolean;
  /** The subclusters whose bytes are in the cluster. */
  readonly allocated: number;
  /** The subclusters that read as zeros; the others, which are in neither, are the backing file's. */
  readonly zeros: number;
  /** The clusters that the entry has a reference to. */
  readonly references: ClusterSpan | undefined;
}

/** Reads and changes L2 entries, plain and extended alike. */
export class ClusterEntries {
  /** Bytes of the disk that one table maps. */
  readonly tableSpan: number;
  /** Bytes that are allocated for themselves: a subcluster, or a cluster. */
  readonly unit: number;
  /** A bit for each subcluster of a cluster. */
  readonly all: number;
  readonly #header: Qcow2Header;
  readonly #tables: L2Tables;

  constructor(header: Qcow2Header, tables: L2Tables) {
    const subclusters = header.hasExtendedL2 ? SUBCLUSTERS : 1;
    this.tableSpan = l2TableSpan(header);
    this.unit = header.clusterSize / subclusters;
    this.all = 2 ** subclusters - 1;
    this.#header = header;
    this.#tables = tables;
  }

  /** Which entry of its table maps `guestOffset`. */
  indexOf(guestOffset: number): number {
    return divideDown(guestOffset % this.tableSpan, this.#header.clusterSize);
  }

  /** The bits of the subclusters that a range inside one cluster touches, in bytes from the cluster's beginning. */
  touched(from: number, to: number): number {
    const first = divideDown(from, this.unit);
    return (2 ** (divideUp(to, this.unit) - first) - 1) * 2 ** first;
  }

  /** The word of a table that entry `index` begins with. */
  #wordOf(index: number): number {
    return this.#header.hasExtendedL2 ? 2 * index : index;
  }

  /** The CORRUPT error of an entry whose cluster lies behind the end of a file of `fileSize` bytes. */
  lost(table: MappingTable, index: number, fileSize: number): DiskError {
    return badEntry('L2', table, this.#wordOf(index), `a data cluster inside the file of ${fileSize} bytes`);
  }

  /** CORRUPT for an entry that the specification does not allow. */
  state(table: MappingTable, index: number): ClusterState {
    const word = this.#wordOf(index);
    const entry = this.#entry(table, index, word);
    const isPlaced = entry.kind === 'data' || entry.kind === 'zero';
    const hostOffset = isPlaced ? entry.hostOffset : 0;
    const isExtended = this.#header.hasExtendedL2;
    return {
      hostOffset,
      isCompressed: entry.kind === 'compressed',
      isOwn: hostOffset !== 0 && hasBit(table.high(word), COPIED_BIT),
      allocated: isExtended ? table.low(word + 1) : entry.kind === 'data' ? 1 : 0,
      zeros: isExtended ? table.high(word + 1) : entry.kind === 'zero' ? 1 : 0,
      references: referencesOf(entry, this.#header.clusterSize),
    };
  }

  #entry(table: MappingTable, index: number, word: number): Exclude<L2Entry, { kind: 'invalid' }> {
    const entry = unpackL2Entry(table.high(word), table.low(word), this.#header);
    if (entry.kind === 'invalid') throw badEntry('L2', table, word, entry.expected);
    if (this.#header.hasExtendedL2) {
      const first = subclusterRun(table, index * SUBCLUSTERS, 1, this.#header).entry;
      if (first.kind === 'invalid') throw badEntry('L2', table, word, first.expected);
    }
    return entry;
  }

  /** The cluster at `hostOffset`, which is its own, with `touched` allocated besides what `before` has allocated there. */
  setOwn(table: MappingTable, index: number, hostOffset: number, touched: number, before?: ClusterState): void {
    if (!this.#header.hasExtendedL2) {
      this.#tables.set(table, index, ownEntry(hostOffset));
      return;
    }
    const { allocated, zeros } = before ?? { allocated: 0, zeros: 0 };
    this.#tables.set(table, 2 * index, ownEntry(hostOffset));
    const bitmap = { high: clearMask(zeros, touched), low: clearMask(allocated, touched) + touched };
    this.#tables.set(table, 2 * index + 1, bitmap);
  }

  /** The whole cluster reads as zeros and has no place (version 3 only). */
  setZero(table: MappingTable, index: number): void {
    if (!this.#header.hasExtendedL2) {
      this.#tables.set(table, index, ZERO_ENTRY);
      return;
    }
    this.#tables.set(table, 2 * index, UNALLOCATED_ENTRY);
    this.#tables.set(table, 2 * index + 1, { high: this.all, low: 0 });
  }

  /** The cluster has no place and is what the backing file has (plain entries only). */
  setUnallocated(table: MappingTable, index: number): void {
    this.#tables.set(table, index, UNALLOCATED_ENTRY);
  }

  /** Clears the COPIED flag of every entry: what they point to has another owner too. */
  clearCopied(table: MappingTable): void {
    const step = this.#header.hasExtendedL2 ? 2 : 1;
    for (let word = 0; word < table.entryCount; word += step) {
      table.set(word, clearMask(table.high(word), 2 ** COPIED_BIT), table.low(word));
    }
  }

  /** Whether everything that is touched has its bytes in the cluster. */
  holds({ allocated }: ClusterState, touched: number): boolean {
    return hasMask(allocated, touched);
  }
}

/** The clusters that an entry has a reference to; a compressed one to each that its bytes touch. */
function referencesOf(entry: L2Entry, clusterSize: number): ClusterSpan | undefined {
  if (entry.kind === 'compressed') {
    const first = roundDown(entry.hostOffset, clusterSize);
    return { hostOffset: first, count: divideUp(entry.hostOffset + entry.length - first, clusterSize) };
  }
  if (entry.kind !== 'data' && entry.kind !== 'zero') return undefined;
  return entry.hostOffset === 0 ? undefined : { hostOffset: entry.hostOffset, count: 1 };
}

/** The CORRUPT error of one word of a table. */
export function badEntry(level: 'L1' | 'L2', table: MappingTable, index: number, expected: string): DiskError {
  return corrupt({
    layer: 'qcow2',
    structure: `${level} table entry ${index}`,
    offset: table.entryOffset(index),
    expected,
    found: table.hex(index),
  });
}
