import { divideDown, divideUp, roundUp } from '../../bytes/rounding.ts';
import { type BlockDevice, type ByteRange, checkRange, type ReadOptions } from '../../device/block-device.ts';
import { type Extent, mergeExtents, readExtents } from '../../device/extent.ts';
import { corrupt, type DiskError } from '../../errors.ts';
import type { Diagnostic, Property } from '../../format.ts';
import type { BackingLayer, Container } from '../container.ts';
import { clusterRun } from './cluster-run.ts';
import { CompressedClusters } from './compressed-clusters.ts';
import type { Qcow2Header } from './header.ts';
import type { CompressionType } from './inflate-cluster.ts';
import type { MappingTable } from './mapping-table.ts';
import { TableCache, type TableSource } from './table-cache.ts';
import { ENTRY_BYTES, type L2Entry, unpackL1Entry } from './table-entries.ts';

/** What `qcow2Format.open` has read and checked. */
export interface Qcow2Parts {
  readonly file: BlockDevice;
  readonly header: Qcow2Header;
  readonly compressionType: CompressionType;
  /** The entries that the virtual disk needs. */
  readonly l1Table: MappingTable;
  /** Who writes has its own, which knows what the file does not have yet. */
  readonly l2Tables?: TableSource | undefined;
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
  readonly properties: readonly Property[];
  readonly #header: Qcow2Header;
  readonly #l1Table: MappingTable;
  readonly #l2Tables: TableSource;
  readonly #compressed: CompressedClusters;
  /** Bytes of the disk that one L2 table maps. */
  readonly #tableSpan: number;
  readonly #report: (diagnostic: Diagnostic) => void;
  #shortClusterReported = false;

  constructor(parts: Qcow2Parts) {
    const { file, header } = parts;
    this.file = file;
    this.size = header.virtualSize;
    this.sectorSize = file.sectorSize;
    this.backing = parts.backing;
    this.properties = parts.properties;
    this.#header = header;
    this.#l1Table = parts.l1Table;
    this.#l2Tables = parts.l2Tables ?? new TableCache(file, header.clusterSize);
    this.#compressed = new CompressedClusters(file, parts.compressionType, header.clusterSize);
    this.#tableSpan = header.clusterSize * (header.clusterSize / ENTRY_BYTES);
    this.#report = parts.report;
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
    let at = index;
    while (at < limit && this.#l1Table.high(at) === 0 && this.#l1Table.low(at) === 0) at++;
    return at;
  }

  #l2TableOffset(l1Index: number): number | undefined {
    const table = this.#l1Table;
    const entry = unpackL1Entry(table.high(l1Index), table.low(l1Index), this.#header);
    if (entry.kind === 'unallocated') return undefined;
    if (entry.kind === 'invalid') throw this.#badEntry('L1', table, l1Index, entry.expected);
    if (entry.hostOffset >= this.file.size)
      throw this.#badEntry('L1', table, l1Index, `an L2 table inside the file of ${this.file.size} bytes`);
    return entry.hostOffset;
  }

  /** The extents of `start` to `end`, which one L2 table maps. */
  *#mapped(table: MappingTable, start: number, end: number): Generator<Extent, void> {
    const { clusterSize } = this.#header;
    let at = start;
    while (at < end) {
      const index = divideDown(at % this.#tableSpan, clusterSize);
      if (index >= table.entryCount) throw this.#cutTable(table, index);
      const within = at % clusterSize;
      const { entry, count } = clusterRun(table, index, divideUp(within + end - at, clusterSize), this.#header);
      const stop = Math.min(end, at - within + count * clusterSize);
      yield* this.#extentsOf(entry, table, index, at, stop);
      at = stop;
    }
  }

  #extentsOf(entry: L2Entry, table: MappingTable, index: number, start: number, end: number): Iterable<Extent> {
    const within = start % this.#header.clusterSize;
    switch (entry.kind) {
      case 'unallocated':
        return this.#unallocated(start, end);
      case 'zero':
        return [{ kind: 'zero', start, length: end - start, explicit: true }];
      case 'data':
        return this.#data(table, index, entry.hostOffset + within, start, end);
      case 'compressed':
        return [this.#encoded(table, index, entry, start, end)];
      case 'invalid':
        throw this.#badEntry('L2', table, index, entry.expected);
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

  /**
   * Data from `hostOffset` on. A file may end inside its last cluster, of which only a part was ever written: the rest of that
   * cluster reads as zeros, as in QEMU. A cluster wholly behind the end is lost.
   */
  *#data(table: MappingTable, index: number, hostOffset: number, start: number, end: number): Generator<Extent, void> {
    const source = this.file;
    const hostEnd = hostOffset + end - start;
    const dataEnd = Math.min(hostEnd, source.size);
    if (hostOffset < dataEnd)
      yield { kind: 'data', start, length: dataEnd - hostOffset, source, sourceOffset: hostOffset };
    if (hostEnd <= source.size) return;
    const { clusterSize } = this.#header;
    const lastClusterEnd = roundUp(source.size, clusterSize);
    const zeroStart = Math.max(hostOffset, source.size);
    const zeroEnd = Math.min(hostEnd, lastClusterEnd);
    if (zeroStart < zeroEnd) {
      this.#reportShortCluster();
      yield { kind: 'zero', start: start + zeroStart - hostOffset, length: zeroEnd - zeroStart, explicit: false };
    }
    if (hostEnd > lastClusterEnd) {
      const clustersInside = divideDown(Math.max(0, lastClusterEnd - hostOffset + (start % clusterSize)), clusterSize);
      throw this.#badEntry(
        'L2',
        table,
        index + clustersInside,
        `a data cluster inside the file of ${source.size} bytes`,
      );
    }
  }

  #encoded(
    table: MappingTable,
    index: number,
    entry: { readonly hostOffset: number; readonly length: number },
    start: number,
    end: number,
  ): Extent {
    const { hostOffset } = entry;
    const source = this.file;
    if (hostOffset >= source.size)
      throw this.#badEntry('L2', table, index, `compressed data inside the file of ${source.size} bytes`);
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

  #reportShortCluster(): void {
    if (this.#shortClusterReported) return;
    this.#shortClusterReported = true;
    this.#report({
      layer: 'qcow2',
      structure: 'data cluster',
      offset: this.file.size,
      message: 'the file ends inside a data cluster; the rest of that cluster reads as zeros',
    });
  }

  #badEntry(level: 'L1' | 'L2', table: MappingTable, index: number, expected: string): DiskError {
    return corrupt({
      layer: 'qcow2',
      structure: `${level} table entry ${index}`,
      offset: table.entryOffset(index),
      expected,
      found: table.hex(index),
    });
  }

  #cutTable(table: MappingTable, index: number): DiskError {
    return corrupt({
      layer: 'qcow2',
      structure: `L2 table entry ${index}`,
      offset: table.entryOffset(index),
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
