import { open } from 'node:fs/promises';
import { crc32cWithoutField } from '../../../../src/core/bytes/crc32c.ts';
import { roundUp } from '../../../../src/core/bytes/rounding.ts';
import {
  BAT_ENTRY_BYTES,
  type BatGeometry,
  batGeometry,
  bitmapEntryIndex,
  packBatEntry,
  payloadEntryIndex,
} from '../../../../src/core/container/vhdx/block-allocation-table.ts';
import {
  fileIdentifier,
  HEADER_BYTES,
  HEADER_OFFSETS,
  HEADER_SIGNATURE,
  MIB,
  vhdxHeader,
} from '../../../../src/core/container/vhdx/header.ts';
import {
  fileParameters,
  METADATA_ITEM,
  METADATA_TABLE_BYTES,
  metadataTableEntry,
  metadataTableHeader,
  sectorSizeItem,
  virtualDiskId,
  virtualDiskSize,
} from '../../../../src/core/container/vhdx/metadata.ts';
import {
  parentLocatorEntry,
  parentLocatorHeader,
  VHDX_PARENT_LOCATOR,
} from '../../../../src/core/container/vhdx/parent-locator.ts';
import {
  REGION,
  REGION_TABLE_BYTES,
  REGION_TABLE_OFFSETS,
  REGION_TABLE_SIGNATURE,
  regionTableEntry,
  regionTableHeader,
} from '../../../../src/core/container/vhdx/region-table.ts';
import { MemoryDevice, OverlayDevice, readBytes } from '../../../../src/core/index.ts';

export const DISK_ID = '11111111-2222-4333-8444-555555555555';
export const DATA_WRITE_GUID = 'AAAAAAAA-0000-4000-8000-000000000001';
export const LOG_GUID = '01010101-0202-4303-8404-050505050505';
/** Room for everything that a test image may have; only what is written takes memory. */
const SPARSE_BYTES = 2 ** 44;

export type HeaderValues = Parameters<typeof vhdxHeader.write>[1];

/** A payload block: where it has a place, `data` is written at byte `at` of it. */
export interface BlockRecipe {
  readonly state: number;
  readonly data?: Uint8Array;
  readonly at?: number;
  /** A place of its own instead of the next free one; 0 for none. */
  readonly fileOffset?: number;
}

export interface MetadataRecipe {
  readonly id: string;
  readonly bytes: Uint8Array;
  readonly flags?: number;
  readonly offset?: number;
  readonly length?: number;
}

/** An image to build. Sizes in bytes. */
export interface VhdxRecipe {
  readonly virtualSize: number;
  readonly blockSize?: number;
  readonly sectorSize?: number;
  readonly isFixed?: boolean;
  readonly logLength?: number;
  /** By the number of the payload block; others are not present. */
  readonly blocks?: Readonly<Record<number, BlockRecipe>>;
  /** Sectors that the bitmaps say are present, by chunk: pairs of the first sector and how many. */
  readonly bitmaps?: Readonly<Record<number, readonly (readonly [number, number])[]>>;
  /** The keys and values of the parent locator; makes the image a differencing one. */
  readonly parent?: Readonly<Record<string, string>>;
  readonly header?: HeaderValues;
  /** More metadata items, or others in place of those with the same ID. */
  readonly metadata?: readonly MetadataRecipe[];
  readonly regions?: readonly Parameters<typeof regionTableEntry.write>[1][];
}

export interface BuiltVhdx {
  /** Sparse, and as long as the file would be. */
  readonly device: OverlayDevice;
  readonly geometry: BatGeometry;
  readonly logOffset: number;
  readonly batOffset: number;
  readonly metadataOffset: number;
  /** Where each block that has a place stands, by its number. */
  readonly places: ReadonlyMap<number, number>;
  readonly header: HeaderValues;
  /** Writes the image to a sparse file; returns its path. */
  save(path: string): Promise<string>;
}

/** Builds an image with the structure tables: headers, log, BAT, metadata, sector bitmaps, blocks, in this order. */
export async function buildVhdx(recipe: VhdxRecipe): Promise<BuiltVhdx> {
  const { virtualSize, blockSize = MIB, sectorSize = 512, logLength = MIB, blocks = {}, bitmaps = {} } = recipe;
  const device = new OverlayDevice(new MemoryDevice(new Uint8Array(0)), { size: SPARSE_BYTES });
  const geometry = batGeometry(virtualSize, blockSize, sectorSize, recipe.parent !== undefined);
  const batOffset = MIB + logLength;
  const batLength = Math.max(MIB, roundUp(geometry.entryCount * BAT_ENTRY_BYTES, MIB));
  const metadataOffset = batOffset + batLength;
  await device.writeFrom(fileIdentifier.build({ signature: Buffer.from('vhdxfile'), creator: creator('test') }), 0);
  const header = {
    sequenceNumber: 7n,
    fileWriteGuid: 'FFFFFFFF-0000-4000-8000-000000000001',
    dataWriteGuid: DATA_WRITE_GUID,
    version: 1,
    logLength,
    logOffset: MIB,
    ...recipe.header,
  };
  await writeHeader(device, 0, { ...header, sequenceNumber: (header.sequenceNumber ?? 7n) - 1n });
  await writeHeader(device, 1, header);
  const regions = recipe.regions ?? [
    { guid: REGION.bat, fileOffset: batOffset, length: batLength, required: 1 },
    { guid: REGION.metadata, fileOffset: metadataOffset, length: MIB, required: 1 },
  ];
  for (const copy of [0, 1] as const) await writeRegionTable(device, copy, regions);
  await writeMetadata(device, metadataOffset, metadataItems(recipe));
  const places = new Map<number, number>();
  let free = metadataOffset + MIB;
  const writeEntry = async (index: number, state: number, fileOffset: number): Promise<void> =>
    device.writeFrom(batWord(state, fileOffset), batOffset + index * BAT_ENTRY_BYTES);
  for (const [chunk, runs] of Object.entries(bitmaps)) {
    await device.writeFrom(bitmapBytes(runs), free);
    await writeEntry(bitmapEntryIndex(Number(chunk), geometry), 6, free);
    free += MIB;
  }
  for (const [block, { state, data, at = 0, fileOffset }] of Object.entries(blocks)) {
    const hasPlace = fileOffset === undefined && (state >= 6 || data !== undefined);
    const place = fileOffset ?? (hasPlace ? free : 0);
    if (hasPlace) free += blockSize;
    if (place > 0) places.set(Number(block), place);
    if (data !== undefined) await device.writeFrom(data, place + at);
    await writeEntry(payloadEntryIndex(Number(block), geometry), state, place);
  }
  const trimmed = new OverlayDevice(device, { size: free });
  const save = async (path: string): Promise<string> => {
    await using file = await open(path, 'w');
    await file.truncate(free);
    for (const { start, length } of [...device.changes(), ...trimmed.changes()])
      await file.write(await readBytes(trimmed, start, Math.min(length, free - start)), 0, undefined, start);
    return path;
  };
  return { device: trimmed, geometry, logOffset: MIB, batOffset, metadataOffset, places, header, save };
}

function creator(text: string): Uint8Array {
  const bytes = new Uint8Array(512);
  bytes.set(Buffer.from(text, 'utf16le'));
  return bytes;
}

export function batWord(state: number, fileOffset: number): Uint8Array {
  const bytes = Buffer.alloc(BAT_ENTRY_BYTES);
  bytes.writeBigUInt64LE(packBatEntry(state, fileOffset));
  return bytes;
}

function bitmapBytes(runs: readonly (readonly [number, number])[]): Uint8Array {
  const bytes = new Uint8Array(MIB);
  for (const [first, count] of runs) {
    for (let sector = first; sector < first + count; sector++) {
      const byte = Math.floor(sector / 8);
      bytes[byte] = bytes[byte]! + 2 ** (sector % 8);
    }
  }
  return bytes;
}

/** Writes one of the headers, with its checksum. */
export async function writeHeader(device: OverlayDevice, index: 0 | 1, values: HeaderValues): Promise<void> {
  const bytes = vhdxHeader.build({ signature: HEADER_SIGNATURE, ...values });
  vhdxHeader.write(bytes, { checksum: crc32cWithoutField(bytes.subarray(0, HEADER_BYTES), 4) });
  await device.writeFrom(bytes, HEADER_OFFSETS[index]);
}

/** Writes one copy of the region table, with its checksum. */
export async function writeRegionTable(
  device: OverlayDevice,
  copy: 0 | 1,
  regions: readonly Parameters<typeof regionTableEntry.write>[1][],
  entryCount: number = regions.length,
): Promise<void> {
  const bytes = new Uint8Array(REGION_TABLE_BYTES);
  regionTableHeader.write(bytes, { signature: REGION_TABLE_SIGNATURE, entryCount });
  for (const [index, values] of regions.entries())
    regionTableEntry.write(bytes, values, regionTableHeader.size + index * regionTableEntry.size);
  regionTableHeader.write(bytes, { checksum: crc32cWithoutField(bytes, 4) });
  await device.writeFrom(bytes, REGION_TABLE_OFFSETS[copy]);
}

function metadataItems(recipe: VhdxRecipe): MetadataRecipe[] {
  const { virtualSize, blockSize = MIB, sectorSize = 512, isFixed = false, parent } = recipe;
  const flags = (isFixed ? 1 : 0) + (parent === undefined ? 0 : 2);
  const items: MetadataRecipe[] = [
    { id: METADATA_ITEM.fileParameters, bytes: fileParameters.build({ blockSize, flags }) },
    { id: METADATA_ITEM.virtualDiskSize, bytes: virtualDiskSize.build({ size: virtualSize }) },
    { id: METADATA_ITEM.virtualDiskId, bytes: virtualDiskId.build({ id: DISK_ID }) },
    { id: METADATA_ITEM.logicalSectorSize, bytes: sectorSizeItem.build({ size: sectorSize }) },
    { id: METADATA_ITEM.physicalSectorSize, bytes: sectorSizeItem.build({ size: 4096 }) },
  ];
  if (parent !== undefined) items.push({ id: METADATA_ITEM.parentLocator, bytes: locatorItem(Object.entries(parent)) });
  const more = recipe.metadata ?? [];
  return [...items.filter(({ id }) => !more.some((other) => other.id === id)), ...more];
}

/** A parent locator item. */
export function locatorItem(
  values: readonly (readonly [string, string])[],
  locatorType: string = VHDX_PARENT_LOCATOR,
): Uint8Array {
  const texts = values.flat().map((text) => Buffer.from(text, 'utf16le'));
  const tableEnd = parentLocatorHeader.size + values.length * parentLocatorEntry.size;
  const bytes = new Uint8Array(tableEnd + texts.reduce((sum, text) => sum + text.length, 0));
  parentLocatorHeader.write(bytes, { locatorType, keyValueCount: values.length });
  let at = tableEnd;
  for (let index = 0; index < values.length; index++) {
    const [key, value] = [texts[index * 2]!, texts[index * 2 + 1]!];
    bytes.set(key, at);
    bytes.set(value, at + key.length);
    const entry = {
      keyOffset: at,
      keyLength: key.length,
      valueOffset: at + key.length,
      valueLength: value.length,
    };
    parentLocatorEntry.write(bytes, entry, parentLocatorHeader.size + index * parentLocatorEntry.size);
    at += key.length + value.length;
  }
  return bytes;
}

async function writeMetadata(
  device: OverlayDevice,
  regionOffset: number,
  items: readonly MetadataRecipe[],
): Promise<void> {
  const table = new Uint8Array(METADATA_TABLE_BYTES);
  metadataTableHeader.write(table, { signature: Buffer.from('metadata'), entryCount: items.length });
  let offset = METADATA_TABLE_BYTES;
  for (const [index, item] of items.entries()) {
    const values = {
      itemId: item.id,
      offset: item.offset ?? offset,
      length: item.length ?? item.bytes.length,
      flags: item.flags ?? 4,
    };
    metadataTableEntry.write(table, values, metadataTableHeader.size + index * metadataTableEntry.size);
    await device.writeFrom(item.bytes, regionOffset + offset);
    offset += roundUp(item.bytes.length, 16);
  }
  await device.writeFrom(table, regionOffset);
}
