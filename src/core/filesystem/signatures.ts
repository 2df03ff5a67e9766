import type { BlockDevice } from '../device/block-device.ts';
import { findSignature, type Signature } from '../device/signature.ts';

/** Magic bytes of things that a volume may bear and that we do not read, by their usual names; as blkid's tables have them. */
const SIGNATURES: readonly Signature[] = [
  { name: 'NTFS', offset: 3, magic: 'NTFS    ' },
  { name: 'exFAT', offset: 3, magic: 'EXFAT   ' },
  { name: 'XFS', offset: 0, magic: 'XFSB' },
  { name: 'Btrfs', offset: 0x10040, magic: '_BHRfS_M' },
  { name: 'F2FS', offset: 0x400, magic: '\x10\x20\xf5\xf2' },
  { name: 'LUKS', offset: 0, magic: 'LUKS\xba\xbe' },
  { name: 'LVM2 physical volume', offset: 0x218, magic: 'LVM2 001' },
  { name: 'Linux swap', offset: 0xff6, magic: 'SWAPSPACE2' },
  { name: 'Linux RAID member', offset: 0x1000, magic: '\xfc\x4e\x2b\xa9' },
  { name: 'SquashFS', offset: 0, magic: 'hsqs' },
  { name: 'EROFS', offset: 0x400, magic: '\xe2\xe1\xf5\xe0' },
  { name: 'ISO 9660', offset: 0x8001, magic: 'CD001' },
  { name: 'UDF', offset: 0x8001, magic: 'BEA01' },
  { name: 'HFS+', offset: 0x400, magic: 'H+' },
  { name: 'APFS container', offset: 0x20, magic: 'NXSB' },
  { name: 'ReFS', offset: 3, magic: 'ReFS' },
];

/** The name of what a device bears, told by magic bytes alone; undefined when none matches. */
export async function identifyContent(device: BlockDevice): Promise<string | undefined> {
  return (await findSignature(device, SIGNATURES))?.name;
}
