import { isPowerOfTwo } from '../../bytes/rounding.ts';
import { byteArray, Struct, u8, u16le, u32le } from '../../bytes/struct.ts';

/** The part of a BIOS parameter block that tells FAT from boot code (Microsoft FAT specification, section 3.1). */
const biosParameterBlock = new Struct('mbr', 'BIOS parameter block', {
  oemName: byteArray(3, 8),
  bytesPerSector: u16le(11),
  sectorsPerCluster: u8(13),
  reservedSectors: u16le(14),
  fatCount: u8(16),
  totalSectors16: u16le(19),
  media: u8(21),
  totalSectors32: u32le(32),
});

/** Boot sectors that are told by the name in bytes 3 to 10: their parameter blocks leave FAT's fields zero. */
const NAMED_BOOT_SECTORS = new Set(['NTFS    ', 'EXFAT   ', '-FVE-FS-', 'ReFS\0\0\0\0']);
const MAX_BYTES_PER_SECTOR = 4096;
/** F0 or F8 and above: the media descriptors in use, as Linux tests them. */
const MEDIA_REMOVABLE = 0xf0;
const FIRST_FIXED_MEDIA = 0xf8;

/** Whether 512 bytes that end in 55 AA are the boot sector of a FAT, exFAT, NTFS, ReFS or BitLocker volume. */
export function isVolumeBootSector(bytes: Uint8Array): boolean {
  const block = biosParameterBlock.parse(bytes);
  if (NAMED_BOOT_SECTORS.has(Buffer.from(block.oemName).toString('latin1'))) return true;
  return (
    isPowerOfTwo(block.bytesPerSector) &&
    block.bytesPerSector >= 512 &&
    block.bytesPerSector <= MAX_BYTES_PER_SECTOR &&
    isPowerOfTwo(block.sectorsPerCluster) &&
    block.reservedSectors > 0 &&
    block.fatCount > 0 &&
    (block.media === MEDIA_REMOVABLE || block.media >= FIRST_FIXED_MEDIA) &&
    (block.totalSectors16 > 0 || block.totalSectors32 > 0)
  );
}
