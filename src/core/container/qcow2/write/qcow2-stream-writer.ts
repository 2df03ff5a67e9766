import { divideDown, divideUp, roundUp } from '../../../bytes/rounding.ts';
import type { ReadOptions, ResizableBlockDevice } from '../../../device/block-device.ts';
import { assert, unsupported } from '../../../errors.ts';
import type { SequentialWriter } from '../../sequential-writer.ts';
import type { CompressionType } from '../inflate-cluster.ts';
import { ENTRY_BYTES } from '../table-entries.ts';
import { AppendBuffer } from './append-buffer.ts';
import { buildHeader } from './build-header.ts';
import { checkGeometry } from './create.ts';
import { RefcountStream, STREAM_REFCOUNT_BITS } from './refcount-stream.ts';
import { TableBuilder } from './table-builder.ts';

export interface Qcow2StreamOptions {
  /** Bytes of the disk, a multiple of 512. */
  readonly virtualSize: number;
  /** Bytes, a power of two from 512 to 2 MiB. */
  readonly clusterSize: number;
  /** What the header announces; `zlib` also when nothing is compressed. */
  readonly compressionType: CompressionType;
}

/** Finished L2 tables wait for each other up to this many bytes: each batch cuts the stream of compressed clusters once. */
const TABLE_BATCH_BYTES = 1024 * 1024;
/** QEMU's limit on the refcount table, in bytes. */
const MAX_REFCOUNT_TABLE_BYTES = 8 * 1024 * 1024;

/**
 * A QCOW2 image (version 3) in one pass: clusters as they come, L2 tables and refcount blocks between them as they fill, L1
 * table and refcount table at the end, the header last of all. In memory are the L1 table and what has not filled yet.
 */
export class Qcow2StreamWriter implements SequentialWriter {
  readonly unitBytes: number;
  readonly #options: Qcow2StreamOptions;
  readonly #clusterBits: number;
  readonly #file: AppendBuffer;
  readonly #refcounts: RefcountStream;
  readonly #refcountTable: number[] = [];
  readonly #l1: TableBuilder;
  readonly #l1EntryCount: number;
  /** The L2 table that is being filled, and those that wait to be written. */
  #l2: { readonly l1Index: number; readonly table: TableBuilder } | undefined;
  #finishedTables: { readonly l1Index: number; readonly table: TableBuilder }[] = [];
  /** Where the next cluster of the file is taken: a multiple of the cluster size. */
  #end: number;
  /** Where the next compressed cluster begins, if it fits; a multiple of the cluster size when it begins a cluster of its own. */
  #packed = 0;

  /** Writes to a device that is empty. OUT_OF_RANGE for sizes that the format does not have. */
  constructor(device: ResizableBlockDevice, options: Qcow2StreamOptions) {
    const { clusterSize, virtualSize } = options;
    checkGeometry(virtualSize, clusterSize);
    this.unitBytes = clusterSize;
    this.#options = options;
    this.#clusterBits = Math.log2(clusterSize);
    this.#file = new AppendBuffer(device);
    this.#refcounts = new RefcountStream(clusterSize);
    this.#l1EntryCount = divideUp(virtualSize, clusterSize * (clusterSize / ENTRY_BYTES));
    this.#l1 = new TableBuilder(this.#l1EntryCount);
    this.#end = clusterSize;
    this.#refcounts.add(0, clusterSize);
  }

  /** Stores clusters as they are. */
  async write(bytes: Uint8Array, guestOffset: number, options?: ReadOptions): Promise<void> {
    const { clusterSize } = this.#options;
    assert(bytes.length % clusterSize === 0 && guestOffset % clusterSize === 0, 'whole clusters are written');
    const hostOffset = this.#allocate(bytes.length);
    for (let at = 0; at < bytes.length; at += clusterSize) {
      const { table, index } = this.#entry(guestOffset + at);
      table.setOwned(index, hostOffset + at);
    }
    if (bytes.length > clusterSize) await this.#file.writeThrough(bytes, hostOffset, options);
    else await this.#file.put(bytes, hostOffset, options);
    await this.#writeBatch(options);
  }

  /** Stores one cluster by its compressed bytes, which are fewer than a cluster. */
  async writeCompressed(bytes: Uint8Array, guestOffset: number, options?: ReadOptions): Promise<void> {
    const { table, index } = this.#entry(guestOffset);
    const hostOffset = this.#pack(bytes.length);
    table.setCompressed(index, hostOffset, bytes.length, this.#clusterBits);
    await this.#file.put(bytes, hostOffset, options);
    await this.#writeBatch(options);
  }

  /** The entry of a cluster of the disk; the table of what lies before it is finished. */
  #entry(guestOffset: number): { table: TableBuilder; index: number } {
    const entries = this.#options.clusterSize / ENTRY_BYTES;
    const cluster = divideDown(guestOffset, this.#options.clusterSize);
    const l1Index = divideDown(cluster, entries);
    if (this.#l2?.l1Index !== l1Index) {
      if (this.#l2 !== undefined) this.#finishedTables.push(this.#l2);
      this.#l2 = { l1Index, table: new TableBuilder(entries) };
    }
    return { table: this.#l2.table, index: cluster % entries };
  }

  #allocate(length: number): number {
    const hostOffset = this.#end;
    this.#end += roundUp(length, this.#options.clusterSize);
    this.#refcounts.add(hostOffset, length);
    return hostOffset;
  }

  /** Room for compressed bytes right behind the last ones, as long as it is contiguous; each cluster touched counts a reference. */
  #pack(length: number): number {
    const clusterEnd = roundUp(this.#packed, this.#options.clusterSize);
    const fits = this.#packed + length <= clusterEnd || clusterEnd === this.#end;
    const hostOffset = fits && !this.#refcounts.isFull(this.#packed) ? this.#packed : this.#end;
    this.#packed = hostOffset + length;
    this.#end = Math.max(this.#end, roundUp(this.#packed, this.#options.clusterSize));
    this.#refcounts.add(hostOffset, length);
    return hostOffset;
  }

  async #writeBatch(options?: ReadOptions): Promise<void> {
    if (this.#finishedTables.length * this.#options.clusterSize >= TABLE_BATCH_BYTES) await this.#writeTables(options);
  }

  /** Writes the L2 tables that are finished, and the refcount blocks whose counts are final: of all before the end of the file. */
  async #writeTables(options?: ReadOptions): Promise<void> {
    this.#packed = 0;
    for (const { l1Index, table } of this.#finishedTables.splice(0)) {
      const hostOffset = this.#allocate(table.bytes.length);
      this.#l1.setOwned(l1Index, hostOffset);
      await this.#file.put(table.bytes, hostOffset, options);
    }
    for (const { index, bytes } of this.#refcounts.takeBelow(this.#end)) {
      const hostOffset = this.#allocate(bytes.length);
      this.#refcountTable[index] = hostOffset;
      await this.#file.put(bytes, hostOffset, options);
    }
  }

  async finish(options?: ReadOptions): Promise<void> {
    if (this.#l2 !== undefined) this.#finishedTables.push(this.#l2);
    this.#l2 = undefined;
    await this.#writeTables(options);
    const { clusterSize, virtualSize, compressionType } = this.#options;
    const l1TableOffset = this.#l1EntryCount === 0 ? 0 : this.#allocate(this.#l1.bytes.length);
    if (l1TableOffset > 0) await this.#file.put(this.#l1.bytes, l1TableOffset, options);
    const { refcountTableOffset, refcountTableClusters } = await this.#writeRefcounts(options);
    const header = buildHeader({
      version: 3,
      clusterSize,
      virtualSize,
      l1TableOffset,
      l1EntryCount: this.#l1EntryCount,
      refcountTableOffset,
      refcountTableClusters,
      refcountBits: STREAM_REFCOUNT_BITS,
      compressionType,
    });
    await this.#file.finish(this.#end, options);
    await this.#file.writeThrough(header, 0, options);
  }

  /** The refcount table and the blocks that are left, which count themselves and the table too. */
  async #writeRefcounts(options?: ReadOptions) {
    const { clusterSize } = this.#options;
    const { countsPerBlock } = this.#refcounts;
    const written = this.#refcountTable.length;
    const end = this.#end;
    let blocks = 0;
    let tableClusters = 0;
    // Both only rise, and by less each time.
    for (let clusters = -1; clusters !== blocks + tableClusters; ) {
      clusters = blocks + tableClusters;
      const total = divideUp(end / clusterSize + clusters, countsPerBlock);
      blocks = total - written;
      tableClusters = divideUp(total * ENTRY_BYTES, clusterSize);
    }
    if (tableClusters * clusterSize > MAX_REFCOUNT_TABLE_BYTES) throw tooLarge(clusterSize);
    const refcountTableOffset = this.#allocate(tableClusters * clusterSize);
    const blocksOffset = this.#allocate(blocks * clusterSize);
    const table = new DataView(new ArrayBuffer(tableClusters * clusterSize));
    const last = this.#refcounts.takeBelow((written + blocks) * countsPerBlock * clusterSize);
    for (const [at, { index, bytes }] of last.entries()) {
      this.#refcountTable[index] = blocksOffset + at * clusterSize;
      await this.#file.put(bytes, this.#refcountTable[index]!, options);
    }
    for (const [index, offset] of this.#refcountTable.entries())
      table.setBigUint64(index * ENTRY_BYTES, BigInt(offset));
    await this.#file.put(new Uint8Array(table.buffer), refcountTableOffset, options);
    return { refcountTableOffset, refcountTableClusters: tableClusters };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file[Symbol.asyncDispose]();
  }
}

function tooLarge(clusterSize: number) {
  return unsupported({
    layer: 'qcow2',
    structure: 'refcount table',
    expected: `at most ${MAX_REFCOUNT_TABLE_BYTES} bytes, which is all that QEMU reads`,
    found: `a file that needs more with clusters of ${clusterSize}: take larger ones`,
  });
}
