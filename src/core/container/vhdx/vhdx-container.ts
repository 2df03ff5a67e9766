import { bitRun } from '../../bytes/bit-run.ts';
import { clamp, divideDown, divideUp } from '../../bytes/rounding.ts';
import {
  type BlockDevice,
  type ByteRange,
  checkRange,
  type ReadOptions,
  readBytes,
} from '../../device/block-device.ts';
import { CachedDevice } from '../../device/cached-device.ts';
import { type Extent, mergeExtents, readExtents } from '../../device/extent.ts';
import { corrupt, type DiskError } from '../../errors.ts';
import type { Diagnostic, Property } from '../../format.ts';
import type { BackingLayer, Container } from '../container.ts';
import { BatPage } from './bat-page.ts';
import {
  BAT_ENTRY_BYTES,
  type BatEntry,
  type BatGeometry,
  bitmapEntryIndex,
  CHUNK_SECTORS,
  PAYLOAD_BLOCK,
  payloadEntryIndex,
  SECTOR_BITMAP_BLOCK,
} from './block-allocation-table.ts';
import { MIB } from './header.ts';
import { ReplayDevice } from './replay-device.ts';

/** Bytes of BAT and sector bitmaps read and kept at once: 8192 entries, or the bitmap of 256 MiB of disk. Both are aligned to 1 MiB. */
const PAGE_BYTES = 64 * 1024;
/** What is kept of them per image: the BAT of 2 TiB with blocks of 1 MiB. */
const TABLE_CACHE_BYTES = 16 * MIB;
const ENTRIES_PER_PAGE = PAGE_BYTES / BAT_ENTRY_BYTES;

/** What `vhdxFormat.open` has read and checked. Sizes and offsets in bytes. */
export interface VhdxParts {
  readonly file: BlockDevice;
  /** The file as it is to be read: with its log replayed, or itself. */
  readonly replayed: BlockDevice;
  readonly geometry: BatGeometry;
  /** Where the BAT stands. */
  readonly batOffset: number;
  readonly virtualSize: number;
  readonly sectorSize: number;
  readonly dataWriteGuid: string;
  readonly parent: BackingLayer | undefined;
  /** Whether blocks that were given back read as what the file still holds for them. */
  readonly rawUnmapped: boolean;
  readonly properties: readonly Property[];
  report(diagnostic: Diagnostic): void;
}

/** A payload block, or the first of a run, by its entry in the BAT. */
interface Block {
  readonly page: BatPage;
  readonly index: number;
  readonly entry: BatEntry;
}

/** The virtual disk of a VHDX image. Reads derive from `extents`, which walks the BAT and, where a block is partly the parent's, the sector bitmap. */
export class VhdxContainer implements Container {
  readonly format = 'vhdx';
  readonly file: BlockDevice;
  readonly size: number;
  readonly sectorSize: number;
  readonly backing: BackingLayer | undefined;
  readonly properties: readonly Property[];
  /** DataWriteGuid of the current header: what a child's parent_linkage names (MS-VHDX 2.6.2.6.3). */
  readonly dataWriteGuid: string;
  readonly #replayed: BlockDevice;
  /** For the BAT and the sector bitmaps. */
  readonly #tables: CachedDevice;
  readonly #geometry: BatGeometry;
  readonly #batOffset: number;
  readonly #rawUnmapped: boolean;
  readonly #report: (diagnostic: Diagnostic) => void;
  #reservedBitsReported = false;

  constructor(parts: VhdxParts) {
    this.file = parts.file;
    this.size = parts.virtualSize;
    this.sectorSize = parts.sectorSize;
    this.backing = parts.parent;
    this.properties = parts.properties;
    this.dataWriteGuid = parts.dataWriteGuid;
    this.#replayed = parts.replayed;
    this.#tables = new CachedDevice(parts.replayed, { blockBytes: PAGE_BYTES, limitBytes: TABLE_CACHE_BYTES });
    this.#geometry = parts.geometry;
    this.#batOffset = parts.batOffset;
    this.#rawUnmapped = parts.rawUnmapped;
    this.#report = parts.report;
  }

  async readInto(target: Uint8Array, offset: number, options?: ReadOptions): Promise<void> {
    checkRange(this, 'vhdx', offset, target.length);
    if (target.length > 0) await readExtents(this, target, offset, options);
  }

  /** Neighbouring blocks that lie together in the file come as one extent. Damage is CORRUPT once the walk reaches it. */
  extents(range: ByteRange, options?: ReadOptions): AsyncGenerator<Extent, void> {
    return mergeExtents(this.#pieces(range, options));
  }

  /** One step for each run of blocks inside a chunk and a page of the BAT, so that a sparse disk costs no step for each block. */
  async *#pieces(range: ByteRange, options?: ReadOptions): AsyncGenerator<Extent, void> {
    checkRange(this, 'vhdx', range.start, range.length);
    const { blockSize, chunkRatio } = this.#geometry;
    const end = range.start + range.length;
    const lastIndex = payloadEntryIndex(divideDown(Math.max(range.start, end - 1), blockSize), this.#geometry);
    let page: BatPage | undefined;
    let at = range.start;
    while (at < end) {
      options?.signal?.throwIfAborted();
      const block = divideDown(at, blockSize);
      const index = payloadEntryIndex(block, this.#geometry);
      if (page === undefined || !page.holds(index)) page = await this.#batPage(index, lastIndex - index + 1, options);
      const within = at % blockSize;
      const limit = Math.min(divideUp(within + end - at, blockSize), chunkRatio - (block % chunkRatio));
      const { entry, count } = page.run(index, limit, blockSize);
      if (entry.reserved !== 0) this.#reportReservedBits(index);
      const stop = Math.min(end, at - within + count * blockSize);
      const first = { page, index, entry };
      if (entry.state === PAYLOAD_BLOCK.partiallyPresent) yield* this.#partial(first, at, stop, options);
      else yield* this.#block(first, at, stop);
      at = stop;
    }
  }

  /** Entries from `index` on, at most `limit`: what one page of the cache has of them. */
  async #batPage(index: number, limit: number, options?: ReadOptions): Promise<BatPage> {
    const offset = this.#entryOffset(index);
    const count = Math.min(
      limit,
      ENTRIES_PER_PAGE - (index % ENTRIES_PER_PAGE),
      divideDown(Math.max(0, this.#replayed.size - offset), BAT_ENTRY_BYTES),
    );
    if (count > 0) return new BatPage(await readBytes(this.#tables, offset, count * BAT_ENTRY_BYTES, options), index);
    throw corrupt({
      layer: 'vhdx',
      structure: `BAT entry ${index}`,
      offset,
      expected: 'a whole BAT',
      found: `the end of the file at ${this.#replayed.size}`,
    });
  }

  /** What the states say (MS-VHDX 2.5.1.1). Blocks without defined contents read as zeros, as in QEMU. */
  #block(block: Block, start: number, end: number): Iterable<Extent> {
    const { state, fileOffset } = block.entry;
    switch (state) {
      case PAYLOAD_BLOCK.notPresent:
        return this.#inherited(start, end);
      case PAYLOAD_BLOCK.undefined:
      case PAYLOAD_BLOCK.unmapped:
        if (this.#rawUnmapped && fileOffset >= MIB) return this.#former(fileOffset, start, end);
        return [{ kind: 'zero', start, length: end - start, explicit: state === PAYLOAD_BLOCK.unmapped }];
      case PAYLOAD_BLOCK.zero:
        return [{ kind: 'zero', start, length: end - start, explicit: true }];
      case PAYLOAD_BLOCK.fullyPresent:
        return this.#data(block, start, end);
      default:
        throw this.#badEntry(block, 'a state that is not reserved');
    }
  }

  /** What the parent has, as far as it reaches; without one, and behind its end, zeros. */
  *#inherited(start: number, end: number): Generator<Extent, void> {
    const layer = this.backing?.device;
    const inheritedEnd = layer === undefined ? start : Math.min(end, Math.max(start, layer.size));
    if (layer !== undefined && start < inheritedEnd)
      yield { kind: 'inherited', start, length: inheritedEnd - start, layer, layerOffset: start };
    if (inheritedEnd < end) yield { kind: 'zero', start: inheritedEnd, length: end - inheritedEnd, explicit: false };
  }

  /** What the file still holds for blocks that were given back; they have no claim on it, so behind its end are zeros. */
  *#former(fileOffset: number, start: number, end: number): Generator<Extent, void> {
    const place = fileOffset + (start % this.#geometry.blockSize);
    const dataEnd = start + clamp(this.#replayed.size - place, 0, end - start);
    yield* this.#stored(place, start, dataEnd);
    if (dataEnd < end) yield { kind: 'zero', start: dataEnd, length: end - dataEnd, explicit: false };
  }

  /** Blocks of the file. Of one that a truncated file cuts, what is there is given, and the rest is CORRUPT. */
  *#data(block: Block, start: number, end: number): Generator<Extent, void> {
    const { blockSize } = this.#geometry;
    const { fileOffset } = block.entry;
    if (fileOffset < MIB) throw this.#badEntry(block, `a block behind the header section of ${MIB} bytes`);
    const place = fileOffset + (start % blockSize);
    const dataEnd = start + clamp(this.#replayed.size - place, 0, end - start);
    yield* this.#stored(place, start, dataEnd);
    if (dataEnd === end) return;
    const blocksBefore = divideDown((start % blockSize) + dataEnd - start, blockSize);
    const cut = { ...block, index: block.index + blocksBefore };
    throw this.#badEntry(cut, `a block inside the file of ${this.#replayed.size} bytes`);
  }

  /** Bytes that stand at `place` in the file after replay: nearly always the file's own, which then is the source. */
  *#stored(place: number, start: number, end: number): Generator<Extent, void> {
    const length = end - start;
    if (length === 0) return;
    const source = this.#replayed;
    if (!(source instanceof ReplayDevice)) yield { kind: 'data', start, length, source, sourceOffset: place };
    else
      for (const piece of source.pieces({ start: place, length }))
        yield { ...piece, start: piece.start - place + start };
  }

  /** A block of which the sector bitmap says what is here and what is the parent's (MS-VHDX 2.4 and 2.5.1.1). */
  async *#partial(block: Block, start: number, end: number, options?: ReadOptions): AsyncGenerator<Extent, void> {
    if (this.backing === undefined)
      throw this.#badEntry(block, 'no partially present block in a disk without a parent');
    const bitmap = await this.#sectorBitmap(divideDown(start, CHUNK_SECTORS * this.sectorSize), options);
    let at = start;
    while (at < end) {
      const sector = divideDown(at, this.sectorSize) % CHUNK_SECTORS;
      const sectorCount = divideUp((at % this.sectorSize) + end - at, this.sectorSize);
      const bits = await this.#bitmapBytes(
        bitmap + divideDown(sector, 8),
        divideUp((sector % 8) + sectorCount, 8),
        options,
      );
      for (let bit = sector % 8; bit < bits.length * 8 && at < end; ) {
        const within = at % this.sectorSize;
        const { isSet, count } = bitRun(bits, bit, divideUp(within + end - at, this.sectorSize));
        const stop = Math.min(end, at - within + count * this.sectorSize);
        yield* isSet ? this.#data(block, at, stop) : this.#inherited(at, stop);
        bit += count;
        at = stop;
      }
    }
  }

  /** Where the sector bitmap block of a chunk stands. */
  async #sectorBitmap(chunk: number, options?: ReadOptions): Promise<number> {
    const index = bitmapEntryIndex(chunk, this.#geometry);
    const page = await this.#batPage(index, 1, options);
    const entry = page.entry(index);
    if (entry.reserved !== 0) this.#reportReservedBits(index);
    const block = { page, index, entry };
    if (entry.state !== SECTOR_BITMAP_BLOCK.present)
      throw this.#badEntry(block, 'a sector bitmap block that is present');
    if (entry.fileOffset < MIB) throw this.#badEntry(block, `a block behind the header section of ${MIB} bytes`);
    return entry.fileOffset;
  }

  /** Bytes of a sector bitmap from `offset` of the file on, at most `limit`: what one page of the cache has of them. */
  async #bitmapBytes(offset: number, limit: number, options?: ReadOptions): Promise<Uint8Array> {
    const length = Math.min(limit, PAGE_BYTES - (offset % PAGE_BYTES), this.#replayed.size - offset);
    if (length > 0) return readBytes(this.#tables, offset, length, options);
    throw corrupt({
      layer: 'vhdx',
      structure: 'sector bitmap block',
      offset,
      expected: 'a whole sector bitmap',
      found: `the end of the file at ${this.#replayed.size}`,
    });
  }

  #entryOffset(index: number): number {
    return this.#batOffset + index * BAT_ENTRY_BYTES;
  }

  #reportReservedBits(index: number): void {
    if (this.#reservedBitsReported) return;
    this.#reservedBitsReported = true;
    this.#report({
      layer: 'vhdx',
      structure: `BAT entry ${index}`,
      offset: this.#entryOffset(index),
      message: 'the reserved bits 3 to 19 are not clear, perhaps of other entries too; they are ignored, as in QEMU',
    });
  }

  #badEntry({ page, index }: Block, expected: string): DiskError {
    return corrupt({
      layer: 'vhdx',
      structure: `BAT entry ${index}`,
      offset: this.#entryOffset(index),
      expected,
      found: page.hex(index),
    });
  }

  /** The image file and the parent belong to whoever opened them. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tables[Symbol.asyncDispose]();
  }
}
