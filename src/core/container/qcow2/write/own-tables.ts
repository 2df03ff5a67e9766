import { hasBit } from '../../../bytes/bits.ts';
import { divideDown } from '../../../bytes/rounding.ts';
import type { MappingTable } from '../mapping-table.ts';
import { unpackL1Entry } from '../table-entries.ts';
import type { ClusterSpan } from './cluster-allocator.ts';
import { badEntry, type ClusterEntries } from './cluster-entries.ts';
import type { Metadata } from './metadata.ts';
import { COPIED_BIT, ownEntry } from './pack-entries.ts';

/** The L2 tables of the disk, by what they map; made or copied where one is to be changed. */
export class OwnTables {
  readonly #metadata: Metadata;
  readonly #entries: ClusterEntries;

  constructor(metadata: Metadata, entries: ClusterEntries) {
    this.#metadata = metadata;
    this.#entries = entries;
  }

  /** The table that maps `guestOffset`, only to be looked at; undefined when there is none. */
  async look(guestOffset: number): Promise<MappingTable | undefined> {
    const offset = this.#offset(guestOffset);
    return offset === undefined ? undefined : this.#metadata.l2Tables.load(offset);
  }

  #offset(guestOffset: number): number | undefined {
    const { l1Table, header, file } = this.#metadata;
    const index = divideDown(guestOffset, this.#entries.tableSpan);
    const entry = unpackL1Entry(l1Table.entries.high(index), l1Table.entries.low(index), header);
    if (entry.kind === 'invalid') throw badEntry('L1', l1Table.entries, index, entry.expected);
    if (entry.kind === 'unallocated') return undefined;
    if (entry.hostOffset < file.size) return entry.hostOffset;
    throw badEntry('L1', l1Table.entries, index, `an L2 table inside the file of ${file.size} bytes`);
  }

  /** The table that maps `guestOffset`, to be changed: made or copied first when it is missing or has another owner too. */
  async own(guestOffset: number): Promise<MappingTable> {
    const { allocator, l2Tables, l1Table, map, header } = this.#metadata;
    const index = divideDown(guestOffset, this.#entries.tableSpan);
    const offset = this.#offset(guestOffset);
    if (offset === undefined) {
      const { hostOffset } = await allocator.allocate(1);
      l1Table.set(index, ownEntry(hostOffset));
      return l2Tables.create(hostOffset, new Uint8Array(header.clusterSize));
    }
    const span: ClusterSpan = { hostOffset: offset, count: 1 };
    if (!hasBit(l1Table.entries.high(index), COPIED_BIT)) return this.#copy(index, span);
    await allocator.checkOwned(span);
    map.refuseTableOverlap(offset, 1);
    return l2Tables.load(offset);
  }

  async #copy(index: number, span: ClusterSpan): Promise<MappingTable> {
    const { allocator, l2Tables, l1Table, map } = this.#metadata;
    const shared = await l2Tables.load(span.hostOffset);
    const hasOtherOwner = await allocator.isShared(span.hostOffset);
    // Before a new one is looked for: what a damaged image counts as free may be this one.
    await allocator.leave(span);
    const { hostOffset } = await allocator.allocate(1).catch((error: unknown) => {
      allocator.stay([span]);
      throw error;
    });
    const table = l2Tables.create(hostOffset, shared.bytes.slice());
    // What two tables point to has at least two references.
    if (hasOtherOwner) this.#entries.clearCopied(table);
    else map.forgetTable(span.hostOffset);
    l1Table.set(index, ownEntry(hostOffset));
    return table;
  }
}
