import { divideDown, roundUp } from '../../bytes/rounding.ts';
import { type BlockDevice, readBytes } from '../../device/block-device.ts';
import type { Format, OpenContext, Property } from '../../format.ts';
import { sectorSizesToTry } from '../mbr/sector-size.ts';
import type { PartitionTable, TableRegion } from '../partition-table.ts';
import { reportPartitions } from '../report-partitions.ts';
import { type BackupPlace, checkBackup } from './check-backup.ts';
import { type FoundTable, findTable, lastLba, PRIMARY_LBA, USUAL_ENTRY_LBA } from './find-table.ts';
import { hasGptSignature } from './header.ts';
import { type ProtectiveMbr, readProtectiveMbr } from './protective-mbr.ts';
import { readPartitions } from './read-partitions.ts';
import type { TableCopy } from './table-copy.ts';

/** Revision 1.0 in the header's form, major part in the upper half. */
const REVISION_1_0 = 0x0001_0000;
/** A disk whose start was wiped is blank up to here: far enough to meet any filesystem that a left-over backup header must not hide. */
const WIPED_BYTES = 68 * 1024;

/** The GUID partition table (UEFI 2.10 section 5.3). */
export const gptFormat: Format<PartitionTable> = { name: 'gpt', probe, open };

async function probe(device: BlockDevice): Promise<boolean> {
  const { kind } = await readProtectiveMbr(device);
  if (kind === 'protective' || kind === 'hybrid') return true;
  if (kind === 'foreign') return false;
  for (const sectorSize of sectorSizesToTry(device)) if (await isSigned(device, sectorSize, PRIMARY_LBA)) return true;
  for (const sectorSize of sectorSizesToTry(device)) {
    if (await isSigned(device, sectorSize, lastLba(device, sectorSize))) return isWiped(device);
  }
  return false;
}

async function isSigned(device: BlockDevice, sectorSize: number, lba: number): Promise<boolean> {
  const offset = lba * sectorSize;
  if (lba < PRIMARY_LBA || offset + sectorSize > device.size) return false;
  return hasGptSignature(await readBytes(device, offset, sectorSize));
}

async function isWiped(device: BlockDevice): Promise<boolean> {
  const head = await readBytes(device, 0, Math.min(WIPED_BYTES, device.size));
  return head.every((byte) => byte === 0);
}

async function open(device: BlockDevice, context: OpenContext): Promise<PartitionTable> {
  const mbr = await readProtectiveMbr(device);
  const found = await findTable(device, mbr.endLba);
  const { copy } = found;
  const { sectorSize } = copy;
  reportHeader(found, mbr, device, context);
  const backup = copy.name === 'primary' ? await checkBackup(device, copy, context) : placeOf(copy);
  const partitions = readPartitions(copy, context);
  reportPartitions('gpt', partitions, device.size, context);
  return {
    scheme: mbr.kind === 'hybrid' ? 'hybrid' : 'gpt',
    sectorSize,
    partitions,
    metadata: metadataOf({ found, mbr, backup, diskSize: device.size }),
    properties: propertiesOf(found, mbr),
  };
}

function reportHeader(found: FoundTable, mbr: ProtectiveMbr, device: BlockDevice, context: OpenContext): void {
  const { copy, primaryDamage, entriesFromOther } = found;
  const { header, sectorSize, name } = copy;
  const offset = header.myLba * sectorSize;
  const report = (message: string): void =>
    context.report({ layer: 'gpt', structure: `${name} header`, offset, message });
  if (primaryDamage !== undefined && name === 'backup') {
    report(`the backup is used because the primary copy is damaged: ${messageOf(primaryDamage.fault)}`);
  }
  if (entriesFromOther) report('its entry array is damaged; the other copy stands in, with the right checksum');
  if (mbr.kind === 'none') report('there is no protective MBR: most systems do not see this table');
  if (header.revision !== REVISION_1_0) report(`revision 0x${header.revision.toString(16)}, expected 0x10000`);
  if (header.firstUsableLba > header.lastUsableLba) {
    report(`the first usable LBA ${header.firstUsableLba} is past the last, ${header.lastUsableLba}`);
  }
  if (name === 'backup' && header.myLba < lastLba(device, sectorSize)) {
    report(`the disk goes on after the backup header, to LBA ${lastLba(device, sectorSize)}`);
  }
  if (sectorSize !== device.sectorSize) {
    report(`the table has sectors of ${sectorSize} bytes, not of ${device.sectorSize} as the device says`);
  }
}

function messageOf(fault: unknown): string {
  return fault instanceof Error ? fault.message : String(fault);
}

function placeOf(backup: TableCopy): BackupPlace {
  return { headerLba: backup.header.myLba, entryLba: backup.header.entryLba };
}

interface Layout {
  readonly found: FoundTable;
  readonly mbr: ProtectiveMbr;
  readonly backup: BackupPlace | undefined;
  readonly diskSize: number;
}

/** Where the table lives, as far as it lies on the disk; a damaged primary copy is taken to stand where every tool puts it. */
function metadataOf({ found, mbr, backup, diskSize }: Layout): TableRegion[] {
  const { header, sectorSize, name } = found.copy;
  const arrayBytes = roundUp(header.entryCount * header.entrySize, sectorSize);
  const isBackup = name === 'backup';
  const damaged = isBackup ? 'damaged ' : '';
  const at = (region: string, lba: number, length: number): TableRegion => ({
    name: region,
    start: lba * sectorSize,
    length,
  });
  const regions = [
    at(
      mbr.kind === 'hybrid' ? 'hybrid MBR' : mbr.kind === 'protective' ? 'protective MBR' : 'boot sector',
      0,
      sectorSize,
    ),
    at(`${damaged}primary GPT header`, PRIMARY_LBA, sectorSize),
    at(`${damaged}primary GPT entries`, isBackup ? USUAL_ENTRY_LBA : header.entryLba, arrayBytes),
  ];
  if (backup !== undefined) {
    const usualLba = backup.headerLba - divideDown(arrayBytes, sectorSize);
    regions.push(at('backup GPT entries', backup.entryLba ?? usualLba, arrayBytes));
    regions.push(at('backup GPT header', backup.headerLba, sectorSize));
  }
  return regions
    .filter(({ start, length }) => length > 0 && start >= 0 && start + length <= diskSize)
    .sort((left, right) => left.start - right.start);
}

function propertiesOf({ copy, entriesFromOther }: FoundTable, mbr: ProtectiveMbr): Property[] {
  const { header, name } = copy;
  const major = divideDown(header.revision, 0x1_0000);
  const properties: Property[] = [
    { key: 'diskGuid', value: header.diskGuid },
    { key: 'headerUsed', value: name },
    { key: 'entriesUsed', value: entriesFromOther ? (name === 'primary' ? 'backup' : 'primary') : name },
    { key: 'firstUsableSector', value: header.firstUsableLba },
    { key: 'lastUsableSector', value: header.lastUsableLba },
    { key: 'entryCount', value: header.entryCount },
    { key: 'entrySize', value: header.entrySize, unit: 'bytes' },
    { key: 'revision', value: `${major}.${header.revision % 0x1_0000}` },
  ];
  if (mbr.kind === 'hybrid') properties.push({ key: 'hybridMbr', value: mbr.hybridEntries });
  return properties;
}
