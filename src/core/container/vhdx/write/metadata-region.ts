import { randomGuid } from '../../../bytes/guid.ts';
import { roundUp } from '../../../bytes/rounding.ts';
import { outOfRange } from '../../../errors.ts';
import {
  FILE_PARAMETER_FLAG,
  fileParameters,
  ITEM_FLAG,
  METADATA_ITEM,
  METADATA_SIGNATURE,
  METADATA_TABLE_BYTES,
  metadataTableEntry,
  metadataTableHeader,
  sectorSizeItem,
  virtualDiskId,
  virtualDiskSize,
} from '../metadata.ts';
import { PARENT_KEY, parentLocatorEntry, parentLocatorHeader, VHDX_PARENT_LOCATOR } from '../parent-locator.ts';

/** How a differencing disk names its parent; at least one path. */
export interface ParentReference {
  /** Of the parent's current header; the parent must not be written from then on. */
  readonly dataWriteGuid: string;
  /** From the directory of the child; stored with backslashes, as Windows reads it. */
  readonly relativePath?: string | undefined;
  readonly absoluteWin32Path?: string | undefined;
  /** `\\?\Volume{...}\path`. */
  readonly volumePath?: string | undefined;
}

interface MetadataValues {
  readonly virtualSize: number;
  readonly blockSize: number;
  readonly logicalSectorSize: number;
  readonly physicalSectorSize: number;
  readonly leaveBlockAllocated: boolean;
  readonly parent: ParentReference | undefined;
}

interface Item {
  readonly id: string;
  readonly bytes: Uint8Array;
  /** Says something of the disk that its user sees, not of the file (MS-VHDX 2.6.1.2). */
  readonly isVirtualDisk: boolean;
}

/** A length in the parent locator is a 16-bit field, in bytes (MS-VHDX 2.6.2.6.2). */
const MAX_LOCATOR_TEXT_BYTES = 0xffff;

/** The start of a new metadata region: the table and every item that the specification asks for (MS-VHDX 2.6). */
export function buildMetadata(values: MetadataValues): Uint8Array {
  const { parent, logicalSectorSize, physicalSectorSize } = values;
  const flags = flagMask({
    [FILE_PARAMETER_FLAG.leaveBlockAllocated]: values.leaveBlockAllocated,
    [FILE_PARAMETER_FLAG.hasParent]: parent !== undefined,
  });
  const items: Item[] = [
    {
      id: METADATA_ITEM.fileParameters,
      bytes: fileParameters.build({ blockSize: values.blockSize, flags }),
      isVirtualDisk: false,
    },
    {
      id: METADATA_ITEM.virtualDiskSize,
      bytes: virtualDiskSize.build({ size: values.virtualSize }),
      isVirtualDisk: true,
    },
    { id: METADATA_ITEM.virtualDiskId, bytes: virtualDiskId.build({ id: randomGuid() }), isVirtualDisk: true },
    {
      id: METADATA_ITEM.logicalSectorSize,
      bytes: sectorSizeItem.build({ size: logicalSectorSize }),
      isVirtualDisk: true,
    },
    {
      id: METADATA_ITEM.physicalSectorSize,
      bytes: sectorSizeItem.build({ size: physicalSectorSize }),
      isVirtualDisk: true,
    },
  ];
  if (parent !== undefined)
    items.push({ id: METADATA_ITEM.parentLocator, bytes: buildParentLocator(parent), isVirtualDisk: false });
  return layItems(items);
}

/** The items behind the table, each from a multiple of 8 bytes, so that none of the small ones spans two log sectors. */
function layItems(items: readonly Item[]): Uint8Array {
  const end = items.reduce((at, { bytes }) => roundUp(at, 8) + bytes.length, METADATA_TABLE_BYTES);
  const region = new Uint8Array(end);
  const signature = new TextEncoder().encode(METADATA_SIGNATURE);
  metadataTableHeader.write(region, { signature, entryCount: items.length });
  let offset = METADATA_TABLE_BYTES;
  for (const [index, { id, bytes, isVirtualDisk }] of items.entries()) {
    offset = roundUp(offset, 8);
    const flags = flagMask({ [ITEM_FLAG.isVirtualDisk]: isVirtualDisk, [ITEM_FLAG.isRequired]: true });
    const at = metadataTableHeader.size + index * metadataTableEntry.size;
    metadataTableEntry.write(region, { itemId: id, offset, length: bytes.length, flags }, at);
    region.set(bytes, offset);
    offset += bytes.length;
  }
  return region;
}

/** The word in which the bits named by number are set where true. */
function flagMask(bits: Readonly<Record<number, boolean>>): number {
  return Object.entries(bits).reduce((mask, [bit, set]) => mask + (set ? 2 ** Number(bit) : 0), 0);
}

/** MS-VHDX 2.6.2.6. */
function buildParentLocator(parent: ParentReference): Uint8Array {
  const pairs: [string, string][] = [[PARENT_KEY.parentLinkage, `{${parent.dataWriteGuid.toLowerCase()}}`]];
  if (parent.relativePath !== undefined)
    pairs.push([PARENT_KEY.relativePath, parent.relativePath.replaceAll('/', '\\')]);
  if (parent.volumePath !== undefined) pairs.push([PARENT_KEY.volumePath, parent.volumePath]);
  if (parent.absoluteWin32Path !== undefined) pairs.push([PARENT_KEY.absoluteWin32Path, parent.absoluteWin32Path]);
  if (pairs.length === 1)
    throw outOfRange({ layer: 'vhdx', structure: 'parent locator', expected: 'a path of the parent', found: 'none' });
  const texts = pairs.map((pair) => pair.map((text) => Buffer.from(text, 'utf16le')));
  const tableEnd = parentLocatorHeader.size + pairs.length * parentLocatorEntry.size;
  const item = new Uint8Array(texts.flat().reduce((end, text) => end + text.length, tableEnd));
  parentLocatorHeader.write(item, { locatorType: VHDX_PARENT_LOCATOR, keyValueCount: pairs.length });
  let offset = tableEnd;
  for (const [index, [key, value]] of texts.entries()) {
    checkLocatorText(value!);
    const at = parentLocatorHeader.size + index * parentLocatorEntry.size;
    const valueOffset = offset + key!.length;
    const entry = { keyOffset: offset, valueOffset, keyLength: key!.length, valueLength: value!.length };
    parentLocatorEntry.write(item, entry, at);
    item.set(key!, offset);
    item.set(value!, valueOffset);
    offset = valueOffset + value!.length;
  }
  return item;
}

function checkLocatorText(text: Uint8Array): void {
  if (text.length > 0 && text.length <= MAX_LOCATOR_TEXT_BYTES) return;
  throw outOfRange({
    layer: 'vhdx',
    structure: 'parent locator',
    expected: `a path of 1 to ${MAX_LOCATOR_TEXT_BYTES} bytes of UTF-16`,
    found: text.length,
  });
}
