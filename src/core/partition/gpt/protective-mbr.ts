import type { BlockDevice } from '../../device/block-device.ts';
import { BOOT_RECORD_BYTES, type BootRecord, readBootRecord } from '../mbr/boot-record.ts';
import { toPartition } from '../mbr/mbr-format.ts';
import { ACTIVE_STATUS, isUsed, type MbrPartitionEntry, PROTECTIVE_TYPE } from '../mbr/partition-entry.ts';
import { isPlausibleTable } from '../mbr/plausible-table.ts';
import { isVolumeBootSector } from '../mbr/volume-boot-sector.ts';
import { endSector } from '../sector-range.ts';

/** A protective entry that covers more than 32 bits can count says so with all bits set (UEFI 2.10 section 5.2.3). */
const COUNT_UNKNOWN = 0xffff_ffff;

/**
 * What sector 0 says about a GPT behind it. `protective`: only EE entries; `hybrid`: EE and real ones (UEFI forbids it, tools
 * make it); `foreign`: an MBR or a filesystem that owns the disk, so that a GPT header found behind it is left over; `none`: nothing.
 */
export interface ProtectiveMbr {
  readonly kind: 'protective' | 'hybrid' | 'foreign' | 'none';
  /** The disk's last LBA when it was partitioned, as the EE entry has it. */
  readonly endLba: number | undefined;
  /** The real entries of a hybrid MBR, with their slots from 1: `2: 0x0c, sectors 2048 to 4095`. */
  readonly hybridEntries: readonly string[];
}

export async function readProtectiveMbr(device: BlockDevice): Promise<ProtectiveMbr> {
  if (device.size < BOOT_RECORD_BYTES) return { kind: 'none', endLba: undefined, hybridEntries: [] };
  return classify(await readBootRecord(device, 0), device);
}

function classify(record: BootRecord, device: BlockDevice): ProtectiveMbr {
  const none = { endLba: undefined, hybridEntries: [] };
  if (!record.signed) return { kind: 'none', ...none };
  const guard = record.entries.find((entry) => isUsed(entry) && entry.type === PROTECTIVE_TYPE);
  const isTable = record.entries.every(({ status }) => status === 0 || status === ACTIVE_STATUS);
  if (guard !== undefined && isTable) {
    const hybridEntries = record.entries.flatMap((entry, slot) =>
      isUsed(entry) && entry.type !== PROTECTIVE_TYPE ? [describe(entry, slot + 1)] : [],
    );
    const endLba = guard.sectorCount === COUNT_UNKNOWN ? undefined : endSector(guard) - 1;
    return { kind: hybridEntries.length > 0 ? 'hybrid' : 'protective', endLba, hybridEntries };
  }
  const hasPartitions = record.entries.some(isUsed) && isPlausibleTable(record, device.size, device.sectorSize);
  return { kind: hasPartitions || isVolumeBootSector(record.bytes) ? 'foreign' : 'none', ...none };
}

function describe(entry: MbrPartitionEntry, number: number): string {
  const { type } = toPartition(entry, entry.startSector, 1, { number, kind: 'primary' });
  return `${number}: ${type.id}, sectors ${entry.startSector} to ${endSector(entry) - 1}`;
}
