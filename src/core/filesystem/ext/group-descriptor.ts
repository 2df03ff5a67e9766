import { joinHalves } from '../../bytes/bits.ts';
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
    blockBitmapSumLow: u16le(0x18),
    inodeBitmapSumLow: u16le(0x1a),
    unusedInodeCountLow: u16le(0x1c),
  },
  32,
);

/** The upper halves, with the 64bit feature. */
export const GROUP_DESCRIPTOR_HIGH = new Struct(
  'ext',
  'group descriptor',
  {
    blockBitmapHigh: u32le(0x20),
    inodeBitmapHigh: u32le(0x24),
    inodeTableHigh: u32le(0x28),
    freeBlockCountHigh: u16le(0x2c),
    freeInodeCountHigh: u16le(0x2e),
    usedDirectoryCountHigh: u16le(0x30),
    unusedInodeCountHigh: u16le(0x32),
    blockBitmapSumHigh: u16le(0x38),
    inodeBitmapSumHigh: u16le(0x3a),
  },
  64,
);

/** Bits of `flags`, with checksums of descriptors: the bitmap, or the inodes, were never written. */
export const GROUP_FLAG = { inodesUnwritten: 0, blocksUnwritten: 1 } as const;

/** A group descriptor whole, in the words of its group. */
export interface GroupDescriptor {
  readonly blockBitmap: number;
  readonly inodeBitmap: number;
  readonly inodeTable: number;
  readonly freeBlockCount: number;
  readonly freeInodeCount: number;
  readonly usedDirectoryCount: number;
  readonly unusedInodeCount: number;
  readonly flags: number;
  /** Of the block and the inode bitmap: 16 bits, or 32 where there is room for them. */
  readonly bitmapSums: readonly [number, number];
}

/** Joins both halves of a descriptor; `bytes` has the size that the filesystem gives them. */
export function parseDescriptor(bytes: Uint8Array, offset: number): GroupDescriptor {
  const low = GROUP_DESCRIPTOR.parse(bytes, 0, offset);
  const high = bytes.length >= GROUP_DESCRIPTOR_HIGH.size ? GROUP_DESCRIPTOR_HIGH.parse(bytes, 0, offset) : undefined;
  const half = (upper: number | undefined, lower: number): number => (upper ?? 0) * 2 ** 16 + lower;
  return {
    blockBitmap: joinHalves(high?.blockBitmapHigh ?? 0, low.blockBitmapLow),
    inodeBitmap: joinHalves(high?.inodeBitmapHigh ?? 0, low.inodeBitmapLow),
    inodeTable: joinHalves(high?.inodeTableHigh ?? 0, low.inodeTableLow),
    freeBlockCount: half(high?.freeBlockCountHigh, low.freeBlockCountLow),
    freeInodeCount: half(high?.freeInodeCountHigh, low.freeInodeCountLow),
    usedDirectoryCount: half(high?.usedDirectoryCountHigh, low.usedDirectoryCountLow),
    unusedInodeCount: half(high?.unusedInodeCountHigh, low.unusedInodeCountLow),
    flags: low.flags,
    bitmapSums: [
      half(high?.blockBitmapSumHigh, low.blockBitmapSumLow),
      half(high?.inodeBitmapSumHigh, low.inodeBitmapSumLow),
    ],
  };
}
