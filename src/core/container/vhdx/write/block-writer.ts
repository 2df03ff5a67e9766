import { divideUp, roundDown, roundUp } from '../../../bytes/rounding.ts';
import type { ReadOptions, ResizableBlockDevice } from '../../../device/block-device.ts';
import { writeZeroBytes } from '../../../device/write-zero-bytes.ts';
import { corrupt } from '../../../errors.ts';
import { BAT_ENTRY_BYTES, type BatEntry, PAYLOAD_BLOCK, SECTOR_BITMAP_BYTES } from '../block-allocation-table.ts';
import type { BlockMap } from './block-map.ts';
import type { BlockSpace } from './block-space.ts';
import type { MetadataPages } from './metadata-pages.ts';

/** A part of one payload block, in bytes from its start. */
export interface BlockPart {
  readonly block: number;
  readonly within: number;
  readonly length: number;
  /** Whether it is all of the block that belongs to the disk. */
  readonly isWhole: boolean;
}

export interface BlockWriterParts {
  readonly file: ResizableBlockDevice;
  readonly pages: MetadataPages;
  readonly map: BlockMap;
  readonly space: BlockSpace;
  readonly logicalSectorSize: number;
  readonly hasParent: boolean;
  /** Of a fixed disk: blocks keep their places. */
  readonly leaveBlockAllocated: boolean;
  /** Reads the disk as it was before the edits that are not committed. */
  readDisk(target: Uint8Array, offset: number, options?: ReadOptions): Promise<void>;
}

/**
 * Writes to payload blocks: data at once, into their place in the file; the table and the sector bitmaps as edits of pages
 * that `commit` takes through the log. Data of a block or sector that was not there before are seen only after that.
 */
export class BlockWriter {
  readonly #parts: BlockWriterParts;
  /** Places taken for payload blocks since the last commit, and given up. */
  #taken: number[] = [];
  #freed: number[] = [];

  constructor(parts: BlockWriterParts) {
    this.#parts = parts;
  }

  /** Writes `source`, which is as long as the part. */
  async write(part: BlockPart, source: Uint8Array, options?: ReadOptions): Promise<void> {
    const { file, map, hasParent } = this.#parts;
    const { block, within, isWhole } = part;
    const entry = await map.payload(block, hasParent);
    if (entry.state === PAYLOAD_BLOCK.fullyPresent) return file.writeFrom(source, entry.fileOffset + within, options);
    if (entry.state === PAYLOAD_BLOCK.partiallyPresent) {
      if (!isWhole) return this.#writeSectors(part, entry.fileOffset, source, options);
      await file.writeFrom(source, entry.fileOffset, options);
      return map.setPayload(block, PAYLOAD_BLOCK.fullyPresent, entry.fileOffset);
    }
    if (this.#inherits(entry) && !isWhole) return this.#writeNewPartial(part, source, options);
    const { fileOffset, isZero } = await this.#take();
    if (!isZero) await this.#zeroAround(part, fileOffset, options);
    await file.writeFrom(source, fileOffset + within, options);
    await map.setPayload(block, PAYLOAD_BLOCK.fullyPresent, fileOffset);
  }

  /** Makes a part read as zeros; a whole block gives its place back. */
  async zero(part: BlockPart, options?: ReadOptions): Promise<void> {
    const { file, map, hasParent, leaveBlockAllocated } = this.#parts;
    const { block, within, length, isWhole } = part;
    const entry = await map.payload(block, hasParent);
    const isPresent = entry.state === PAYLOAD_BLOCK.fullyPresent;
    if (isPresent && (!isWhole || leaveBlockAllocated))
      return writeZeroBytes(file, entry.fileOffset + within, length, options);
    if (isWhole) return this.#giveUp(block, entry, PAYLOAD_BLOCK.zero);
    if (entry.state === PAYLOAD_BLOCK.partiallyPresent)
      return this.#writeSectors(part, entry.fileOffset, undefined, options);
    if (this.#inherits(entry)) await this.#writeNewPartial(part, undefined, options);
  }

  /** Gives the place of a whole block back; the block reads as zeros, never as the parent's (MS-VHDX 2.5.1.1). */
  async unmap(part: BlockPart, options?: ReadOptions): Promise<void> {
    if (!part.isWhole) return;
    const { map, hasParent, leaveBlockAllocated } = this.#parts;
    if (leaveBlockAllocated) return this.zero(part, options);
    await this.#giveUp(part.block, await map.payload(part.block, hasParent), PAYLOAD_BLOCK.unmapped);
  }

  /** Makes everything since the last commit seen and durable. */
  async commit(): Promise<void> {
    const { pages, map, space } = this.#parts;
    await pages.commit((fileOffset) => fileOffset >= map.batOffset && fileOffset < this.#batEnd());
    for (const fileOffset of this.#freed) space.release(fileOffset);
    this.#taken = [];
    this.#freed = [];
  }

  /** Forgets what was not committed. */
  drop(): void {
    const { pages, space } = this.#parts;
    pages.drop();
    for (const fileOffset of this.#taken) space.release(fileOffset);
    this.#taken = [];
    this.#freed = [];
  }

  #batEnd(): number {
    const { geometry, batOffset } = this.#parts.map;
    return batOffset + geometry.entryCount * BAT_ENTRY_BYTES;
  }

  #inherits({ state }: BatEntry): boolean {
    return state === PAYLOAD_BLOCK.notPresent && this.#parts.hasParent;
  }

  async #take(): Promise<{ fileOffset: number; isZero: boolean }> {
    const room = await this.#parts.space.payloadRoom();
    this.#taken.push(room.fileOffset);
    return room;
  }

  async #giveUp(block: number, entry: BatEntry, state: number): Promise<void> {
    const { fileOffset } = entry;
    const isPresent = entry.state === PAYLOAD_BLOCK.fullyPresent || entry.state === PAYLOAD_BLOCK.partiallyPresent;
    // What a parser gives for an unmapped block may be what it held: only the state zero is sure to be zeros.
    const isLoose = entry.state === PAYLOAD_BLOCK.unmapped || entry.state === PAYLOAD_BLOCK.undefined;
    const isChange = isPresent || this.#inherits(entry) || (isLoose && state === PAYLOAD_BLOCK.zero);
    if (!isChange) return;
    await this.#parts.map.setPayload(block, state);
    if (isPresent) this.#freed.push(fileOffset);
  }

  /** Fills a block's place with zeros but for the part. */
  async #zeroAround({ within, length }: BlockPart, fileOffset: number, options?: ReadOptions): Promise<void> {
    const { file, map } = this.#parts;
    const end = within + length;
    await writeZeroBytes(file, fileOffset, within, options);
    await writeZeroBytes(file, fileOffset + end, map.geometry.blockSize - end, options);
  }

  /** A block of which only some sectors are not the parent's: what else its place holds is never seen. */
  async #writeNewPartial(part: BlockPart, source: Uint8Array | undefined, options?: ReadOptions): Promise<void> {
    const { map, pages, space } = this.#parts;
    const { block } = part;
    const { fileOffset } = await this.#take();
    let bitmap = await map.bitmapOffset(block);
    if (bitmap === undefined) {
      bitmap = await space.extend(SECTOR_BITMAP_BYTES);
      await map.setBitmapOffset(block, bitmap);
    }
    await pages.fillBits(bitmap, this.#firstBit(block), this.#sectorsPerBlock(), false);
    await map.setPayload(block, PAYLOAD_BLOCK.partiallyPresent, fileOffset);
    await this.#writeSectors(part, fileOffset, source, options);
  }

  /** Writes a part, rounded out to whole sectors, to a partially present block and sets their bits. `source` undefined: zeros. */
  async #writeSectors(
    part: BlockPart,
    fileOffset: number,
    source: Uint8Array | undefined,
    options?: ReadOptions,
  ): Promise<void> {
    const { file, map, pages, logicalSectorSize } = this.#parts;
    const { block, within, length } = part;
    const bitmap = await map.bitmapOffset(block);
    if (bitmap === undefined) {
      throw corrupt({
        layer: 'vhdx',
        structure: `BAT entry of the sector bitmap of payload block ${block}`,
        expected: 'state 6, as the block is partially present',
        found: 'another',
      });
    }
    const start = roundUp(within, logicalSectorSize);
    const end = roundDown(within + length, logicalSectorSize);
    if (within < start) await this.#mergeSector(part, fileOffset, start - logicalSectorSize, source, options);
    if (start < end) {
      const place = fileOffset + start;
      if (source === undefined) await writeZeroBytes(file, place, end - start, options);
      else await file.writeFrom(source.subarray(start - within, end - within), place, options);
    }
    // Both ends in one sector: that is done already.
    if (end < within + length && end >= start) await this.#mergeSector(part, fileOffset, end, source, options);
    const firstSector = roundDown(within, logicalSectorSize) / logicalSectorSize;
    const endSector = divideUp(within + length, logicalSectorSize);
    await pages.fillBits(bitmap, this.#firstBit(block) + firstSector, endSector - firstSector, true);
  }

  /** Writes the one sector at `start` of the block: what the disk held there, with the part's bytes over it. */
  async #mergeSector(
    { block, within, length }: BlockPart,
    fileOffset: number,
    start: number,
    source: Uint8Array | undefined,
    options?: ReadOptions,
  ): Promise<void> {
    const { file, map, logicalSectorSize, readDisk } = this.#parts;
    const sector = new Uint8Array(logicalSectorSize);
    await readDisk(sector, block * map.geometry.blockSize + start, options);
    const from = Math.max(start, within);
    const to = Math.min(start + logicalSectorSize, within + length);
    if (source === undefined) sector.fill(0, from - start, to - start);
    else sector.set(source.subarray(from - within, to - within), from - start);
    await file.writeFrom(sector, fileOffset + start, options);
  }

  #sectorsPerBlock(): number {
    return this.#parts.map.geometry.blockSize / this.#parts.logicalSectorSize;
  }

  /** The block's first bit in the sector bitmap of its chunk. */
  #firstBit(block: number): number {
    return (block % this.#parts.map.geometry.chunkRatio) * this.#sectorsPerBlock();
  }
}
