import { divideDown } from '../../bytes/rounding.ts';
import { viewOf } from '../../bytes/struct.ts';
import { BAT_ENTRY_BYTES, type BatEntry, PAYLOAD_BLOCK, unpackBatEntry } from './block-allocation-table.ts';

/** `count` payload blocks in a row that say the same: `entry` is the first one's; where it has a place, the others follow on it. */
export interface BlockRun {
  readonly entry: BatEntry;
  readonly count: number;
}

/** A piece of the BAT as it was read: entries are unpacked as they are asked for. */
export class BatPage {
  /** The number of its first entry in the whole table. */
  readonly firstIndex: number;
  /** Entries that are there: fewer than a page has when the file ends inside it. */
  readonly entryCount: number;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, firstIndex: number) {
    this.firstIndex = firstIndex;
    this.entryCount = divideDown(bytes.length, BAT_ENTRY_BYTES);
    this.#view = viewOf(bytes);
  }

  holds(index: number): boolean {
    return index >= this.firstIndex && index < this.firstIndex + this.entryCount;
  }

  entry(index: number): BatEntry {
    const at = (index - this.firstIndex) * BAT_ENTRY_BYTES;
    return unpackBatEntry(this.#view.getUint32(at + 4, true), this.#view.getUint32(at, true));
  }

  /** The entry's 64 bits as errors print them. */
  hex(index: number): string {
    const word = this.#view.getBigUint64((index - this.firstIndex) * BAT_ENTRY_BYTES, true);
    return `0x${word.toString(16).padStart(16, '0')}`;
  }

  /** The run that begins at entry `index`, of at most `limit` entries, which must all be of payload blocks: one compare an entry. */
  run(index: number, limit: number, blockSize: number): BlockRun {
    const entry = this.entry(index);
    if (entry.state === PAYLOAD_BLOCK.partiallyPresent) return { entry, count: 1 };
    const hasPlace = entry.state !== PAYLOAD_BLOCK.notPresent && entry.state !== PAYLOAD_BLOCK.zero;
    const step = hasPlace && entry.fileOffset !== 0 ? blockSize : 0;
    const start = (index - this.firstIndex) * BAT_ENTRY_BYTES;
    const end = Math.min(start + limit * BAT_ENTRY_BYTES, this.entryCount * BAT_ENTRY_BYTES);
    let low = this.#view.getUint32(start, true);
    let high = this.#view.getUint32(start + 4, true);
    let at = start + BAT_ENTRY_BYTES;
    for (; at < end; at += BAT_ENTRY_BYTES) {
      low += step;
      if (low >= 0x1_0000_0000) {
        low -= 0x1_0000_0000;
        high += 1;
      }
      if (this.#view.getUint32(at, true) !== low || this.#view.getUint32(at + 4, true) !== high) break;
    }
    return { entry, count: (at - start) / BAT_ENTRY_BYTES };
  }
}
