import { roundUp } from '../../../bytes/rounding.ts';
import type { WritableBlockDevice } from '../../../device/block-device.ts';
import { MappingTable } from '../mapping-table.ts';
import { TableCache, type TableSource } from '../table-cache.ts';
import { ENTRY_BYTES } from '../table-entries.ts';
import type { EntryHalves } from './pack-entries.ts';

/** Only whole sectors of a table are written: a crash tears it between them. */
const SECTOR_BYTES = 512;

interface DirtyTable {
  readonly table: MappingTable;
  /** Nothing in the file points to it yet: it may be written before what it points to. */
  readonly isNew: boolean;
  /** The bytes of it that the file does not have yet. */
  from: number;
  to: number;
}

/** L2 tables that can be changed; what the file does not have yet is kept, however small the cache. */
export class L2Tables implements TableSource {
  readonly #file: WritableBlockDevice;
  readonly #tableBytes: number;
  readonly #cache: TableCache;
  readonly #dirty = new Map<number, DirtyTable>();
  /** The last one asked for: a caller that waits in between must not come to change another copy. */
  #last: MappingTable | undefined;

  constructor(file: WritableBlockDevice, tableBytes: number) {
    this.#file = file;
    this.#tableBytes = tableBytes;
    this.#cache = new TableCache(file, tableBytes);
  }

  get dirtyCount(): number {
    return this.#dirty.size;
  }

  get dirtyBytes(): number {
    return this.#dirty.size * this.#tableBytes;
  }

  async load(hostOffset: number): Promise<MappingTable> {
    if (this.#last?.hostOffset === hostOffset) return this.#last;
    const table = this.#dirty.get(hostOffset)?.table ?? (await this.#cache.load(hostOffset));
    this.#last = table;
    return table;
  }

  /** A table that the file does not have: all of `bytes`, at a cluster that was allocated for it. */
  create(hostOffset: number, bytes: Uint8Array): MappingTable {
    const table = new MappingTable(bytes, hostOffset);
    this.#dirty.set(hostOffset, { table, isNew: true, from: 0, to: bytes.length });
    this.#cache.keep(table);
    this.#last = table;
    return table;
  }

  set(table: MappingTable, index: number, { high, low }: EntryHalves): void {
    table.set(index, high, low);
    const at = index * ENTRY_BYTES;
    const from = at - (at % SECTOR_BYTES);
    const to = roundUp(at + ENTRY_BYTES, SECTOR_BYTES);
    const dirty = this.#dirty.get(table.hostOffset);
    if (dirty === undefined) this.#dirty.set(table.hostOffset, { table, isNew: false, from, to });
    else {
      dirty.from = Math.min(dirty.from, from);
      dirty.to = Math.max(dirty.to, to);
    }
  }

  /** Writes the tables that nothing points to yet. They stay new until `linkNew`. */
  async writeNew(): Promise<void> {
    for (const { table, isNew } of this.#dirty.values()) {
      if (isNew) await this.#file.writeFrom(table.bytes, table.hostOffset);
    }
  }

  /** From now on something in the file may point to the new tables, which it has. */
  linkNew(): void {
    for (const [hostOffset, { table, isNew }] of this.#dirty) {
      if (isNew) this.#clean(hostOffset, table);
    }
  }

  /** Writes what changed in tables that the file has: what their entries point to must be durable, and its counts. */
  async writeChanges(): Promise<void> {
    for (const [hostOffset, { table, from, to }] of this.#dirty) {
      await this.#file.writeFrom(table.bytes.subarray(from, to), hostOffset + from);
      this.#clean(hostOffset, table);
    }
  }

  #clean(hostOffset: number, table: MappingTable): void {
    this.#dirty.delete(hostOffset);
    this.#cache.keep(table);
  }

  clear(): void {
    this.#cache.clear();
    this.#last = undefined;
  }
}
