import { endSector, overlaps } from '../sector-range.ts';
import type { BootRecord } from './boot-record.ts';
import { ACTIVE_STATUS, isUsed, type MbrPartitionEntry } from './partition-entry.ts';
import { mbrTypeName } from './type-names.ts';
import { isVolumeBootSector } from './volume-boot-sector.ts';

/**
 * Whether a sector is an MBR at all: 55 AA ends many others too. Every status must be 00 or 80, and a used entry must lie
 * inside the disk or, in a truncated image, be of a known type. In the boot sector of a filesystem only a table without any flaw counts.
 */
export function isPlausibleTable(record: BootRecord, diskSize: number, sectorSize: number): boolean {
  if (!record.signed || record.entries.some(({ status }) => status !== 0 && status !== ACTIVE_STATUS)) return false;
  const used = record.entries.filter(isUsed);
  const inside = (entry: MbrPartitionEntry): boolean => endSector(entry) * sectorSize <= diskSize;
  const known = (entry: MbrPartitionEntry): boolean => entry.type !== 0 && mbrTypeName(entry.type) !== '';
  if (!isVolumeBootSector(record.bytes)) return used.every((entry) => inside(entry) || known(entry));
  return (
    used.length > 0 &&
    used.every((entry) => inside(entry) && known(entry) && entry.startSector > 0) &&
    overlaps(used).length === 0
  );
}
