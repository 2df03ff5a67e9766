import { byteArray, Struct, u8, u16le, u32le } from '../../bytes/struct.ts';

/** The part of the boot sector that every FAT has: FAT specification (fatgen103) section 3.1, "BPB structure common to FAT12, FAT16 and FAT32". */
export const bootSector = new Struct(
  'fat',
  'boot sector',
  {
    jump: byteArray(0, 3),
    oemName: byteArray(3, 8),
    bytesPerSector: u16le(11),
    sectorsPerCluster: u8(13),
    reservedSectors: u16le(14),
    fatCount: u8(16),
    rootEntryCount: u16le(17),
    totalSectors16: u16le(19),
    media: u8(21),
    sectorsPerFat16: u16le(22),
    sectorsPerTrack: u16le(24),
    headCount: u16le(26),
    hiddenSectors: u32le(28),
    totalSectors32: u32le(32),
    signature: u16le(510),
  },
  512,
);

/** Bytes 55 AA at 510, whatever the sector size. */
export const BOOT_SIGNATURE = 0xaa55;
