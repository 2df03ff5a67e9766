import { roundUp } from '../../../bytes/rounding.ts';
import type { WritableBlockDevice } from '../../../device/block-device.ts';
import { readL1Table } from '../disk-state.ts';
import type { Qcow2Header } from '../header.ts';
import type { MappingTable } from '../mapping-table.ts';
import { ENTRY_BYTES } from '../table-entries.ts';
import type { EntryHalves } from './pack-entries.ts';

/** Entries that lie so near are written together: a sector of them. */
const SECTOR_ENTRIES = 512 / ENTRY_BYTES;

/** The active L1 table, whole and in memory: at most 32 MiB, as the header was checked for. */
export class L1Table {
  /** What readers look at: always the present state. */
  readonly entries: MappingTable;
  readonly #file: WritableBlockDevice;
  readonly #dirty = new Set<number>();

  constructor(file: WritableBlockDevice, entries: MappingTable) {
    this.#file = file;
    this.entries = entries;
  }

  static async open(file: WritableBlockDevice, header: Qcow2Header): Promise<L1Table> {
    return new L1Table(file, await readL1Table(file, header.l1TableOffset, header.l1EntryCount));
  }

  get dirtyCount(): number {
    return this.#dirty.size;
  }

  set(index: number, { high, low }: EntryHalves): void {
    this.entries.set(index, high, low);
    this.#dirty.add(index);
  }

  /** Writes what changed; the L2 tables that it points to must be durable, and their counts. */
  async writeChanges(): Promise<void> {
    const indexes = [...this.#dirty].sort((left, right) => left - right);
    for (let at = 0; at < indexes.length; ) {
      const first = indexes[at]!;
      const sectorEnd = roundUp(first + 1, SECTOR_ENTRIES);
      let next = at + 1;
      while (next < indexes.length && indexes[next]! < sectorEnd) next++;
      const bytes = this.entries.bytes.subarray(first * ENTRY_BYTES, (indexes[next - 1]! + 1) * ENTRY_BYTES);
      await this.#file.writeFrom(bytes, this.entries.entryOffset(first));
      for (; at < next; at++) this.#dirty.delete(indexes[at]!);
    }
  }
}
