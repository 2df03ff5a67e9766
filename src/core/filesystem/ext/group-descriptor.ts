import { Struct, u16le, u32le } from '../../bytes/struct.ts';

/** `struct ext4_group_desc` (kernel documentation, ext4 "Block Group Descriptors"): the part that is always there. */
export const GROUP_DESCRIPTOR = new Struct(
  'ext',
  'group descriptor',
  {
    blockBitmapLow: u32le(0x00),
    inodeBitmapLow: u32le(0x04),
    inodeTableLow: u32le(0x08),
    freeBlockCountLow: u16le(0x0c),
    freeInodeCountLow: u16le(0x0e),
    usedDirectoryCountLow: u16le(0x10),
    flags: u16le(0x12),
  },
  32,
);

/** The upper halves, with the 64bit feature. */
export const GROUP_DESCRIPTOR_HIGH = new Struct(
  'ext',
  'group descriptor',
  { blockBitmapHigh: u32le(0x20), inodeBitmapHigh: u32le(0x24), inodeTableHigh: u32le(0x28) },
  64,
);
