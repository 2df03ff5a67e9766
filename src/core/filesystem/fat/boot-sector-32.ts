import { Struct, u16le, u32le } from '../../bytes/struct.ts';

/** What only a FAT32 boot sector has: FAT specification section 3.3, "Extended BPB structure for FAT32 volumes". */
export const bootSector32 = new Struct(
  'fat',
  'boot sector',
  {
    sectorsPerFat32: u32le(36),
    /** Bits 0 to 3: the active FAT; bit 7: only that one is kept up to date. */
    extendedFlags: u16le(40),
    version: u16le(42),
    rootCluster: u32le(44),
    fsInfoSector: u16le(48),
    backupBootSector: u16le(50),
  },
  512,
);
