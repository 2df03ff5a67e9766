import { hasBit, hasMask } from '../../../bytes/bits.ts';
import { type BlockDevice, type ReadOptions, readBytes } from '../../../device/block-device.ts';
import { DiskError, faultText } from '../../../errors.ts';
import type { Diagnostic } from '../../../format.ts';
import type { Finding, Severity } from '../../finding.ts';
import { bootExtension16, bootExtension32 } from '../boot-extension.ts';
import { BOOT_SIGNATURE, bootSector } from '../boot-sector.ts';
import { bootSector32 } from '../boot-sector-32.ts';
import type { FatTable } from '../fat-table.ts';
import { FS_INFO_LEAD, FS_INFO_STRUCTURE, FS_INFO_TRAIL, FS_INFO_UNKNOWN, fsInfo } from '../fs-info.ts';
import { parseGeometry } from '../geometry.ts';
import { CLEAN_BITS } from '../volume-state.ts';

/** What fsck.fat reads in one row of the root, in entries of 32 bytes. */
const ENTRIES_PER_ROW = 16;
/** fsck.fat reads no more copies of the FAT. */
const MAX_CHECKED_FATS = 2;
/** How many places of a difference are listed. */
const MAX_PLACES = 8;
/** A backup of the boot sector needs as many reserved sectors. */
const SECTORS_WITH_BACKUP = 3;

const found = (severity: Severity, code: string, structure: string, offset: number, message: string): Finding => ({
  severity,
  code,
  structure,
  offset,
  message,
});

/** The boot sector by itself, against the device, and against its backup. */
export async function* checkBootSector(
  device: BlockDevice,
  table: FatTable,
  options: ReadOptions,
): AsyncGenerator<Finding, void> {
  const { geometry } = table;
  const sector = await readBytes(device, geometry.bootOffset, bootSector.size, options);
  const boot = bootSector.parse(sector);
  const { fields } = bootSector;
  if (geometry.bootOffset !== 0) {
    const message = `it is damaged: its copy at offset 0x${geometry.bootOffset.toString(16)} is used`;
    yield found('error', 'boot-sector-damaged', 'boot sector', 0, message);
  }
  if (boot.signature !== BOOT_SIGNATURE)
    yield found('warning', 'boot-signature', 'boot sector', fields.signature.offset, 'the signature 55 AA is missing');
  const oddities: Diagnostic[] = [];
  parseGeometry(sector, (oddity) => oddities.push(oddity));
  const isShort = (oddity: Diagnostic): boolean => oddity.message.startsWith('the FAT has room for');
  for (const oddity of oddities)
    yield found(
      isShort(oddity) ? 'error' : 'warning',
      'boot-sector-odd',
      'boot sector',
      oddity.offset ?? 0,
      oddity.message,
    );
  if (boot.rootEntryCount % ENTRIES_PER_ROW !== 0) {
    const message = `${boot.rootEntryCount} entries of the root are no multiple of ${ENTRIES_PER_ROW}`;
    yield found('error', 'root-entry-count', 'boot sector rootEntryCount', fields.rootEntryCount.offset, message);
  } else if (geometry.entryBits === 32 && boot.rootEntryCount !== 0) {
    const message = `room for a root of ${boot.rootEntryCount} entries is kept, and FAT32's lies in clusters`;
    yield found('warning', 'root-entry-count', 'boot sector rootEntryCount', fields.rootEntryCount.offset, message);
  }
  if (geometry.fatCount > MAX_CHECKED_FATS) {
    const message = `there are ${geometry.fatCount} FATs; fsck.fat checks no volume with more than ${MAX_CHECKED_FATS}`;
    yield found('note', 'many-fats', 'boot sector fatCount', fields.fatCount.offset, message);
  }
  // The last sector of an odd number cannot be read by some systems, and is no loss.
  const lastSector = geometry.totalSectors - (geometry.totalSectors % 2);
  if (geometry.size > device.size) {
    const isLost = lastSector * geometry.sectorSize > device.size;
    const message = `the filesystem has ${geometry.size} bytes and the device ${device.size}: its end is missing`;
    yield found(isLost ? 'error' : 'warning', 'device-too-short', 'boot sector', device.size, message);
  }
  if (geometry.entryBits === 32) yield* checkBackup(device, sector, geometry.sectorSize, options);
}

async function* checkBackup(
  device: BlockDevice,
  sector: Uint8Array,
  sectorSize: number,
  options: ReadOptions,
): AsyncGenerator<Finding, void> {
  const { backupBootSector } = bootSector32.parse(sector);
  const { reservedSectors } = bootSector.parse(sector);
  const field = bootSector32.fields.backupBootSector.offset;
  const structure = 'boot sector backupBootSector';
  if (backupBootSector === 0) {
    const isRoom = reservedSectors >= SECTORS_WITH_BACKUP;
    const message = `there is no backup of the boot sector${isRoom ? '' : ', and no room for one'}`;
    yield found(isRoom ? 'error' : 'note', 'no-backup', structure, field, message);
    return;
  }
  const offset = backupBootSector * sectorSize;
  if (offset + bootSector.size > device.size) {
    yield found(
      'error',
      'backup-unreadable',
      structure,
      field,
      `sector ${backupBootSector} lies behind the end of the device`,
    );
    return;
  }
  if (backupBootSector >= reservedSectors)
    yield found(
      'warning',
      'backup-misplaced',
      structure,
      field,
      `sector ${backupBootSector} is none of the ${reservedSectors} reserved ones`,
    );
  const backup = await readBytes(device, offset, bootSector.size, options);
  const places: string[] = [];
  let count = 0;
  for (let at = 0; at < sector.length; at++) {
    if (sector[at] === backup[at]) continue;
    if (count++ < MAX_PLACES) places.push(`0x${at.toString(16)}: ${hex(sector[at]!)}/${hex(backup[at]!)}`);
  }
  if (count === 0) return;
  const more = count > places.length ? ', ...' : '';
  const message = `${count} bytes differ between the boot sector and its backup (offset: original/backup): ${places.join(', ')}${more}`;
  yield found('warning', 'backup-differs', 'backup boot sector', offset, message);
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}

/** What FAT[1] and the boot sector say of how the volume was left, whatever else the extension of the boot sector says. */
export async function* checkVolumeState(
  device: BlockDevice,
  table: FatTable,
  options: ReadOptions,
): AsyncGenerator<Finding, void> {
  const { geometry } = table;
  const extension = geometry.entryBits === 32 ? bootExtension32 : bootExtension16;
  const { state } = extension.parse(await readBytes(device, geometry.bootOffset, bootSector.size, options));
  const stateOffset = extension.fields.state.offset;
  const bits = CLEAN_BITS[geometry.entryBits];
  const flags = bits === undefined ? 0 : await table.entry(1, options);
  const dirty = 'the volume was not cleanly unmounted';
  if (hasBit(state, 0)) yield found('error', 'dirty', 'boot sector state', stateOffset, dirty);
  if (bits !== undefined && !hasMask(flags, bits.clean))
    yield found('error', 'dirty', 'FAT entry of cluster 1', table.entryOffset(1), dirty);
  if (hasBit(state, 1))
    yield found('warning', 'surface-test', 'boot sector state', stateOffset, 'a test of the surface was asked for');
  if (bits !== undefined && !hasMask(flags, bits.sound))
    yield found(
      'warning',
      'disk-errors',
      'FAT entry of cluster 1',
      table.entryOffset(1),
      'disk errors were met on the volume',
    );
}

/** FAT32's FSInfo: its signatures, and its number of free clusters against the `free` that there are. */
export async function* checkFsInfo(
  device: BlockDevice,
  table: FatTable,
  free: number,
  options: ReadOptions,
): AsyncGenerator<Finding, void> {
  const { geometry } = table;
  if (geometry.entryBits !== 32) return;
  const { fsInfoSector } = bootSector32.parse(await readBytes(device, geometry.bootOffset, bootSector.size, options));
  const field = bootSector32.fields.fsInfoSector.offset;
  if (fsInfoSector === 0) {
    yield found('note', 'no-fsinfo', 'boot sector fsInfoSector', field, 'there is no FSInfo sector');
    return;
  }
  const origin = fsInfoSector * geometry.sectorSize;
  let info: ReturnType<typeof fsInfo.parse>;
  try {
    info = fsInfo.parse(await readBytes(device, origin, fsInfo.size, options), 0, origin);
  } catch (error) {
    if (!(error instanceof DiskError) || error.code === 'IO') throw error;
    yield found('error', 'fsinfo-unreadable', 'boot sector fsInfoSector', field, faultText(error));
    return;
  }
  const signatures = [
    ['leadSignature', FS_INFO_LEAD],
    ['structureSignature', FS_INFO_STRUCTURE],
    ['trailSignature', FS_INFO_TRAIL],
  ] as const;
  const wrong = signatures.filter(([name, value]) => info[name] !== value);
  for (const [name, value] of wrong) {
    const message = `the signature is 0x${info[name].toString(16)} instead of 0x${value.toString(16)}`;
    yield found('error', 'fsinfo-signature', `FSInfo ${name}`, origin + fsInfo.fields[name].offset, message);
  }
  if (wrong.length > 0) return;
  const offset = origin + fsInfo.fields.freeCount.offset;
  if (info.freeCount === FS_INFO_UNKNOWN)
    yield found(
      'note',
      'fsinfo-unknown',
      'FSInfo freeCount',
      offset,
      `the number of free clusters is not told; it is ${free}`,
    );
  else if (info.freeCount !== free) {
    const message = `${info.freeCount} clusters are said to be free, and ${free} are`;
    yield found('error', 'fsinfo-count', 'FSInfo freeCount', offset, message);
  }
}
