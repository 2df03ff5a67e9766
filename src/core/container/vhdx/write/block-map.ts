import { divideDown } from '../../../bytes/rounding.ts';
import { corrupt } from '../../../errors.ts';
import {
  BAT_ENTRY_BYTES,
  type BatEntry,
  type BatGeometry,
  bitmapEntryIndex,
  PAYLOAD_BLOCK,
  packBatEntry,
  payloadEntryIndex,
  SECTOR_BITMAP_BLOCK,
  unpackBatEntry,
} from '../block-allocation-table.ts';
import type { MetadataPages } from './metadata-pages.ts';

/** The block allocation table of a file that is written to; changes are edits of its pages. */
export class BlockMap {
  readonly #pages: MetadataPages;
  #geometry: BatGeometry;
  #batOffset: number;

  constructor(pages: MetadataPages, geometry: BatGeometry, batOffset: number) {
    this.#pages = pages;
    this.#geometry = geometry;
    this.#batOffset = batOffset;
  }

  get geometry(): BatGeometry {
    return this.#geometry;
  }

  /** Bytes of the file. */
  get batOffset(): number {
    return this.#batOffset;
  }

  /** After the disk has grown. */
  replace(geometry: BatGeometry, batOffset: number): void {
    this.#geometry = geometry;
    this.#batOffset = batOffset;
  }

  /** The entry of a payload block; a state that no disk of the kind may have is CORRUPT. */
  async payload(block: number, hasParent: boolean): Promise<BatEntry> {
    const offset = this.#entryOffset(payloadEntryIndex(block, this.#geometry));
    const entry = await this.#read(offset);
    const known = Object.values(PAYLOAD_BLOCK) as number[];
    if (known.includes(entry.state) && (hasParent || entry.state !== PAYLOAD_BLOCK.partiallyPresent)) return entry;
    throw corrupt({
      layer: 'vhdx',
      structure: `BAT entry of payload block ${block}`,
      offset,
      expected: hasParent ? 'state 0 to 3, 6 or 7' : 'state 0 to 3 or 6',
      found: `state ${entry.state}`,
    });
  }

  async setPayload(block: number, state: number, fileOffset = 0): Promise<void> {
    const offset = this.#entryOffset(payloadEntryIndex(block, this.#geometry));
    await this.#pages.writeWord(offset, packBatEntry(state, fileOffset));
  }

  /** Where the sector bitmap block of the chunk with payload block `block` stands; undefined when there is none. */
  async bitmapOffset(block: number): Promise<number | undefined> {
    const entry = await this.#read(this.#bitmapEntryOffset(block));
    return entry.state === SECTOR_BITMAP_BLOCK.present ? entry.fileOffset : undefined;
  }

  async setBitmapOffset(block: number, fileOffset: number): Promise<void> {
    await this.#pages.writeWord(this.#bitmapEntryOffset(block), packBatEntry(SECTOR_BITMAP_BLOCK.present, fileOffset));
  }

  #bitmapEntryOffset(block: number): number {
    return this.#entryOffset(bitmapEntryIndex(divideDown(block, this.#geometry.chunkRatio), this.#geometry));
  }

  #entryOffset(index: number): number {
    return this.#batOffset + index * BAT_ENTRY_BYTES;
  }

  async #read(offset: number): Promise<BatEntry> {
    const { high, low } = await this.#pages.readWord(offset);
    return unpackBatEntry(high, low);
  }
}
