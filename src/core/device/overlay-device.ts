import { isZero } from '../bytes/is-zero.ts';
import { divideDown, roundDown } from '../bytes/rounding.ts';
import { DiskError } from '../errors.ts';
import {
  type BlockDevice,
  type ByteRange,
  checkRange,
  type ReadOptions,
  type ResizableBlockDevice,
} from './block-device.ts';

const PAGE_BYTES = 4096;
/** What an overlay may keep in memory unless told otherwise, in bytes. */
const DEFAULT_LIMIT_BYTES = 1024 ** 3;

export interface OverlayOptions {
  /** The overlay's own size in bytes; what lies past the end of the base reads as zeros. */
  readonly size?: number;
  /** The most memory that written pages may take, in bytes. */
  readonly limitBytes?: number;
}

/** Copy-on-write writes kept in memory over a read-only device: how dry runs and log replay work. The base is never written. */
export class OverlayDevice implements ResizableBlockDevice {
  readonly sectorSize: number;
  readonly #base: BlockDevice;
  #size: number;
  /** Bytes of the base that show: what a smaller size hid once reads as zeros afterwards. */
  #baseLength: number;
  readonly #limitPages: number;
  readonly #pages = new Map<number, Uint8Array>();

  constructor(base: BlockDevice, options: OverlayOptions = {}) {
    this.#base = base;
    this.#size = options.size ?? base.size;
    this.#baseLength = Math.min(base.size, this.#size);
    this.sectorSize = base.sectorSize;
    this.#limitPages = divideDown(options.limitBytes ?? DEFAULT_LIMIT_BYTES, PAGE_BYTES);
  }

  get size(): number {
    return this.#size;
  }

  async readInto(target: Uint8Array, offset: number, options?: ReadOptions): Promise<void> {
    checkRange(this, 'overlay', offset, target.length);
    const end = offset + target.length;
    let at = offset;
    while (at < end) {
      const page = this.#pages.get(divideDown(at, PAGE_BYTES));
      const stop =
        page === undefined ? this.#nextPageStart(at, end) : Math.min(end, roundDown(at, PAGE_BYTES) + PAGE_BYTES);
      const part = target.subarray(at - offset, stop - offset);
      if (page === undefined) await this.#readBase(part, at, options);
      else part.set(page.subarray(at % PAGE_BYTES, (at % PAGE_BYTES) + part.length));
      at = stop;
    }
  }

  /** The first written page after `at`, or `end`. */
  #nextPageStart(at: number, end: number): number {
    if (this.#pages.size === 0) return end;
    for (let start = roundDown(at, PAGE_BYTES) + PAGE_BYTES; start < end; start += PAGE_BYTES) {
      if (this.#pages.has(divideDown(start, PAGE_BYTES))) return start;
    }
    return end;
  }

  async #readBase(target: Uint8Array, offset: number, options?: ReadOptions): Promise<void> {
    const available = Math.min(target.length, Math.max(0, this.#baseLength - offset));
    if (available > 0) await this.#base.readInto(target.subarray(0, available), offset, options);
    target.fill(0, available);
  }

  async writeFrom(source: Uint8Array, offset: number, options?: ReadOptions): Promise<void> {
    checkRange(this, 'overlay', offset, source.length);
    let at = offset;
    while (at < offset + source.length) {
      const within = at % PAGE_BYTES;
      const length = Math.min(PAGE_BYTES - within, offset + source.length - at);
      const part = source.subarray(at - offset, at - offset + length);
      if (!this.#isThereAlready(part, at - within)) {
        const page = await this.#pageForWriting(at - within, length === PAGE_BYTES, options);
        page.set(part, within);
      }
      at += length;
    }
  }

  /** Zeros past the base, where nothing else was written: they take no memory, as in a file with holes. */
  #isThereAlready(part: Uint8Array, pageStart: number): boolean {
    return pageStart >= this.#baseLength && !this.#pages.has(divideDown(pageStart, PAGE_BYTES)) && isZero(part);
  }

  async #pageForWriting(start: number, whole: boolean, options?: ReadOptions): Promise<Uint8Array> {
    const index = divideDown(start, PAGE_BYTES);
    const kept = this.#pages.get(index);
    if (kept !== undefined) return kept;
    if (this.#pages.size >= this.#limitPages) {
      throw new DiskError('OUT_OF_RANGE', {
        layer: 'overlay',
        offset: start,
        expected: `at most ${this.#limitPages * PAGE_BYTES} bytes of changes in memory`,
        found: 'more',
      });
    }
    const page = new Uint8Array(PAGE_BYTES);
    if (!whole) await this.#readBase(page.subarray(0, Math.min(PAGE_BYTES, this.size - start)), start, options);
    // Another write may have made the page while this one read the base: its bytes must not be lost.
    const made = this.#pages.get(index);
    if (made !== undefined) return made;
    this.#pages.set(index, page);
    return page;
  }

  async resize(size: number): Promise<void> {
    this.#size = size;
    this.#baseLength = Math.min(this.#baseLength, size);
    for (const index of this.#pages.keys()) if (index * PAGE_BYTES >= size) this.#pages.delete(index);
    this.#pages.get(divideDown(size, PAGE_BYTES))?.fill(0, size % PAGE_BYTES);
  }

  async flush(): Promise<void> {}

  /** The ranges that differ from the base as far as writes tell, ascending, in whole pages clipped to the size. */
  changes(): ByteRange[] {
    const ranges: ByteRange[] = [];
    for (const index of [...this.#pages.keys()].sort((left, right) => left - right)) {
      const start = index * PAGE_BYTES;
      const length = Math.min(PAGE_BYTES, this.size - start);
      const last = ranges.at(-1);
      if (last !== undefined && last.start + last.length === start)
        ranges[ranges.length - 1] = { start: last.start, length: last.length + length };
      else ranges.push({ start, length });
    }
    return ranges;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#pages.clear();
  }
}
