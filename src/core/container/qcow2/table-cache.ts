import { LRUCache } from 'lru-cache';
import { clamp, divideDown } from '../../bytes/rounding.ts';
import { type BlockDevice, readBytes } from '../../device/block-device.ts';
import { MappingTable } from './mapping-table.ts';

/** Memory for L2 tables per image, in bytes, whatever the image's size: 128 GiB of disk with clusters of 64 KiB, 4 TiB with 2 MiB. */
const L2_CACHE_BYTES = 16 * 1024 * 1024;
/** Tables of 512 bytes cost more in bookkeeping than in bytes. */
const MAX_TABLES = 8192;

/** Where a container has its L2 tables from. */
export interface TableSource {
  /** The table at `hostOffset`, which must lie inside the file; a table that the file's end cuts has fewer entries. */
  load(hostOffset: number): Promise<MappingTable>;
  clear(): void;
}

/** L2 tables by their offset in the image file, each read whole and once for all that wait for it. */
export class TableCache implements TableSource {
  readonly #file: BlockDevice;
  readonly #tableBytes: number;
  readonly #tables: LRUCache<number, MappingTable>;
  readonly #pending = new Map<number, Promise<MappingTable>>();

  constructor(file: BlockDevice, tableBytes: number) {
    this.#file = file;
    this.#tableBytes = tableBytes;
    this.#tables = new LRUCache({ max: clamp(divideDown(L2_CACHE_BYTES, tableBytes), 1, MAX_TABLES) });
  }

  async load(hostOffset: number): Promise<MappingTable> {
    const kept = this.#tables.get(hostOffset);
    if (kept !== undefined) return kept;
    let pending = this.#pending.get(hostOffset);
    if (pending === undefined) {
      pending = this.#read(hostOffset).finally(() => this.#pending.delete(hostOffset));
      this.#pending.set(hostOffset, pending);
    }
    return pending;
  }

  async #read(hostOffset: number): Promise<MappingTable> {
    const length = Math.min(this.#tableBytes, this.#file.size - hostOffset);
    const table = new MappingTable(await readBytes(this.#file, hostOffset, length), hostOffset);
    this.#tables.set(hostOffset, table);
    return table;
  }

  /** Keeps a table that came from elsewhere than `load`, in place of what was kept for its offset. */
  keep(table: MappingTable): void {
    this.#tables.set(table.hostOffset, table);
  }

  clear(): void {
    this.#tables.clear();
  }
}
