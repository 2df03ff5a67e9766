import { viewOf } from '../../bytes/struct.ts';
import { ENTRY_BYTES } from './table-entries.ts';

/** An L1 or L2 table as it was read: entries are unpacked one by one as they are asked for. */
export class MappingTable {
  /** Where the table begins in the image file, in bytes. */
  readonly hostOffset: number;
  /** Entries that are there: fewer than the table should have when the file ends inside it. */
  readonly entryCount: number;
  /** The table as it stands in the file; writing changes it by `set` only. */
  readonly bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, hostOffset: number) {
    this.bytes = bytes;
    this.#view = viewOf(bytes);
    this.hostOffset = hostOffset;
    this.entryCount = Math.floor(bytes.length / ENTRY_BYTES);
  }

  /** Bits 32 to 63 of entry `index`. */
  high(index: number): number {
    return this.#view.getUint32(index * ENTRY_BYTES);
  }

  /** Bits 0 to 31 of entry `index`. */
  low(index: number): number {
    return this.#view.getUint32(index * ENTRY_BYTES + 4);
  }

  /** Changes entry `index` in memory: bits 32 to 63, and 0 to 31. */
  set(index: number, high: number, low: number): void {
    this.#view.setUint32(index * ENTRY_BYTES, high);
    this.#view.setUint32(index * ENTRY_BYTES + 4, low);
  }

  /** Where entry `index` stands in the image file. */
  entryOffset(index: number): number {
    return this.hostOffset + index * ENTRY_BYTES;
  }

  /** The entry's 64 bits as errors print them. */
  hex(index: number): string {
    return `0x${this.#view
      .getBigUint64(index * ENTRY_BYTES)
      .toString(16)
      .padStart(16, '0')}`;
  }
}
