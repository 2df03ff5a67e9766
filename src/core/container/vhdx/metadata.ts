import { byteArray, guid, Struct, u16le, u32le, u64le } from '../../bytes/struct.ts';
import { KIB } from './header.ts';

/** The metadata table; items stand behind it (MS-VHDX 2.6.1). */
export const METADATA_TABLE_BYTES = 64 * KIB;
/** "metadata". */
export const METADATA_SIGNATURE = 'metadata';
export const MAX_METADATA_ITEMS = 2047;

/** MS-VHDX 2.6.1.1. */
export const metadataTableHeader = new Struct(
  'vhdx',
  'metadata table',
  { signature: byteArray(0, 8), entryCount: u16le(10) },
  32,
);

/** MS-VHDX 2.6.1.2; `offset` counts from the start of the metadata region; bits of `flags`: `ITEM_FLAG`. */
export const metadataTableEntry = new Struct(
  'vhdx',
  'metadata table entry',
  { itemId: guid(0), offset: u32le(16), length: u32le(20), flags: u32le(24) },
  32,
);
export const ITEM_FLAG = { isUser: 0, isVirtualDisk: 1, isRequired: 2 } as const;

/** The items that the specification knows (MS-VHDX 2.6.2). */
export const METADATA_ITEM = {
  fileParameters: 'CAA16737-FA36-4D43-B3B6-33F0AA44E76B',
  virtualDiskSize: '2FA54224-CD1B-4876-B211-5DBED83BF4B8',
  virtualDiskId: 'BECA12AB-B2E6-4523-93EF-C309E000C746',
  logicalSectorSize: '8141BF1D-A96F-4709-BA47-F233A8FAAB5F',
  physicalSectorSize: 'CDA348C7-445D-4471-9CC9-E9885251C556',
  parentLocator: 'A8D35F2D-B30B-454D-ABF7-D3D84834AB0C',
} as const;

/** MS-VHDX 2.6.2.1; bits of `flags`: `FILE_PARAMETER_FLAG`. */
export const fileParameters = new Struct('vhdx', 'file parameters', { blockSize: u32le(0), flags: u32le(4) });
export const FILE_PARAMETER_FLAG = { leaveBlockAllocated: 0, hasParent: 1 } as const;

/** MS-VHDX 2.6.2.2, in bytes. */
export const virtualDiskSize = new Struct('vhdx', 'virtual disk size', { size: u64le(0) });
/** MS-VHDX 2.6.2.3. */
export const virtualDiskId = new Struct('vhdx', 'virtual disk ID', { id: guid(0) });
/** MS-VHDX 2.6.2.4 and 2.6.2.5, in bytes. */
export const sectorSizeItem = new Struct('vhdx', 'sector size', { size: u32le(0) });
