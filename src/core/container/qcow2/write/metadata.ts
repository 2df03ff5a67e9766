import { divideUp, roundUp } from '../../../bytes/rounding.ts';
import type { ResizableBlockDevice } from '../../../device/block-device.ts';
import { ioError } from '../../../errors.ts';
import { headerV3, type Qcow2Header } from '../header.ts';
import { MappingTable } from '../mapping-table.ts';
import { ENTRY_BYTES, unpackL1Entry } from '../table-entries.ts';
import { ClusterAllocator } from './cluster-allocator.ts';
import { L1Table } from './l1-table.ts';
import { L2Tables } from './l2-tables.ts';
import { MetadataMap } from './metadata-map.ts';
import { Refcounts } from './refcounts.ts';

/** What may wait in memory before it is written without being asked for: bytes of tables, and clusters to be freed. */
const MAX_DIRTY_BYTES = 8 * 1024 * 1024;
const MAX_DIRTY_TABLES = 4096;
const MAX_LEAVING = 64 * 1024;

/**
 * The tables of an image that is written to, and the order in which they reach the file. Data goes to the file at once; tables
 * wait in memory for `commit`. What is on disk after a crash is then always whole: a table never points to what is not durable,
 * a cluster is not used again before the last pointer to it has durably gone, and a count is never too low.
 */
export class Metadata {
  readonly file: ResizableBlockDevice;
  readonly header: Qcow2Header;
  readonly l2Tables: L2Tables;
  readonly allocator: ClusterAllocator;
  readonly map: MetadataMap;
  readonly #refcounts: Refcounts;
  #l1Table: L1Table;
  /** What made it impossible to know what the file has. */
  #failure: unknown;

  private constructor(file: ResizableBlockDevice, header: Qcow2Header, l1Table: L1Table, refcounts: Refcounts) {
    this.file = file;
    this.header = header;
    this.#l1Table = l1Table;
    this.#refcounts = refcounts;
    this.l2Tables = new L2Tables(file, header.clusterSize);
    const { clusterSize } = header;
    this.map = mapOf(header, l1Table.entries, refcounts);
    this.allocator = new ClusterAllocator({
      file,
      clusterSize,
      refcounts,
      metadata: this.map,
      moveRefcountTable: (hostOffset) => this.#moveRefcountTable(hostOffset),
      orFail: (task) => this.#orFail(task),
    });
  }

  /** Reads what writing needs beyond reading: the whole L1 table and the refcount table. Writes nothing. */
  static async open(file: ResizableBlockDevice, header: Qcow2Header): Promise<Metadata> {
    const refcounts = await Refcounts.open(file, header);
    return new Metadata(file, header, await L1Table.open(file, header), refcounts);
  }

  get l1Table(): L1Table {
    return this.#l1Table;
  }

  /** Whether writing has ended for good: what the file has is not known, though a reopened image will be whole. */
  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  /** IO when an earlier failure ended writing. */
  refuseAfterFailure(): void {
    if (this.#failure === undefined) return;
    throw ioError({
      layer: 'qcow2',
      structure: 'image',
      expected: 'no failure before',
      found: 'a flush or a move of a table that failed: nothing more is written until the image is opened again',
      cause: this.#failure,
    });
  }

  /** Writes the tables if they wait for too much memory. */
  async commitIfLarge(): Promise<void> {
    const dirtyBytes = this.l2Tables.dirtyBytes + this.#refcounts.dirtyBytes;
    const isLarge = dirtyBytes > MAX_DIRTY_BYTES || this.l2Tables.dirtyCount > MAX_DIRTY_TABLES;
    if (isLarge || this.allocator.leavingCount > MAX_LEAVING) await this.commit();
  }

  /**
   * Writes every table. After a failed write it can be called again: what was written is written again or not, and either is right.
   * The last writes may not be durable yet.
   */
  async commit(): Promise<void> {
    await this.#refcounts.writeBlocks();
    await this.l2Tables.writeNew();
    const hasLinks = this.l2Tables.dirtyCount > 0 || this.#l1Table.dirtyCount > 0;
    if (hasLinks || this.#refcounts.hasNewEntries) {
      // Data, counts and new tables before anything points to them.
      await this.flush();
      await this.#writeNewEntries();
      this.l2Tables.linkNew();
      await this.l2Tables.writeChanges();
      await this.#l1Table.writeChanges();
    }
    if (this.allocator.leavingCount > 0) {
      // The pointers to what leaves have gone before its count falls.
      await this.flush();
      await this.allocator.settle();
      await this.#refcounts.writeBlocks();
    }
  }

  /** The counts of new clusters count only once the table points to their block. */
  async #writeNewEntries(): Promise<void> {
    if (!this.#refcounts.hasNewEntries) return;
    await this.#refcounts.writeEntries();
    await this.flush();
  }

  /** Waits until what was written is durable. One failure ends writing: what it covered can no longer be known. */
  async flush(): Promise<void> {
    await this.#orFail(() => this.file.flush());
  }

  /** Changes one sector of the header, durably; everything that it points to must be durable. */
  async writeHeader(bytes: Uint8Array, offset: number): Promise<void> {
    await this.#orFail(async () => {
      await this.file.writeFrom(bytes, offset);
      await this.file.flush();
    });
  }

  async #orFail(task: () => Promise<void>): Promise<void> {
    try {
      await task();
    } catch (error) {
      this.#failure ??= error;
      throw error;
    }
  }

  /** The table in full, then the header's two fields in one write. The blocks that it points to are written with it. */
  async #moveRefcountTable(hostOffset: number): Promise<void> {
    await this.#orFail(async () => {
      await this.#refcounts.writeBlocks();
      await this.file.writeFrom(this.#refcounts.tableBytes(), hostOffset);
      await this.file.flush();
      const { refcountTableOffset: first, refcountTableClusters: last } = headerV3.fields;
      const bytes = new Uint8Array(headerV3.size);
      const refcountTableClusters = this.#refcounts.tableClusters;
      headerV3.write(bytes, { refcountTableOffset: hostOffset, refcountTableClusters });
      await this.writeHeader(bytes.subarray(first.offset, last.offset + last.length), first.offset);
    });
    this.#refcounts.moved(hostOffset);
    this.map.place('the refcount table', hostOffset, this.#refcounts.tableClusters * this.header.clusterSize);
  }

  /** Makes the L1 table longer, durably, at a new place: `entryCount` entries, the new ones empty. */
  async growL1Table(entryCount: number): Promise<void> {
    const { clusterSize } = this.header;
    const old = this.#l1Table.entries;
    if (entryCount <= old.entryCount) return;
    await this.commit();
    const oldSpan = { hostOffset: old.hostOffset, count: divideUp(old.bytes.length, clusterSize) };
    const bytes = new Uint8Array(roundUp(entryCount * ENTRY_BYTES, clusterSize));
    const span = await this.allocator.allocateTogether(bytes.length / clusterSize);
    bytes.set(old.bytes);
    try {
      await this.file.writeFrom(bytes, span.hostOffset);
      await this.#refcounts.writeBlocks();
      await this.flush();
      await this.#writeNewEntries();
    } catch (error) {
      await this.allocator.release(span);
      throw error;
    }
    const { l1Size: first, l1TableOffset: last } = headerV3.fields;
    const fields = headerV3.build({ l1Size: entryCount, l1TableOffset: span.hostOffset });
    await this.writeHeader(fields.subarray(first.offset, last.offset + last.length), first.offset);
    const entries = new MappingTable(bytes.subarray(0, entryCount * ENTRY_BYTES), span.hostOffset);
    this.#l1Table = new L1Table(this.file, entries);
    this.map.place('the L1 table', span.hostOffset, bytes.length);
    await this.allocator.release(oldSpan);
  }
}

/** Where the tables of the image lie. */
function mapOf(header: Qcow2Header, l1Table: MappingTable, refcounts: Refcounts): MetadataMap {
  const { clusterSize } = header;
  const tables = new Float64Array(l1Table.entryCount);
  let count = 0;
  for (let index = 0; index < l1Table.entryCount; index++) {
    const entry = unpackL1Entry(l1Table.high(index), l1Table.low(index), header);
    if (entry.kind === 'table') tables[count++] = entry.hostOffset;
  }
  const map = new MetadataMap(clusterSize, refcounts.blockOffsets(), tables.slice(0, count));
  map.place('the header', 0, clusterSize);
  map.place('the L1 table', l1Table.hostOffset, l1Table.bytes.length);
  map.place('the refcount table', refcounts.tableOffset, refcounts.tableClusters * clusterSize);
  if (header.snapshotCount > 0) map.place('the snapshot table', header.snapshotsOffset, clusterSize);
  return map;
}
