import { viewOf } from '../../bytes/struct.ts';
import { type BlockDevice, readBytes } from '../../device/block-device.ts';
import { endSector } from '../sector-range.ts';
import { type BootRecord, parseBootRecord } from './boot-record.ts';
import { isUsed, type MbrPartitionEntry } from './partition-entry.ts';
import { isPlausibleTable } from './plausible-table.ts';
import { isExtendedType } from './type-names.ts';
import { isVolumeBootSector } from './volume-boot-sector.ts';

/** Sector sizes of disks in use; an image file does not say which. */
const KNOWN_SECTOR_SIZES = [512, 4096];
/** Enough of a partition to tell a boot sector or an ext superblock. */
const HEAD_BYTES = 1536;
const EXT_MAGIC_OFFSET = 1080;
const EXT_MAGIC = 0xef53;

/** The device's own sector size first, then the usual ones. */
export function sectorSizesToTry(device: BlockDevice): number[] {
  return [...new Set([device.sectorSize, ...KNOWN_SECTOR_SIZES])];
}

/**
 * The unit of an MBR's numbers, which the MBR does not tell: the device's own sector size, unless no partition begins with
 * anything known in that unit and one does in another.
 */
export async function mbrSectorSize(device: BlockDevice, record: BootRecord): Promise<number> {
  const used = record.entries.filter((entry) => isUsed(entry) && entry.type !== 0);
  for (const sectorSize of sectorSizesToTry(device)) {
    if (!isPlausibleTable(record, device.size, sectorSize)) continue;
    const isForeign = sectorSize !== device.sectorSize;
    if (isForeign && used.some((entry) => endSector(entry) * sectorSize > device.size)) continue;
    for (const entry of used) if (await beginsKnown(device, entry, sectorSize)) return sectorSize;
  }
  return device.sectorSize;
}

async function beginsKnown(device: BlockDevice, entry: MbrPartitionEntry, sectorSize: number): Promise<boolean> {
  const offset = entry.startSector * sectorSize;
  if (entry.startSector === 0 || offset + HEAD_BYTES > device.size) return false;
  const bytes = await readBytes(device, offset, HEAD_BYTES);
  const { signed } = parseBootRecord(bytes, offset);
  if (isExtendedType(entry.type)) return signed;
  return (signed && isVolumeBootSector(bytes)) || hasExtMagic(bytes);
}

/** Whether a device or partition that begins with these bytes bears an ext superblock. */
export function hasExtMagic(bytes: Uint8Array): boolean {
  return bytes.length >= EXT_MAGIC_OFFSET + 2 && viewOf(bytes).getUint16(EXT_MAGIC_OFFSET, true) === EXT_MAGIC;
}
