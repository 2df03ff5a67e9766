import { hasBit, joinHalves64 } from '../../../bytes/bits.ts';
import { crc32c } from '../../../bytes/crc32c.ts';
import { divideDown, divideUp, roundUp } from '../../../bytes/rounding.ts';
import { viewOf } from '../../../bytes/struct.ts';
import { type ResizableBlockDevice, readBytes } from '../../../device/block-device.ts';
import { assert, corrupt } from '../../../errors.ts';
import {
  BAT_ENTRY_BYTES,
  type BatGeometry,
  batGeometry,
  bitmapEntryIndex,
  PAYLOAD_BLOCK,
  packBatEntry,
  payloadEntryIndex,
} from '../block-allocation-table.ts';
import { KIB, MIB } from '../header.ts';
import {
  ITEM_FLAG,
  METADATA_ITEM,
  METADATA_TABLE_BYTES,
  metadataTableEntry,
  metadataTableHeader,
  virtualDiskSize,
} from '../metadata.ts';
import {
  REGION,
  REGION_TABLE_BYTES,
  REGION_TABLE_OFFSETS,
  regionTableEntry,
  regionTableHeader,
} from '../region-table.ts';
import { type Region, type Regions, regionTableProblem } from '../regions.ts';
import type { BlockSpace } from './block-space.ts';
import type { MetadataPages } from './metadata-pages.ts';

/** Edited pages of the table after which they are committed. */
const MAX_EDITED_PAGES = 8;
/** Bytes of the table that are built at once. */
const CHUNK_BYTES = 64 * KIB;

export interface GrownParts {
  readonly file: ResizableBlockDevice;
  readonly pages: MetadataPages;
  readonly space: BlockSpace;
  readonly regions: Regions;
  readonly geometry: BatGeometry;
  readonly logicalSectorSize: number;
  readonly hasParent: boolean;
  /** New blocks get their place at once, as in a fixed disk. */
  readonly allocateAll: boolean;
  /** Bytes of the disk up to which the parent would show through new blocks. */
  readonly parentSize: number;
}

/** What is different afterwards. */
export interface Grown {
  readonly geometry: BatGeometry;
  readonly bat: Region;
}

/**
 * Makes the disk `size` bytes large; what the last old block holds behind the old end must be zeros already. New entries of the
 * table are written first, behind those that count, or with all others to a larger place; the one log entry that then changes
 * the size, and the place of the table, makes them count.
 */
export async function growDisk(parts: GrownParts, size: number): Promise<Grown> {
  const { pages, regions, geometry: old } = parts;
  const geometry = batGeometry(size, old.blockSize, parts.logicalSectorSize, parts.hasParent);
  const entries = await planEntries(parts, geometry);
  const fits = geometry.entryCount * BAT_ENTRY_BYTES <= regions.bat.length;
  const bat = fits ? regions.bat : await moveTable(parts, geometry, entries);
  if (fits) {
    for (const [index, bytes] of entryChunks(entries, geometry.entryCount)) {
      await pages.writeBytes(bat.fileOffset + index * BAT_ENTRY_BYTES, bytes);
      if (pages.editedCount >= MAX_EDITED_PAGES) await pages.commit();
    }
    await pages.commit();
  } else await editRegionTables(parts, bat);
  await pages.writeBytes(await sizeItemOffset(parts), virtualDiskSize.build({ size }));
  await pages.commit();
  return { geometry, bat };
}

/** The entries that the table has from entry `first` on. */
interface NewEntries {
  readonly first: number;
  /** The 64-bit word of an entry by its number. */
  word(index: number): bigint;
}

async function planEntries(parts: GrownParts, geometry: BatGeometry): Promise<NewEntries> {
  const { geometry: old, pages, regions, space, allocateAll, hasParent, parentSize } = parts;
  const { blockSize, chunkRatio } = geometry;
  const firstBlock = old.payloadBlockCount;
  // With a parent the last chunk's entries are all there already; without, not even that of its sector bitmap is.
  const first = Math.min(old.entryCount, payloadEntryIndex(firstBlock, geometry));
  const bitmapIndex = bitmapEntryIndex(old.sectorBitmapBlockCount - 1, geometry);
  const bitmap =
    hasParent && firstBlock > 0
      ? await pages.readWord(regions.bat.fileOffset + bitmapIndex * BAT_ENTRY_BYTES)
      : undefined;
  const added = geometry.payloadBlockCount - firstBlock;
  const place = allocateAll && added > 0 ? await space.extend(added * blockSize) : 0;
  const hiddenEnd = hasParent ? divideUp(parentSize, blockSize) : 0;
  const word = (index: number): bigint => {
    if (index % (chunkRatio + 1) === chunkRatio)
      return index === bitmapIndex && bitmap !== undefined ? joinHalves64(bitmap.high, bitmap.low) : 0n;
    const block = index - divideDown(index, chunkRatio + 1);
    if (block >= geometry.payloadBlockCount) return 0n;
    if (allocateAll) return packBatEntry(PAYLOAD_BLOCK.fullyPresent, place + (block - firstBlock) * blockSize);
    return packBatEntry(block < hiddenEnd ? PAYLOAD_BLOCK.zero : PAYLOAD_BLOCK.notPresent, 0);
  };
  return { first, word };
}

/** The new entries up to entry `end` as bytes, with the number of the first in each piece. */
function* entryChunks({ first, word }: NewEntries, end: number): Generator<[number, Uint8Array], void> {
  const step = CHUNK_BYTES / BAT_ENTRY_BYTES;
  for (let from = first; from < end; from += step) {
    const bytes = new Uint8Array(Math.min(step, end - from) * BAT_ENTRY_BYTES);
    const view = viewOf(bytes);
    for (let at = 0; at < bytes.length; at += BAT_ENTRY_BYTES)
      view.setBigUint64(at, word(from + at / BAT_ENTRY_BYTES), true);
    yield [from, bytes];
  }
}

/** Writes the whole table to a larger place at the end of the file. The old place stays unused: the log may still name it. */
async function moveTable(
  { file, space, regions }: GrownParts,
  geometry: BatGeometry,
  entries: NewEntries,
): Promise<Region> {
  const length = roundUp(geometry.entryCount * BAT_ENTRY_BYTES, MIB);
  const fileOffset = await space.extend(length);
  const oldBytes = entries.first * BAT_ENTRY_BYTES;
  for (let done = 0; done < oldBytes; done += CHUNK_BYTES) {
    const bytes = await readBytes(file, regions.bat.fileOffset + done, Math.min(CHUNK_BYTES, oldBytes - done));
    await file.writeFrom(bytes, fileOffset + done);
  }
  for (const [index, bytes] of entryChunks(entries, geometry.entryCount))
    await file.writeFrom(bytes, fileOffset + index * BAT_ENTRY_BYTES);
  return { fileOffset, length };
}

/** Edits both copies of the region table so that they name the new place of the BAT. */
async function editRegionTables({ file, pages }: GrownParts, bat: Region): Promise<void> {
  const copies = await Promise.all(REGION_TABLE_OFFSETS.map((offset) => readBytes(file, offset, REGION_TABLE_BYTES)));
  // The one that was read: the other becomes like it.
  const valid = copies.find((copy) => regionTableProblem(copy) === undefined);
  assert(valid !== undefined, 'the region table was valid when the file was opened');
  // A damaged copy first becomes the same, in as many log entries as it takes: then both change in one.
  for (const offset of REGION_TABLE_OFFSETS) await pages.writeBytes(offset, valid);
  await pages.commit();
  const table = valid.slice();
  const count = regionTableHeader.fields.entryCount.get(viewOf(table), 0);
  const at = Array.from({ length: count }, (_, index) => regionTableHeader.size + index * regionTableEntry.size).find(
    (place) => regionTableEntry.fields.guid.get(viewOf(table), place) === REGION.bat,
  );
  assert(at !== undefined, 'the BAT region was there when the file was opened');
  regionTableEntry.write(table, bat, at);
  regionTableHeader.write(table, { checksum: 0 });
  regionTableHeader.write(table, { checksum: crc32c(table) });
  for (const offset of REGION_TABLE_OFFSETS) await pages.writeBytes(offset, table);
}

/** Where the size of the disk stands in the file. */
async function sizeItemOffset({ file, regions }: GrownParts): Promise<number> {
  const { fileOffset } = regions.metadata;
  const table = await readBytes(file, fileOffset, METADATA_TABLE_BYTES);
  const { entryCount } = metadataTableHeader.parse(table, 0, fileOffset);
  for (let index = 0; index < entryCount; index++) {
    const entry = metadataTableEntry.parse(table, metadataTableHeader.size + index * metadataTableEntry.size);
    // A user's item may bear any GUID (MS-VHDX 2.6.1.2).
    const isUser = hasBit(entry.flags, ITEM_FLAG.isUser);
    if (entry.itemId === METADATA_ITEM.virtualDiskSize && !isUser) return fileOffset + entry.offset;
  }
  throw corrupt({ layer: 'vhdx', structure: 'metadata table', offset: fileOffset, expected: 'a virtual disk size' });
}
