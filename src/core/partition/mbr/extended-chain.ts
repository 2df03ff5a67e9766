import type { BlockDevice } from '../../device/block-device.ts';
import { corrupt } from '../../errors.ts';
import type { OpenContext } from '../../format.ts';
import { isWithin, type SectorRange } from '../sector-range.ts';
import { type BootRecord, readBootRecord } from './boot-record.ts';
import { isUsed, type MbrPartitionEntry } from './partition-entry.ts';
import { isExtendedType } from './type-names.ts';

/** Boot records followed from one extended partition; Linux stops at 256 partitions a disk, and real chains have a few dozen. */
const MAX_BOOT_RECORDS = 1024;
/** Records 3 and 4 of an extended boot record should be empty; Linux takes them only when they lie inside the partition. */
const PLAIN_SLOTS = 2;
const STRUCTURE = 'extended boot record';

/** A logical partition with its start counted from the disk's. */
export interface LogicalEntry extends SectorRange {
  readonly entry: MbrPartitionEntry;
}

export interface ExtendedBootRecord {
  readonly sector: number;
  readonly logicals: readonly LogicalEntry[];
}

/**
 * The chain of boot records of an extended partition: a partition is relative to its own record, a link to the extended
 * partition. A chain that comes back to a record, or is too long, is CORRUPT; one that leaves the disk ends with a report.
 */
export async function readExtendedChain(
  device: BlockDevice,
  extended: SectorRange,
  sectorSize: number,
  context: OpenContext,
): Promise<ExtendedBootRecord[]> {
  const records: ExtendedBootRecord[] = [];
  const visited = new Set<number>();
  let here: SectorRange | undefined = extended;
  while (here !== undefined) {
    const offset = here.startSector * sectorSize;
    const report = (message: string): void => context.report({ layer: 'mbr', structure: STRUCTURE, offset, message });
    refuseEndless(visited, here.startSector, offset);
    visited.add(here.startSector);
    if (offset + sectorSize > device.size) {
      report(`the chain leaves the disk of ${device.size} bytes; logical partitions may be missing`);
      break;
    }
    const record = await readBootRecord(device, offset);
    if (!record.signed) {
      report('does not end in 55 AA: the chain ends here');
      break;
    }
    records.push({ sector: here.startSector, logicals: logicalsOf(record, here, extended) });
    here = nextOf(record, extended);
    if (here !== undefined && !isWithin(here, extended)) report('links to a place outside the extended partition');
  }
  return records;
}

function refuseEndless(visited: ReadonlySet<number>, sector: number, offset: number): void {
  const details = { layer: 'mbr', structure: STRUCTURE, offset };
  if (visited.has(sector))
    throw corrupt({ ...details, expected: 'a chain that ends', found: `sector ${sector} again` });
  if (visited.size >= MAX_BOOT_RECORDS) {
    throw corrupt({ ...details, expected: `at most ${MAX_BOOT_RECORDS} boot records`, found: 'more' });
  }
}

function logicalsOf(record: BootRecord, here: SectorRange, extended: SectorRange): LogicalEntry[] {
  return record.entries
    .map((entry) => ({ entry, startSector: here.startSector + entry.startSector, sectorCount: entry.sectorCount }))
    .filter(
      (logical, slot) =>
        isUsed(logical.entry) &&
        !isExtendedType(logical.entry.type) &&
        (slot < PLAIN_SLOTS || isWithin(logical, extended)),
    );
}

function nextOf(record: BootRecord, extended: SectorRange): SectorRange | undefined {
  const link = record.entries.find((entry) => isUsed(entry) && isExtendedType(entry.type));
  if (link === undefined) return undefined;
  return { startSector: extended.startSector + link.startSector, sectorCount: link.sectorCount };
}
