import { hasBit } from '../../bytes/bits.ts';
import { crc32cWithoutField } from '../../bytes/crc32c.ts';
import { type StructValue, viewOf } from '../../bytes/struct.ts';
import { type BlockDevice, readBytes } from '../../device/block-device.ts';
import { corrupt, type DiskError, unsupported } from '../../errors.ts';
import type { OpenContext } from '../../format.ts';
import type { HeaderFields } from './current-header.ts';
import { MIB } from './header.ts';
import {
  MAX_REGIONS,
  REGION,
  REGION_TABLE_BYTES,
  REGION_TABLE_OFFSETS,
  REGION_TABLE_SIGNATURE,
  regionTableEntry,
  regionTableHeader,
} from './region-table.ts';

/** A region of the file, in bytes. */
export interface Region {
  readonly fileOffset: number;
  readonly length: number;
}

export interface Regions {
  readonly bat: Region;
  readonly metadata: Region;
}

type RegionEntry = StructValue<typeof regionTableEntry.fields> & {
  /** Where the entry stands in the file. */
  readonly offset: number;
};

interface TableCopy {
  readonly number: number;
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly problem?: string | undefined;
}

/** The regions that are needed, from the first valid copy of the region table (MS-VHDX 2.2.3). `device` is the file after replay. */
export async function readRegions(device: BlockDevice, header: HeaderFields, context: OpenContext): Promise<Regions> {
  const table = await readTable(device, context);
  const entries = parseEntries(table);
  const known: string[] = Object.values(REGION);
  const unknown = entries.filter(({ guid, required }) => hasBit(required, 0) && !known.includes(guid));
  if (unknown.length > 0) {
    throw unsupported({
      layer: 'vhdx',
      structure: 'region table entry',
      offset: unknown[0]!.offset,
      expected: 'no required region but the BAT and the metadata',
      found: unknown.map(({ guid }) => guid).join(', '),
    });
  }
  checkPlaces(entries, header);
  const find = (guid: string, name: string): Region => checkedRegion(entries, guid, name, table, device, context);
  return { bat: find(REGION.bat, 'BAT'), metadata: find(REGION.metadata, 'metadata') };
}

async function readTable(device: BlockDevice, context: OpenContext): Promise<TableCopy> {
  const [first, second] = [await readCopy(device, 0), await readCopy(device, 1)];
  const used = first.problem === undefined ? first : second;
  if (used.problem !== undefined) {
    throw corrupt({
      layer: 'vhdx',
      structure: 'region table',
      offset: first.offset,
      expected: 'a valid region table',
      found: `region table 1: ${first.problem}; region table 2: ${second.problem}`,
    });
  }
  const report = ({ number, offset }: TableCopy, message: string): void =>
    context.report({ layer: 'vhdx', structure: `region table ${number}`, offset, message });
  for (const copy of [first, second]) {
    if (copy.problem !== undefined)
      report(copy, `the copy is damaged (${copy.problem}); region table ${used.number} is used`);
  }
  if (second.problem === undefined && used === first && Buffer.compare(first.bytes, second.bytes) !== 0)
    report(second, 'the copy is not the same as region table 1, which is used');
  return used;
}

async function readCopy(device: BlockDevice, index: 0 | 1): Promise<TableCopy> {
  const offset = REGION_TABLE_OFFSETS[index];
  const copy = { number: index + 1, offset };
  if (device.size < offset + REGION_TABLE_BYTES)
    return { ...copy, bytes: new Uint8Array(0), problem: `the file ends at ${device.size}` };
  const bytes = await readBytes(device, offset, REGION_TABLE_BYTES);
  return { ...copy, bytes, problem: regionTableProblem(bytes) };
}

/** What is wrong with the 64 KiB of a copy of the region table; undefined when it can be used. */
export function regionTableProblem(bytes: Uint8Array): string | undefined {
  const view = viewOf(bytes);
  const { signature, checksum, entryCount } = regionTableHeader.fields;
  if (signature.get(view, 0) !== REGION_TABLE_SIGNATURE) return 'no signature';
  if (checksum.get(view, 0) !== crc32cWithoutField(bytes, checksum.offset)) return 'bad checksum';
  const count = entryCount.get(view, 0);
  return count > MAX_REGIONS ? `${count} entries` : undefined;
}

function parseEntries({ bytes, offset }: TableCopy): RegionEntry[] {
  const { entryCount } = regionTableHeader.parse(bytes, 0, offset);
  return Array.from({ length: entryCount }, (_, index) => {
    const at = regionTableHeader.size + index * regionTableEntry.size;
    return { ...regionTableEntry.parse(bytes, at, offset + at), offset: offset + at };
  });
}

/** MS-VHDX 2.2.3.2: offsets and lengths are whole MiB, and nothing overlaps: not another region, not the log, not the header section. */
function checkPlaces(entries: readonly RegionEntry[], header: HeaderFields): void {
  for (const { fileOffset, length, offset } of entries) {
    const isAligned = fileOffset % MIB === 0 && length % MIB === 0;
    if (isAligned && fileOffset >= MIB && length > 0) continue;
    throw invalidEntry(offset, `whole MiB behind the first`, `${length} bytes at ${fileOffset}`);
  }
  const log = { fileOffset: header.logOffset, length: header.logLength, offset: undefined };
  const places = [...entries, ...(header.logLength > 0 ? [log] : [])].sort(
    (left, right) => left.fileOffset - right.fileOffset,
  );
  for (const [index, place] of places.slice(1).entries()) {
    const before = places[index]!;
    if (before.fileOffset + before.length <= place.fileOffset) continue;
    throw invalidEntry(
      place.offset ?? before.offset,
      'no overlap with another region or the log',
      `${place.length} bytes at ${place.fileOffset} behind ${before.length} at ${before.fileOffset}`,
    );
  }
}

function checkedRegion(
  entries: readonly RegionEntry[],
  guid: string,
  name: string,
  table: TableCopy,
  device: BlockDevice,
  context: OpenContext,
): Region {
  const [found, again] = entries.filter((entry) => entry.guid === guid);
  if (found === undefined) throw invalidEntry(table.offset, `a ${name} region`, 'none');
  if (again !== undefined) throw invalidEntry(again.offset, `one ${name} region`, 'two');
  const { fileOffset, length, offset } = found;
  if (fileOffset >= device.size)
    throw invalidEntry(offset, `a ${name} region inside the file of ${device.size} bytes`, fileOffset);
  if (fileOffset + length > device.size) {
    context.report({
      layer: 'vhdx',
      structure: 'region table entry',
      offset,
      message: `the file is truncated: it ends at ${device.size}, inside the ${name} region`,
    });
  }
  return { fileOffset, length };
}

function invalidEntry(offset: number | undefined, expected: string, found: string | number): DiskError {
  return corrupt({ layer: 'vhdx', structure: 'region table entry', offset, expected, found });
}
