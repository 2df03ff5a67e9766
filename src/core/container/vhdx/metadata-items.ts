import { hasBit } from '../../bytes/bits.ts';
import { isPowerOfTwo } from '../../bytes/rounding.ts';
import type { StructValue } from '../../bytes/struct.ts';
import { type BlockDevice, readBytes } from '../../device/block-device.ts';
import { corrupt, type DiskError, unsupported } from '../../errors.ts';
import type { OpenContext } from '../../format.ts';
import { MIB } from './header.ts';
import {
  FILE_PARAMETER_FLAG,
  fileParameters,
  ITEM_FLAG,
  MAX_METADATA_ITEMS,
  METADATA_ITEM,
  METADATA_SIGNATURE,
  METADATA_TABLE_BYTES,
  metadataTableEntry,
  metadataTableHeader,
  sectorSizeItem,
  virtualDiskId,
  virtualDiskSize,
} from './metadata.ts';
import type { Region } from './regions.ts';

/** MS-VHDX 2.6.1.2. */
const MAX_ITEM_BYTES = MIB;
/** MS-VHDX 2.6.2.1. */
const MIN_BLOCK_BYTES = MIB;
const MAX_BLOCK_BYTES = 256 * MIB;
/** MS-VHDX 2.6.2.2: 64 TiB. */
const MAX_VIRTUAL_BYTES = 64 * 2 ** 40;
const SECTOR_SIZES: readonly number[] = [512, 4096];

/** A metadata item as it stands in the file. */
export interface MetadataItem {
  /** Where it stands, in bytes of the file. */
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** What the metadata say of the disk, checked. Sizes in bytes. */
export interface VhdxMetadata {
  readonly blockSize: number;
  readonly leaveBlockAllocated: boolean;
  readonly hasParent: boolean;
  readonly virtualSize: number;
  readonly logicalSectorSize: number;
  /** Undefined when the item is missing. */
  readonly physicalSectorSize: number | undefined;
  readonly virtualDiskId: string | undefined;
  /** There when `hasParent` is. */
  readonly parentLocator: MetadataItem | undefined;
}

type TableEntry = StructValue<typeof metadataTableEntry.fields> & { readonly tableOffset: number };

/** The metadata of the disk (MS-VHDX 2.6); unknown required items are UNSUPPORTED by their GUID. `device` is the file after replay. */
export async function readMetadata(device: BlockDevice, region: Region, context: OpenContext): Promise<VhdxMetadata> {
  const table = await readTable(device, region);
  const items = new Map<string, MetadataItem>();
  for (const id of Object.values(METADATA_ITEM)) {
    const entry = table.find(({ itemId, flags }) => itemId === id && !hasBit(flags, ITEM_FLAG.isUser));
    if (entry !== undefined) items.set(id, await readItem(device, region, entry));
  }
  const need = (id: string, name: string): MetadataItem => {
    const item = items.get(id);
    if (item === undefined) throw invalid('metadata table', region.fileOffset, `the item ${name} (${id})`, 'none');
    return item;
  };
  const parameters = checkParameters(need(METADATA_ITEM.fileParameters, 'file parameters'));
  const logicalSectorSize = checkSectorSize(need(METADATA_ITEM.logicalSectorSize, 'logical sector size'));
  const virtualSize = checkVirtualSize(need(METADATA_ITEM.virtualDiskSize, 'virtual disk size'), logicalSectorSize);
  if (parameters.hasParent) need(METADATA_ITEM.parentLocator, 'parent locator');
  const optional = optionalItems(items, region, context);
  return {
    ...parameters,
    ...optional,
    virtualSize,
    logicalSectorSize,
    parentLocator: parameters.hasParent ? items.get(METADATA_ITEM.parentLocator) : undefined,
  };
}

async function readTable(device: BlockDevice, { fileOffset, length }: Region): Promise<TableEntry[]> {
  if (fileOffset + METADATA_TABLE_BYTES > device.size)
    throw invalid('metadata table', fileOffset, 'a whole table', `the end of the file at ${device.size}`);
  const bytes = await readBytes(device, fileOffset, METADATA_TABLE_BYTES);
  const { signature, entryCount } = metadataTableHeader.parse(bytes, 0, fileOffset);
  const magic = Buffer.from(signature).toString('latin1');
  if (magic !== METADATA_SIGNATURE) throw invalid('metadata table', fileOffset, METADATA_SIGNATURE, magic);
  if (entryCount > MAX_METADATA_ITEMS)
    throw invalid('metadata table entryCount', fileOffset, `at most ${MAX_METADATA_ITEMS}`, entryCount);
  const entries = Array.from({ length: entryCount }, (_, index) => {
    const at = metadataTableHeader.size + index * metadataTableEntry.size;
    const tableOffset = fileOffset + at;
    return { ...metadataTableEntry.parse(bytes, at, tableOffset), tableOffset };
  });
  checkEntries(entries, length);
  return entries;
}

/** MS-VHDX 2.6.1.2: each item lies inside the region, behind the table; ItemId and IsUser are unique together. */
function checkEntries(entries: readonly TableEntry[], regionLength: number): void {
  const known: string[] = Object.values(METADATA_ITEM);
  const seen = new Set<string>();
  const unknown: TableEntry[] = [];
  for (const entry of entries) {
    const { itemId, offset, length, flags, tableOffset } = entry;
    const isUser = hasBit(flags, ITEM_FLAG.isUser);
    const isKnown = !isUser && known.includes(itemId);
    if (!isKnown && hasBit(flags, ITEM_FLAG.isRequired)) unknown.push(entry);
    if (seen.has(`${itemId} ${isUser}`)) throw invalid('metadata table entry', tableOffset, 'each item once', itemId);
    seen.add(`${itemId} ${isUser}`);
    const isEmpty = offset === 0 && length === 0;
    const isInside = offset >= METADATA_TABLE_BYTES && offset + length <= regionLength && length <= MAX_ITEM_BYTES;
    if (isKnown && !isEmpty && !isInside) {
      const room = `an item of at most ${MAX_ITEM_BYTES} bytes between ${METADATA_TABLE_BYTES} and ${regionLength}`;
      throw invalid('metadata table entry', tableOffset, room, `${length} bytes at ${offset}`);
    }
  }
  if (unknown.length === 0) return;
  throw unsupported({
    layer: 'vhdx',
    structure: 'metadata table entry',
    offset: unknown[0]!.tableOffset,
    expected: 'no required item that is not known',
    found: unknown.map(({ itemId }) => itemId).join(', '),
  });
}

async function readItem(device: BlockDevice, region: Region, entry: TableEntry): Promise<MetadataItem> {
  const offset = region.fileOffset + entry.offset;
  if (entry.length === 0) return { offset, bytes: new Uint8Array(0) };
  if (offset + entry.length > device.size)
    throw invalid('metadata item', offset, `${entry.length} bytes`, `the end of the file at ${device.size}`);
  return { offset, bytes: await readBytes(device, offset, entry.length) };
}

function checkParameters({
  bytes,
  offset,
}: MetadataItem): Pick<VhdxMetadata, 'blockSize' | 'hasParent' | 'leaveBlockAllocated'> {
  const { blockSize, flags } = fileParameters.parse(bytes, 0, offset);
  if (blockSize < MIN_BLOCK_BYTES || blockSize > MAX_BLOCK_BYTES || !isPowerOfTwo(blockSize)) {
    const expected = `a power of two from ${MIN_BLOCK_BYTES} to ${MAX_BLOCK_BYTES}`;
    throw invalid('file parameters blockSize', offset, expected, blockSize);
  }
  return {
    blockSize,
    hasParent: hasBit(flags, FILE_PARAMETER_FLAG.hasParent),
    leaveBlockAllocated: hasBit(flags, FILE_PARAMETER_FLAG.leaveBlockAllocated),
  };
}

function checkSectorSize({ bytes, offset }: MetadataItem): number {
  const { size } = sectorSizeItem.parse(bytes, 0, offset);
  if (!SECTOR_SIZES.includes(size)) throw invalid('logical sector size', offset, SECTOR_SIZES.join(' or '), size);
  return size;
}

function checkVirtualSize({ bytes, offset }: MetadataItem, sectorSize: number): number {
  const { size } = virtualDiskSize.parse(bytes, 0, offset);
  if (size > MAX_VIRTUAL_BYTES) throw invalid('virtual disk size', offset, `at most ${MAX_VIRTUAL_BYTES} bytes`, size);
  if (size % sectorSize !== 0) throw invalid('virtual disk size', offset, `whole sectors of ${sectorSize} bytes`, size);
  return size;
}

/** Required by the specification as well, but nothing that is read depends on them: their absence is only said. */
function optionalItems(
  items: ReadonlyMap<string, MetadataItem>,
  region: Region,
  context: OpenContext,
): Pick<VhdxMetadata, 'physicalSectorSize' | 'virtualDiskId'> {
  const report = (structure: string, message: string, offset = region.fileOffset): void =>
    context.report({ layer: 'vhdx', structure, offset, message });
  const physical = items.get(METADATA_ITEM.physicalSectorSize);
  const id = items.get(METADATA_ITEM.virtualDiskId);
  if (physical === undefined) report('metadata table', 'the physical sector size is missing');
  if (id === undefined) report('metadata table', 'the virtual disk ID is missing');
  const physicalSectorSize =
    physical === undefined ? undefined : sectorSizeItem.parse(physical.bytes, 0, physical.offset).size;
  if (physicalSectorSize !== undefined && !SECTOR_SIZES.includes(physicalSectorSize))
    report('physical sector size', `${physicalSectorSize} is neither ${SECTOR_SIZES.join(' nor ')}`, physical?.offset);
  return {
    physicalSectorSize,
    virtualDiskId: id === undefined ? undefined : virtualDiskId.parse(id.bytes, 0, id.offset).id,
  };
}

function invalid(structure: string, offset: number, expected: string, found: string | number): DiskError {
  return corrupt({ layer: 'vhdx', structure, offset, expected, found });
}
