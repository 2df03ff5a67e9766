import { divideDown, divideUp } from '../../bytes/rounding.ts';
import type { BlockDevice } from '../../device/block-device.ts';
import { corrupt, DiskError } from '../../errors.ts';
import { sectorSizesToTry } from '../mbr/sector-size.ts';
import { type DamagedCopy, isDamaged, readCopy, readEntries, type TableCopy } from './table-copy.ts';

export const PRIMARY_LBA = 1;
/** Where the entry array stands after the primary header, by every tool's habit. */
export const USUAL_ENTRY_LBA = 2;

export interface FoundTable {
  readonly copy: TableCopy;
  /** Why the primary copy was not used, if it was not. */
  readonly primaryDamage: DamagedCopy | undefined;
  /** Whether the header's own entry array was damaged and the other copy's stands in. */
  readonly entriesFromOther: boolean;
}

/**
 * The GPT of a disk in whichever sector size it has: the primary copy when it is whole, else the backup (at the primary's
 * AlternateLBA, at the end that the protective MBR tells, at the disk's last LBA), else one copy's header with the other's
 * entry array. `protectedEndLba` is the last LBA as the protective MBR has it.
 */
export async function findTable(device: BlockDevice, protectedEndLba: number | undefined): Promise<FoundTable> {
  const damaged: DamagedCopy[] = [];
  for (const sectorSize of sectorSizesToTry(device)) {
    const copy = await readCopy(device, 'primary', PRIMARY_LBA, sectorSize);
    if (!isDamaged(copy)) return { copy, primaryDamage: undefined, entriesFromOther: false };
    damaged.push(copy);
  }
  const primaries = [...damaged];
  for (const primary of primaries) {
    for (const lba of backupPlaces(device, primary, protectedEndLba)) {
      const copy = await readCopy(device, 'backup', lba, primary.sectorSize);
      if (!isDamaged(copy)) return { copy, primaryDamage: primary, entriesFromOther: false };
      damaged.push(copy);
    }
  }
  for (const candidate of damaged) {
    const copy = await withOtherEntries(device, candidate);
    if (copy === undefined) continue;
    const primaryDamage = primaries.find(({ sectorSize }) => sectorSize === copy.sectorSize);
    return { copy, primaryDamage, entriesFromOther: true };
  }
  throw worst(damaged);
}

export function lastLba(device: BlockDevice, sectorSize: number): number {
  return divideDown(device.size, sectorSize) - 1;
}

function backupPlaces(device: BlockDevice, primary: DamagedCopy, protectedEndLba: number | undefined): Set<number> {
  const last = lastLba(device, primary.sectorSize);
  const places = [primary.alternateLba, protectedEndLba, last];
  return new Set(places.filter((lba) => lba !== undefined && lba > PRIMARY_LBA && lba <= last) as number[]);
}

async function withOtherEntries(device: BlockDevice, damaged: DamagedCopy): Promise<TableCopy | undefined> {
  const { name, header, sectorSize } = damaged;
  if (header === undefined) return undefined;
  const arraySectors = divideUp(header.entryCount * header.entrySize, sectorSize);
  const entryLba = name === 'primary' ? header.alternateLba - arraySectors : USUAL_ENTRY_LBA;
  try {
    const entries = await readEntries(device, header, sectorSize, entryLba, name === 'primary' ? 'backup' : 'primary');
    return { name, sectorSize, header, entries, entryLba };
  } catch {
    return undefined;
  }
}

/** The fault that tells most: a device that failed, then a header that was one, then the first. */
function worst(damaged: readonly DamagedCopy[]): unknown {
  const failed = damaged.find(({ fault }) => !(fault instanceof DiskError) || fault.code !== 'CORRUPT');
  if (failed !== undefined) return failed.fault;
  const { fault } = damaged.find(({ signed }) => signed) ?? damaged[0]!;
  if (!(fault instanceof DiskError)) return fault;
  const { layer, structure, offset, expected, found } = fault;
  return corrupt({ layer, structure, offset, expected, found: `${found}; no other copy is whole`, cause: fault });
}
