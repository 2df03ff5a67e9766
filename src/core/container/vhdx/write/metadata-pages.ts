import { LRUCache } from 'lru-cache';
import { fillBits, joinHalves64 } from '../../../bytes/bits.ts';
import { roundDown } from '../../../bytes/rounding.ts';
import { viewOf } from '../../../bytes/struct.ts';
import { type BlockDevice, readBytes } from '../../../device/block-device.ts';
import { LOG_SECTOR_BYTES } from '../log-entry.ts';
import type { LogChange } from './log-entry-bytes.ts';
import type { LogWriter } from './log-writer.ts';

const PAGE_BYTES = LOG_SECTOR_BYTES;
/** Pages kept when they are not changed: 1 MiB. */
const MAX_KEPT_PAGES = 256;

/**
 * The structures of a file that is written to, in pages of 4 KiB, as the log changes them. Edits are seen by reads at once
 * and reach the file with `commit`, together. Not for the header section, and only for pages inside the file.
 */
export class MetadataPages {
  readonly #file: BlockDevice;
  readonly #log: LogWriter;
  /** As in the file. */
  readonly #kept = new LRUCache<number, Uint8Array>({ max: MAX_KEPT_PAGES });
  /** Edited and not committed, by their place in the file. */
  readonly #edited = new Map<number, Uint8Array>();

  constructor(file: BlockDevice, log: LogWriter) {
    this.#file = file;
    this.#log = log;
  }

  /** Pages that the next commit takes to the log. */
  get editedCount(): number {
    return this.#edited.size;
  }

  /** The 64-bit little-endian word at `offset`, a multiple of 8. */
  async readWord(offset: number): Promise<{ readonly high: number; readonly low: number }> {
    const start = roundDown(offset, PAGE_BYTES);
    const view = viewOf(this.#edited.get(start) ?? (await this.#load(start)));
    return { low: view.getUint32(offset - start, true), high: view.getUint32(offset - start + 4, true) };
  }

  async writeWord(offset: number, word: bigint): Promise<void> {
    const { high, low } = await this.readWord(offset);
    if (joinHalves64(high, low) === word) return;
    const start = roundDown(offset, PAGE_BYTES);
    viewOf(await this.#edit(start)).setBigUint64(offset - start, word, true);
  }

  /** Replaces bytes at `offset`, which may span pages; pages that stay the same are not edited. */
  async writeBytes(offset: number, bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const start = roundDown(offset + done, PAGE_BYTES);
      const within = offset + done - start;
      const part = bytes.subarray(done, done + PAGE_BYTES - within);
      const page = this.#edited.get(start) ?? (await this.#load(start));
      if (Buffer.compare(page.subarray(within, within + part.length), part) !== 0)
        (await this.#edit(start)).set(part, within);
      done += part.length;
    }
  }

  /** Gives `count` bits from bit `from` of the bitmap at `offset`, a multiple of 4 KiB, the value `set`. */
  async fillBits(offset: number, from: number, count: number, set: boolean): Promise<void> {
    const pageBits = PAGE_BYTES * 8;
    for (let bit = from; bit < from + count; ) {
      const within = bit % pageBits;
      const run = Math.min(pageBits - within, from + count - bit);
      const start = offset + (bit - within) / 8;
      const page = (this.#edited.get(start) ?? (await this.#load(start))).slice();
      fillBits(page, within, run, set);
      await this.writeBytes(start, page);
      bit += run;
    }
  }

  async #load(start: number): Promise<Uint8Array> {
    const kept = this.#kept.get(start);
    if (kept !== undefined) return kept;
    const page = await readBytes(this.#file, start, PAGE_BYTES);
    this.#kept.set(start, page);
    return page;
  }

  async #edit(start: number): Promise<Uint8Array> {
    let page = this.#edited.get(start);
    if (page === undefined) {
      page = (await this.#load(start)).slice();
      this.#edited.set(start, page);
    }
    return page;
  }

  /** Takes the edits to the file through the log; when one entry does not hold all, those where `isLast` says so come last. */
  async commit(isLast: (fileOffset: number) => boolean = () => false): Promise<void> {
    const pages = [...this.#edited].sort(
      ([left], [right]) => Number(isLast(left)) - Number(isLast(right)) || left - right,
    );
    try {
      if (pages.length > 0) await this.#log.commit(changesOf(pages));
      for (const [start, page] of pages) this.#kept.set(start, page);
    } catch (error) {
      // What the file holds for them now is not known.
      for (const [start] of pages) this.#kept.delete(start);
      throw error;
    } finally {
      this.#edited.clear();
    }
  }

  /** Forgets the edits. */
  drop(): void {
    this.#edited.clear();
  }
}

/** Pages as changes for the log; neighbours of zeros become one. */
function changesOf(pages: readonly (readonly [number, Uint8Array])[]): LogChange[] {
  const changes: LogChange[] = [];
  for (const [fileOffset, bytes] of pages) {
    const last = changes.at(-1);
    if (bytes.some((byte) => byte !== 0)) changes.push({ fileOffset, bytes });
    else if (last !== undefined && 'zeroLength' in last && last.fileOffset + last.zeroLength === fileOffset)
      changes[changes.length - 1] = { ...last, zeroLength: last.zeroLength + PAGE_BYTES };
    else changes.push({ fileOffset, zeroLength: PAGE_BYTES });
  }
  return changes;
}
