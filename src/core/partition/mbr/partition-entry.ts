import { byteArray, Struct, type StructValue, u8, u32le } from '../../bytes/struct.ts';

/** A partition record of an MBR or an extended boot record (UEFI 2.10 section 5.2.1, table 5.2). */
export const mbrPartitionEntry = new Struct('mbr', 'partition entry', {
  /** 0x80 active, 0x00 not; anything else is no partition table. */
  status: u8(0),
  startChs: byteArray(1, 3),
  type: u8(4),
  endChs: byteArray(5, 3),
  /** In sectors; from the disk's start, or in an extended boot record from a place that the entry's role tells. */
  startSector: u32le(8),
  sectorCount: u32le(12),
});

export type MbrPartitionEntry = StructValue<typeof mbrPartitionEntry.fields>;

export const ACTIVE_STATUS = 0x80;
/** GPT protective. */
export const PROTECTIVE_TYPE = 0xee;

/** As Linux and sfdisk see it: an entry without sectors is free, whatever its type. */
export function isUsed(entry: MbrPartitionEntry): boolean {
  return entry.sectorCount > 0;
}
