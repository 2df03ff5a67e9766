import { LRUCache } from 'lru-cache';
import { clamp, divideDown, divideUp } from '../../../bytes/rounding.ts';
import { viewOf } from '../../../bytes/struct.ts';
import { readBytes, type WritableBlockDevice } from '../../../device/block-device.ts';
import { corrupt } from '../../../errors.ts';
import { invalid, type Qcow2Header } from '../header.ts';
import { ENTRY_BYTES } from '../table-entries.ts';
import { RefcountBlock } from './refcount-block.ts';

/** QEMU's limit on the refcount table, in bytes. */
export const MAX_REFCOUNT_TABLE_BYTES = 8 * 1024 * 1024;
/** Memory for refcount blocks that are not waiting to be written, in bytes. */
const CACHE_BYTES = 8 * 1024 * 1024;
const MAX_BLOCKS = 4096;
/** Only whole sectors of a block are written: a crash tears it between them. */
const SECTOR_BYTES = 512;

interface DirtyBlock {
  readonly block: RefcountBlock;
  /** The bytes of it that the file does not have yet. */
  from: number;
  to: number;
}

/**
 * The reference counts of an image: the table in memory, blocks read as they are asked for and written when `writeBlocks` is
 * called. Never below the references that the file may have, so that a block may be written at any time; a table entry only
 * after the block that it points to is durable.
 */
export class Refcounts {
  /** Clusters that one block counts. */
  readonly clustersPerBlock: number;
  tableOffset: number;
  /** Offsets of the blocks in the file; 0 where there is none, and all its counts are 0. */
  #table: Float64Array;
  #lastBlock: number;
  readonly #file: WritableBlockDevice;
  readonly #clusterSize: number;
  readonly #refcountBits: number;
  readonly #blocks: LRUCache<number, RefcountBlock>;
  readonly #dirty = new Map<number, DirtyBlock>();
  /** Entries of the table that the file does not have yet. */
  readonly #newEntries = new Set<number>();

  private constructor(file: WritableBlockDevice, header: Qcow2Header, table: Float64Array) {
    this.#file = file;
    this.#clusterSize = header.clusterSize;
    this.#refcountBits = header.refcountBits;
    this.clustersPerBlock = (header.clusterSize * 8) / header.refcountBits;
    this.tableOffset = header.refcountTableOffset;
    this.#table = table;
    this.#lastBlock = lastUsed(table);
    this.#blocks = new LRUCache({ max: clamp(divideDown(CACHE_BYTES, header.clusterSize), 4, MAX_BLOCKS) });
  }

  /** Reads the refcount table. CORRUPT when it or a block that it points to is not whole inside the file. */
  static async open(file: WritableBlockDevice, header: Qcow2Header): Promise<Refcounts> {
    const { clusterSize, refcountTableOffset: offset, refcountTableClusters: clusters } = header;
    const length = clusters * clusterSize;
    if (clusters === 0 || length > MAX_REFCOUNT_TABLE_BYTES) {
      throw invalid('refcountTableClusters', `1 to ${MAX_REFCOUNT_TABLE_BYTES / clusterSize}`, clusters);
    }
    if (offset === 0 || offset % clusterSize !== 0 || offset + length > file.size) {
      throw invalid(
        'refcountTableOffset',
        `a table of ${length} bytes inside the file, at a cluster's beginning`,
        offset,
      );
    }
    const view = viewOf(await readBytes(file, offset, length));
    const table = new Float64Array(length / ENTRY_BYTES);
    for (let index = 0; index < table.length; index++) {
      const word = view.getBigUint64(index * ENTRY_BYTES);
      const block = Number(word);
      if (word % BigInt(clusterSize) !== 0n || block >= file.size) {
        throw corrupt({
          layer: 'qcow2',
          structure: `refcount table entry ${index}`,
          offset: offset + index * ENTRY_BYTES,
          expected: `a multiple of ${clusterSize} inside the file of ${file.size} bytes`,
          found: `0x${word.toString(16)}`,
        });
      }
      table[index] = block;
    }
    return new Refcounts(file, header, table);
  }

  get tableEntryCount(): number {
    return this.#table.length;
  }

  get tableClusters(): number {
    return divideUp(this.#table.length * ENTRY_BYTES, this.#clusterSize);
  }

  /** The last block that there is: every cluster that the following ones would count is free. */
  get lastBlock(): number {
    return this.#lastBlock;
  }

  get dirtyBytes(): number {
    return this.#dirty.size * this.#clusterSize;
  }

  get hasNewEntries(): boolean {
    return this.#newEntries.size > 0;
  }

  /** Where the blocks lie in the file. */
  blockOffsets(): Float64Array {
    return this.#table.filter((offset) => offset !== 0);
  }

  /** The block with number `index`; undefined when there is none. */
  async block(index: number): Promise<RefcountBlock | undefined> {
    const offset = this.#table[index] ?? 0;
    if (offset === 0) return undefined;
    const kept = this.#dirty.get(index)?.block ?? this.#blocks.get(index);
    if (kept !== undefined) return kept;
    const bytes = new Uint8Array(this.#clusterSize);
    // A file may end inside its last cluster; the rest of that is zeros.
    await this.#file.readInto(bytes.subarray(0, Math.min(bytes.length, this.#file.size - offset)), offset);
    const block = new RefcountBlock(bytes, this.#refcountBits);
    this.#blocks.set(index, block);
    return block;
  }

  async get(cluster: number): Promise<number> {
    const block = await this.block(divideDown(cluster, this.clustersPerBlock));
    return block?.get(cluster % this.clustersPerBlock) ?? 0;
  }

  /** Sets one count in a block that was just asked for. */
  set(index: number, block: RefcountBlock, within: number, count: number): void {
    block.set(within, count);
    const at = block.byteOf(within);
    this.#markDirty(index, block, at - (at % SECTOR_BYTES), at - (at % SECTOR_BYTES) + SECTOR_BYTES);
  }

  #markDirty(index: number, block: RefcountBlock, from: number, to: number): void {
    const dirty = this.#dirty.get(index);
    if (dirty === undefined) this.#dirty.set(index, { block, from, to });
    else {
      dirty.from = Math.min(dirty.from, from);
      dirty.to = Math.max(dirty.to, to);
    }
  }

  /** A new block of zeros at `hostOffset`; the table must have room for it. */
  addBlock(index: number, hostOffset: number): RefcountBlock {
    const block = new RefcountBlock(new Uint8Array(this.#clusterSize), this.#refcountBits);
    this.#table[index] = hostOffset;
    this.#lastBlock = Math.max(this.#lastBlock, index);
    this.#newEntries.add(index);
    this.#markDirty(index, block, 0, this.#clusterSize);
    return block;
  }

  /** Writes what changed in blocks. */
  async writeBlocks(): Promise<void> {
    for (const [index, dirty] of this.#dirty) {
      const { block, from, to } = dirty;
      await this.#file.writeFrom(block.bytes.subarray(from, to), this.#table[index]! + from);
      this.#dirty.delete(index);
      this.#blocks.set(index, block);
    }
  }

  /** Writes the table's new entries; the blocks that they point to must be durable. */
  async writeEntries(): Promise<void> {
    for (const index of this.#newEntries) {
      const entry = new Uint8Array(ENTRY_BYTES);
      viewOf(entry).setBigUint64(0, BigInt(this.#table[index]!));
      await this.#file.writeFrom(entry, this.tableOffset + index * ENTRY_BYTES);
      this.#newEntries.delete(index);
    }
  }

  /** Room for `entryCount` entries in memory; `moved` says where the file has the table now. */
  enlargeTable(entryCount: number): void {
    const table = new Float64Array(entryCount);
    table.set(this.#table);
    this.#table = table;
  }

  /** The whole table as the file is to have it. */
  tableBytes(): Uint8Array {
    const bytes = new Uint8Array(this.#table.length * ENTRY_BYTES);
    const view = viewOf(bytes);
    this.#table.forEach((offset, index) => {
      view.setBigUint64(index * ENTRY_BYTES, BigInt(offset));
    });
    return bytes;
  }

  /** The file has the whole table at `tableOffset`, and its header says so. */
  moved(tableOffset: number): void {
    this.tableOffset = tableOffset;
    this.#newEntries.clear();
  }
}

function lastUsed(table: Float64Array): number {
  return table.findLastIndex((offset) => offset !== 0);
}
