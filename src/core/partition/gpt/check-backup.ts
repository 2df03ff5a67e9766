import type { BlockDevice } from '../../device/block-device.ts';
import type { OpenContext } from '../../format.ts';
import { lastLba } from './find-table.ts';
import { isDamaged, readCopy, type TableCopy } from './table-copy.ts';

/** Where the backup copy of a disk whose primary copy is whole stands. */
export interface BackupPlace {
  readonly headerLba: number;
  /** Undefined when its header does not tell. */
  readonly entryLba: number | undefined;
}

/**
 * Looks at the backup of a table whose primary header is whole, and reports what is wrong with it: none of that keeps the
 * table from being read. Undefined when the backup's place is past the end of the device.
 */
export async function checkBackup(
  device: BlockDevice,
  primary: TableCopy,
  context: OpenContext,
): Promise<BackupPlace | undefined> {
  const { header, sectorSize } = primary;
  const last = lastLba(device, sectorSize);
  const { alternateLba } = header;
  const report = (message: string): void =>
    context.report({ layer: 'gpt', structure: 'backup header', offset: alternateLba * sectorSize, message });
  if (alternateLba > last) {
    report(`stands at LBA ${alternateLba}, past the disk's last LBA ${last}; the image may be truncated`);
    return undefined;
  }
  if (alternateLba < last) report(`stands at LBA ${alternateLba}, but the disk goes on to LBA ${last}`);
  const backup = await readCopy(device, 'backup', alternateLba, sectorSize);
  if (isDamaged(backup)) {
    report(`is damaged: ${backup.fault instanceof Error ? backup.fault.message : String(backup.fault)}`);
    return { headerLba: alternateLba, entryLba: backup.header?.entryLba };
  }
  if (backup.header.diskGuid !== header.diskGuid) report(`is of another disk, ${backup.header.diskGuid}`);
  else if (backup.header.entriesCrc !== header.entriesCrc) report('lists other partitions than the primary');
  return { headerLba: alternateLba, entryLba: backup.header.entryLba };
}
