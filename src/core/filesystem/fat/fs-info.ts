import { Struct, u32le } from '../../bytes/struct.ts';

/** FAT32's hints about free space: FAT specification section 5. */
export const fsInfo = new Struct(
  'fat',
  'FSInfo',
  {
    leadSignature: u32le(0),
    structureSignature: u32le(484),
    /** 0xFFFFFFFF when unknown; a hint, not a fact. */
    freeCount: u32le(488),
    nextFree: u32le(492),
    trailSignature: u32le(508),
  },
  512,
);

export const FS_INFO_LEAD = 0x41615252;
export const FS_INFO_STRUCTURE = 0x61417272;
export const FS_INFO_TRAIL = 0xaa550000;
/** A count or number that FSInfo does not know. */
export const FS_INFO_UNKNOWN = 0xffffffff;
