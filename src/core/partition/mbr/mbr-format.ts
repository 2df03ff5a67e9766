import { type BlockDevice, readBytes } from '../../device/block-device.ts';
import { corrupt } from '../../errors.ts';
import type { Format, OpenContext, Property } from '../../format.ts';
import { hasGptSignature } from '../gpt/header.ts';
import type { Partition, PartitionTable, TableRegion } from '../partition-table.ts';
import { reportPartitions } from '../report-partitions.ts';
import { BOOT_RECORD_BYTES, type BootRecord, parseBootRecord, readBootRecord } from './boot-record.ts';
import { readExtendedChain } from './extended-chain.ts';
import { ACTIVE_STATUS, isUsed, type MbrPartitionEntry } from './partition-entry.ts';
import { isPlausibleTable } from './plausible-table.ts';
import { hasExtMagic, mbrSectorSize, sectorSizesToTry } from './sector-size.ts';
import { isExtendedType, mbrTypeName } from './type-names.ts';

const FIRST_LOGICAL_NUMBER = 5;
/** Up to the end of what tells an ext superblock from boot code. */
const PROBE_BYTES = 1536;

/** The partition table of PC BIOSes (UEFI 2.10 section 5.2; extended partitions as DOS and Linux have them). */
export const mbrFormat: Format<PartitionTable> = { name: 'mbr', probe, open };

async function probe(device: BlockDevice): Promise<boolean> {
  if (device.size < BOOT_RECORD_BYTES) return false;
  const bytes = await readBytes(device, 0, Math.min(PROBE_BYTES, device.size));
  const record = parseBootRecord(bytes.subarray(0, BOOT_RECORD_BYTES), 0);
  // A boot loader in the first sector of an ext filesystem is no empty table.
  if (!record.entries.some(isUsed) && hasExtMagic(bytes)) return false;
  return sectorSizesToTry(device).some((size) => isPlausibleTable(record, device.size, size));
}

async function open(device: BlockDevice, context: OpenContext): Promise<PartitionTable> {
  const record = await readBootRecord(device, 0);
  if (!record.signed) {
    throw corrupt({ layer: 'mbr', structure: 'boot record', offset: 510, expected: '55 AA', found: 'something else' });
  }
  const sectorSize = await mbrSectorSize(device, record);
  if (sectorSize !== device.sectorSize) {
    const message = `the partitions fit sectors of ${sectorSize} bytes, not of ${device.sectorSize} as the device says`;
    context.report({ layer: 'mbr', structure: 'boot record', offset: 0, message });
  }
  await reportLeftOverGpt(device, sectorSize, context);
  const partitions = primaries(record, sectorSize);
  const metadata: TableRegion[] = [{ name: 'MBR', start: 0, length: Math.min(sectorSize, device.size) }];
  for (const extended of partitions.filter(({ kind }) => kind === 'extended')) {
    await addLogicals({ device, extended, sectorSize, context, partitions, metadata });
  }
  reportPartitions('mbr', partitions, device.size, context);
  metadata.sort((left, right) => left.start - right.start);
  return { scheme: 'mbr', sectorSize, partitions, metadata, properties: properties(record) };
}

/** Firmware and Linux go by the MBR here, other tools may not. */
async function reportLeftOverGpt(device: BlockDevice, sectorSize: number, context: OpenContext): Promise<void> {
  if (device.size < 2 * sectorSize || !hasGptSignature(await readBytes(device, sectorSize, sectorSize))) return;
  const message = 'a GPT header stands at LBA 1, but the MBR has no protective entry: the GPT is not used';
  context.report({ layer: 'mbr', structure: 'boot record', offset: sectorSize, message });
}

function properties(record: BootRecord): Property[] {
  return [{ key: 'diskSignature', value: `0x${record.diskSignature.toString(16).padStart(8, '0')}` }];
}

function primaries(record: BootRecord, sectorSize: number): Partition[] {
  return record.entries.flatMap((entry, slot) =>
    isUsed(entry)
      ? [
          toPartition(entry, entry.startSector, sectorSize, {
            number: slot + 1,
            kind: isExtendedType(entry.type) ? 'extended' : 'primary',
          }),
        ]
      : [],
  );
}

interface ChainTask {
  readonly device: BlockDevice;
  readonly extended: Partition;
  readonly sectorSize: number;
  readonly context: OpenContext;
  readonly partitions: Partition[];
  readonly metadata: TableRegion[];
}

async function addLogicals(task: ChainTask): Promise<void> {
  const { device, extended, sectorSize, context, partitions, metadata } = task;
  for (const { sector, logicals } of await readExtendedChain(device, extended, sectorSize, context)) {
    const numbers: string[] = [];
    for (const { entry, startSector } of logicals) {
      const number = Math.max(FIRST_LOGICAL_NUMBER, partitions.at(-1)!.number + 1);
      partitions.push(toPartition(entry, startSector, sectorSize, { number, kind: 'logical' }));
      numbers.push(`p${number}`);
    }
    const name = numbers.length === 0 ? 'empty extended boot record' : `boot record of ${numbers.join(', ')}`;
    metadata.push({ name, start: sector * sectorSize, length: sectorSize });
  }
}

/** Also gives the entries of a hybrid MBR. */
export function toPartition(
  entry: MbrPartitionEntry,
  startSector: number,
  sectorSize: number,
  role: Pick<Partition, 'number' | 'kind'>,
): Partition {
  return {
    ...role,
    startSector,
    sectorCount: entry.sectorCount,
    start: startSector * sectorSize,
    length: entry.sectorCount * sectorSize,
    type: { id: `0x${entry.type.toString(16).padStart(2, '0')}`, name: mbrTypeName(entry.type) },
    name: '',
    flags: entry.status === ACTIVE_STATUS ? ['bootable'] : [],
  };
}
