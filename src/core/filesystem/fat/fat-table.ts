import { LRUCache } from 'lru-cache';
import { bitField } from '../../bytes/bits.ts';
import { divideDown, divideUp } from '../../bytes/rounding.ts';
import { viewOf } from '../../bytes/struct.ts';
import { type BlockDevice, type ReadOptions, readBytes } from '../../device/block-device.ts';
import { outOfRange } from '../../errors.ts';
import type { FatGeometry } from './geometry.ts';

/** Entries read and kept at once: even, so that pairs of 12-bit entries stay together. */
const ENTRIES_PER_PAGE = 16384;
/** At 64 KiB a page, 4 MiB at most. */
const MAX_PAGES = 64;

/** Entries that follow one another. */
export interface FatPage {
  /** The cluster that the first one is of. */
  readonly first: number;
  readonly entries: Uint32Array;
}

/** The active file allocation table, read in pages through a bounded cache. */
export class FatTable {
  readonly geometry: FatGeometry;
  readonly #device: BlockDevice;
  readonly #pages = new LRUCache<number, Uint32Array>({ max: MAX_PAGES });
  #lastIndex = -1;
  #lastPage = new Uint32Array(0);

  constructor(device: BlockDevice, geometry: FatGeometry) {
    this.#device = device;
    this.geometry = geometry;
  }

  /** The byte offset in the device where a cluster's entry begins. */
  entryOffset(cluster: number): number {
    return this.geometry.fatOffset + divideDown(cluster * this.geometry.entryBits, 8);
  }

  /** What `entry` gives, when it is in memory already: lets long chains be followed without waiting. */
  peek(cluster: number): number | undefined {
    const within = cluster % ENTRIES_PER_PAGE;
    const index = (cluster - within) / ENTRIES_PER_PAGE;
    if (index !== this.#lastIndex) {
      const page = this.#pages.get(index);
      if (page === undefined) return undefined;
      this.#remember(index, page);
    }
    return this.#lastPage[within];
  }

  /** The entry of a cluster; 28 bits on FAT32, whose top four are reserved. */
  async entry(cluster: number, options?: ReadOptions): Promise<number> {
    const within = cluster % ENTRIES_PER_PAGE;
    const index = (cluster - within) / ENTRIES_PER_PAGE;
    const page = this.#pages.get(index) ?? (await this.#load(index, options));
    this.#remember(index, page);
    const value = page[within];
    if (value !== undefined) return value;
    throw outOfRange({
      layer: 'fat',
      structure: `FAT entry of cluster ${cluster}`,
      offset: this.entryOffset(cluster),
      expected: `a place inside the ${this.#device.size} bytes of the device`,
      found: 'the end of the device',
    });
  }

  /** The whole table in order, a page at a time; one that ends before the last cluster is a table that was cut off. */
  async *pages(options?: ReadOptions): AsyncGenerator<FatPage, void> {
    const entries = this.geometry.maxCluster + 1;
    for (let first = 0; first < entries; first += ENTRIES_PER_PAGE) {
      options?.signal?.throwIfAborted();
      const page = await this.#load(first / ENTRIES_PER_PAGE, options);
      const count = Math.min(ENTRIES_PER_PAGE, entries - first);
      yield { first, entries: page.length > count ? page.subarray(0, count) : page };
      if (page.length < count) return;
    }
  }

  /** How many clusters are free; reads the whole table. */
  async countFree(options?: ReadOptions): Promise<number> {
    const entries = this.geometry.maxCluster + 1;
    let free = 0;
    for (let first = 0; first < entries; first += ENTRIES_PER_PAGE) {
      await this.entry(Math.min(first + ENTRIES_PER_PAGE, entries) - 1, options);
      const last = Math.min(ENTRIES_PER_PAGE, entries - first);
      for (let at = first === 0 ? 2 : 0; at < last; at++) if (this.#lastPage[at] === 0) free++;
    }
    return free;
  }

  #remember(index: number, page: Uint32Array): void {
    this.#lastIndex = index;
    this.#lastPage = page as Uint32Array<ArrayBuffer>;
  }

  async #load(index: number, options?: ReadOptions): Promise<Uint32Array> {
    const { fatOffset, fatBytes, entryBits, maxCluster } = this.geometry;
    const start = divideDown(index * ENTRIES_PER_PAGE * entryBits, 8);
    const wanted = Math.min(ENTRIES_PER_PAGE, maxCluster + 1 - index * ENTRIES_PER_PAGE);
    // A truncated image may end inside its FAT: the entries that are there can still be read.
    const there = Math.max(0, Math.min(fatBytes, this.#device.size - fatOffset) - start);
    const length = Math.min(divideUp(wanted * entryBits, 8), there);
    const bytes = length === 0 ? new Uint8Array(0) : await readBytes(this.#device, fatOffset + start, length, options);
    const page = decodeEntries(bytes, entryBits);
    this.#pages.set(index, page);
    return page;
  }
}

/** FAT specification section 4.1; a trailing part of an entry is left out. */
function decodeEntries(bytes: Uint8Array, entryBits: 12 | 16 | 32): Uint32Array {
  const view = viewOf(bytes);
  const entries = new Uint32Array(divideDown(bytes.length * 8, entryBits));
  if (entryBits === 32) {
    for (let at = 0; at < entries.length; at++) entries[at] = bitField(view.getUint32(at * 4, true), 0, 28);
  } else if (entryBits === 16) {
    for (let at = 0; at < entries.length; at++) entries[at] = view.getUint16(at * 2, true);
  } else {
    for (let at = 0; at < entries.length; at++) {
      const word = view.getUint16(divideDown(at * 3, 2), true);
      entries[at] = at % 2 === 0 ? bitField(word, 0, 12) : bitField(word, 4, 12);
    }
  }
  return entries;
}
