import { divideDown, divideUp } from '../../bytes/rounding.ts';
import { type BlockDevice, type ByteRange, checkRange, type ReadOptions } from '../../device/block-device.ts';
import { type Extent, mergeExtents, readExtents } from '../../device/extent.ts';
import { corrupt, type DiskError } from '../../errors.ts';
import type { Diagnostic, Property } from '../../format.ts';
import type { BackingLayer, Container, Snapshot } from '../container.ts';
import { clusterRun } from './cluster-run.ts';
import { CompressedClusters } from './compressed-clusters.ts';
import { DataClusters } from './data-clusters.ts';
import { type ClusterEncryption, EncryptedClusters } from './encrypted-clusters.ts';
import type { Qcow2Header } from './header.ts';
import type { CompressionType } from './inflate-cluster.ts';
import type { MappingTable } from './mapping-table.ts';
import { subclusterRun } from './subcluster-run.ts';
import { TableCache, type TableSource } from './table-cache.ts';
import { type L2Entry, l2TableSpan, SUBCLUSTERS, unpackL1Entry } from './table-entries.ts';

/** What `qcow2Format.open` has read and checked. */
export interface Qcow2Parts {
  readonly file: BlockDevice;
  readonly header: Qcow2Header;
  readonly compressionType: CompressionType;
  /** Bytes of the disk: the header's, or the snapshot's that is looked at. */
  readonly virtualSize: number;
  /** The entries that the virtual disk needs; what it lacks at the end counts as unallocated. */
  readonly l1Table: MappingTable;
  /** Who writes has its own, which knows what the file does not have yet. */
  readonly l2Tables?: TableSource | undefined;
  /** Where uncompressed clusters lie: the image file, or the external data file. */
  readonly dataFile: BlockDevice;
  readonly encryption: ClusterEncryption | undefined;
  readonly snapshots: readonly Snapshot[];
  readonly backing: BackingLayer | undefined;
  readonly properties: readonly Property[];
  report(diagnostic: Diagnostic): void;
}

/** The virtual disk of a QCOW2 image. Reads derive from `extents`, which walks the two levels of tables. */
export class Qcow2Container implements Container {
  readonly format = 'qcow2';
  readonly file: BlockDevice;
  readonly size: number;
  readonly sectorSize: number;
  readonly backing: BackingLayer | undefined;
  readonly snapshots: readonly Snapshot[];
  readonly properties: readonly Property[];
  readonly #header: Qcow2Header;
  readonly #l1Table: MappingTable;
  readonly #l2Tables: TableSource;
  readonly #data: DataClusters;
  readonly #compressed: CompressedClusters;
  /** Bytes of the disk that one L2 table maps. */
  readonly #tableSpan: number;
  /** Bytes that an L2 table tells apart, a cluster or a subcluster, and what tells runs of them. */
  readonly #unit: number;
  readonly #runOf: typeof clusterRun;
  /** Words of 8 bytes that one L2 entry has. */
  readonly #entryWords: number;

  constructor(parts: Qcow2Parts) {
    const { file, header, dataFile, encryption } = parts;
    const { clusterSize, hasExtendedL2 } = header;
    this.file = file;
    this.size = parts.virtualSize;
    this.sectorSize = file.sectorSize;
    this.backing = parts.backing;
    this.snapshots = parts.snapshots;
    this.properties = parts.properties;
    this.#header = header;
    this.#l1Table = parts.l1Table;
    this.#l2Tables = parts.l2Tables ?? new TableCache(file, clusterSize);
    const encrypted = encryption === undefined ? undefined : new EncryptedClusters(dataFile, encryption);
    this.#data = new DataClusters(dataFile, clusterSize, encrypted, parts.report);
    this.#compressed = new CompressedClusters(file, parts.compressionType, clusterSize);
    this.#tableSpan = l2TableSpan(header);
    this.#unit = hasExtendedL2 ? clusterSize / SUBCLUSTERS : clusterSize;
    this.#runOf = hasExtendedL2 ? subclusterRun : clusterRun;
    this.#entryWords = hasExtendedL2 ? 2 : 1;
  }

  async readInto(target: Uint8Array, offset: number, options?: ReadOptions): Promise<void> {
    checkRange(this, 'qcow2', offset, target.length);
    if (target.length > 0) await readExtents(this, target, offset, options);
  }

  /** Neighbouring clusters that lie together in the file come as one extent. Damage is CORRUPT once the walk reaches it. */
  extents(range: ByteRange, options?: ReadOptions): AsyncGenerator<Extent, void> {
    return mergeExtents(this.#pieces(range, options));
  }

  async *#pieces(range: ByteRange, options?: ReadOptions): AsyncGenerator<Extent, void> {
    checkRange(this, 'qcow2', range.start, range.length);
    const end = range.start + range.length;
    let at = range.start;
    while (at < end) {
      options?.signal?.throwIfAborted();
      const l1Index = divideDown(at, this.#tableSpan);
      const tableOffset = this.#l2TableOffset(l1Index);
      if (tableOffset === undefined) {
        const stop = Math.min(end, this.#nextTable(l1Index + 1, divideUp(end, this.#tableSpan)) * this.#tableSpan);
        yield* this.#unallocated(at, stop);
        at = stop;
      } else {
        const table = await this.#l2Tables.load(tableOffset);
        const stop = Math.min(end, (l1Index + 1) * this.#tableSpan);
        yield* this.#mapped(table, at, stop);
        at = stop;
      }
    }
  }

  /** The first L1 entry from `index` up that is not empty, or `limit`: a sparse disk costs one step per L1 entry, not per cluster. */
  #nextTable(index: number, limit: number): number {
    const end = Math.min(limit, this.#l1Table.entryCount);
    let at = index;
    while (at < end && this.#l1Table.high(at) === 0 && this.#l1Table.low(at) === 0) at++;
    return at < end ? at : limit;
  }

  #l2TableOffset(l1Index: number): number | undefined {
    const table = this.#l1Table;
    if (l1Index >= table.entryCount) return undefined;
    const entry = unpackL1Entry(table.high(l1Index), table.low(l1Index), this.#header);
    if (entry.kind === 'unallocated') return undefined;
    if (entry.kind === 'invalid') throw this.#badL1Entry(l1Index, entry.expected);
    if (entry.hostOffset >= this.file.size)
      throw this.#badL1Entry(l1Index, `an L2 table inside the file of ${this.file.size} bytes`);
    return entry.hostOffset;
  }

  /** The extents of `start` to `end`, which one L2 table maps. */
  *#mapped(table: MappingTable, start: number, end: number): Generator<Extent, void> {
    const unit = this.#unit;
    let at = start;
    while (at < end) {
      if (this.#entryIndex(at) >= divideDown(table.entryCount, this.#entryWords)) throw this.#cutTable(table, at);
      const within = at % unit;
      const index = divideDown(at % this.#tableSpan, unit);
      const { entry, count } = this.#runOf(table, index, divideUp(within + end - at, unit), this.#header);
      const stop = Math.min(end, at - within + count * unit);
      yield* this.#extentsOf(entry, table, at, stop);
      at = stop;
    }
  }

  #extentsOf(entry: L2Entry, table: MappingTable, start: number, end: number): Iterable<Extent> {
    switch (entry.kind) {
      case 'unallocated':
        return this.#unallocated(start, end);
      case 'zero':
        return [{ kind: 'zero', start, length: end - start, explicit: true }];
      case 'data':
        return this.#placed(table, entry.hostOffset + (start % this.#unit), start, end);
      case 'compressed':
        return [this.#encoded(table, entry, start, end)];
      case 'invalid':
        throw this.#badL2Entry(table, start, entry.expected);
    }
  }

  /** What was never written here is the backing file's, as far as that reaches, and zeros behind its end. */
  *#unallocated(start: number, end: number): Generator<Extent, void> {
    const layer = this.backing?.device;
    const inheritedEnd = layer === undefined ? start : Math.min(end, Math.max(start, layer.size));
    if (layer !== undefined && start < inheritedEnd)
      yield { kind: 'inherited', start, length: inheritedEnd - start, layer, layerOffset: start };
    if (inheritedEnd < end) yield { kind: 'zero', start: inheritedEnd, length: end - inheritedEnd, explicit: false };
  }

  /** Data from `hostOffset` on; a cluster that lies wholly behind the end of the file is lost. */
  *#placed(table: MappingTable, hostOffset: number, start: number, end: number): Generator<Extent, void> {
    if (this.#header.hasDataFile && hostOffset !== start)
      throw this.#badL2Entry(table, start, 'the guest offset, as in any external data file');
    const lost = this.#data.firstLost(hostOffset, start, end);
    const stop = lost ?? end;
    if (start < stop) yield* this.#data.extents(hostOffset, start, stop);
    if (lost === undefined) return;
    throw this.#badL2Entry(table, lost, `a data cluster inside the file of ${this.#data.source.size} bytes`);
  }

  #encoded(
    table: MappingTable,
    entry: { readonly hostOffset: number; readonly length: number },
    start: number,
    end: number,
  ): Extent {
    const { hostOffset } = entry;
    const source = this.file;
    if (hostOffset >= source.size)
      throw this.#badL2Entry(table, start, `compressed data inside the file of ${source.size} bytes`);
    // The last sector of the last compressed cluster need not be there in full.
    const sourceLength = Math.min(entry.length, source.size - hostOffset);
    const within = start % this.#header.clusterSize;
    return {
      kind: 'encoded',
      start,
      length: end - start,
      source,
      sourceOffset: hostOffset,
      sourceLength,
      encoding: this.#compressed.type,
      decodeInto: (target, offset, options) =>
        this.#compressed.readInto({ hostOffset, length: sourceLength }, target, within + offset, options),
      decoder: this.#compressed,
    };
  }

  #entryIndex(guestOffset: number): number {
    return divideDown(guestOffset % this.#tableSpan, this.#header.clusterSize);
  }

  #badL1Entry(index: number, expected: string): DiskError {
    const table = this.#l1Table;
    return corrupt({
      layer: 'qcow2',
      structure: `L1 table entry ${index}`,
      offset: table.entryOffset(index),
      expected,
      found: table.hex(index),
    });
  }

  /** The entry that maps `guestOffset`; of an extended one both words are shown. */
  #badL2Entry(table: MappingTable, guestOffset: number, expected: string): DiskError {
    const index = this.#entryIndex(guestOffset);
    const word = index * this.#entryWords;
    return corrupt({
      layer: 'qcow2',
      structure: `L2 table entry ${index}`,
      offset: table.entryOffset(word),
      expected,
      found: this.#entryWords === 1 ? table.hex(word) : `${table.hex(word)} ${table.hex(word + 1)}`,
    });
  }

  #cutTable(table: MappingTable, guestOffset: number): DiskError {
    const index = this.#entryIndex(guestOffset);
    return corrupt({
      layer: 'qcow2',
      structure: `L2 table entry ${index}`,
      offset: table.entryOffset(index * this.#entryWords),
      expected: 'a whole L2 table',
      found: `the end of the file at ${this.file.size}`,
    });
  }

  /** The image file and the backing file belong to whoever opened them. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#l2Tables.clear();
    this.#compressed.clear();
  }
}
