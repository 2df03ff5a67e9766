import { crc32 } from '../../../src/core/bytes/crc32.ts';
import { type GptEntry, gptEntry } from '../../../src/core/partition/gpt/entry.ts';
import { GPT_SIGNATURE, type GptHeader, gptHeader } from '../../../src/core/partition/gpt/header.ts';
import { buildBootRecord } from '../../../src/core/partition/mbr/boot-record.ts';

export const LINUX_TYPE = '0FC63DAF-8483-4772-8E79-3D69D8477DE4';
export const DISK_GUID = '01234567-89AB-CDEF-0123-456789ABCDEF';

export interface GptPlan {
  readonly sectors: number;
  readonly sectorSize?: number;
  readonly entrySize?: number;
  readonly entryCount?: number;
  readonly entries?: readonly Partial<GptEntry>[];
  /** Changes to both headers before their checksums are made. */
  readonly header?: Partial<GptHeader>;
}

/** A whole GPT disk by the specification: protective MBR, both headers, both arrays. */
export function buildGpt(plan: GptPlan): Uint8Array {
  const sectorSize = plan.sectorSize ?? 512;
  const entrySize = plan.entrySize ?? 128;
  const entryCount = plan.entryCount ?? 128;
  const disk = new Uint8Array(plan.sectors * sectorSize);
  const last = plan.sectors - 1;
  disk.set(buildBootRecord([{ type: 0xee, startSector: 1, sectorCount: last }]));
  const array = new Uint8Array(entrySize * entryCount);
  for (const [index, entry] of (plan.entries ?? []).entries()) gptEntry.write(array, entry, index * entrySize);
  const arraySectors = Math.ceil(array.length / sectorSize);
  for (const [myLba, alternateLba, entryLba] of [
    [1, last, 2],
    [last, 1, last - arraySectors],
  ] as const) {
    disk.set(array, entryLba * sectorSize);
    const common = { firstUsableLba: 2 + arraySectors, lastUsableLba: last - arraySectors - 1, diskGuid: DISK_GUID };
    const fields = { ...common, myLba, alternateLba, entryLba, entryCount, entrySize, entriesCrc: crc32(array) };
    writeHeader(disk, myLba, sectorSize, { ...fields, ...plan.header });
  }
  return disk;
}

/** Writes a header at `lba`, its checksum right over HeaderSize bytes (at most the sector). */
export function writeHeader(disk: Uint8Array, lba: number, sectorSize: number, fields: Partial<GptHeader>): void {
  const sector = disk.subarray(lba * sectorSize, (lba + 1) * sectorSize);
  gptHeader.write(sector, { signature: GPT_SIGNATURE, revision: 0x10000, headerSize: 92, ...fields, headerCrc: 0 });
  const covered = sector.subarray(0, fields.headerSize ?? 92);
  gptHeader.write(sector, { headerCrc: crc32(covered) });
}

/** A usable entry. */
export function entryAt(firstLba: number, lastLba: number, more: Partial<GptEntry> = {}): Partial<GptEntry> {
  const guid = `AAAAAAAA-0000-0000-0000-${String(firstLba).padStart(12, '0')}`;
  return {
    typeGuid: LINUX_TYPE,
    partitionGuid: guid,
    firstLba: BigInt(firstLba),
    lastLba: BigInt(lastLba),
    ...more,
  };
}

/** A disk with boot records at the sectors given (0 is the MBR). */
export function buildMbr(
  sectors: number,
  records: Readonly<Record<number, Parameters<typeof buildBootRecord>[0]>>,
): Uint8Array {
  const disk = new Uint8Array(sectors * 512);
  for (const [sector, entries] of Object.entries(records))
    disk.set(buildBootRecord(entries, 0x11223344), Number(sector) * 512);
  return disk;
}
