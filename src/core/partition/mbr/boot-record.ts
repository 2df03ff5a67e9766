import { Struct, u16le, u32le } from '../../bytes/struct.ts';
import { type BlockDevice, readBytes } from '../../device/block-device.ts';
import { corrupt } from '../../errors.ts';
import { type MbrPartitionEntry, mbrPartitionEntry } from './partition-entry.ts';

export const BOOT_RECORD_BYTES = 512;
export const BOOT_SIGNATURE = 0xaa55;
const ENTRIES_OFFSET = 446;
const ENTRY_COUNT = 4;

/** The first 512 bytes of a disk or of a logical partition's extended boot record (UEFI 2.10 section 5.2.1, table 5.1). */
export const mbrBootRecord = new Struct(
  'mbr',
  'boot record',
  { diskSignature: u32le(440), signature: u16le(510) },
  BOOT_RECORD_BYTES,
);

export interface BootRecord {
  readonly bytes: Uint8Array;
  readonly diskSignature: number;
  /** Whether it ends in 55 AA. */
  readonly signed: boolean;
  /** Four, used or not. */
  readonly entries: readonly MbrPartitionEntry[];
}

/** Pure: the boot record in `bytes`, which stand at `offset` of the disk. */
export function parseBootRecord(bytes: Uint8Array, offset: number): BootRecord {
  const { diskSignature, signature } = mbrBootRecord.parse(bytes, 0, offset);
  const entries = Array.from({ length: ENTRY_COUNT }, (_, slot) => {
    const at = ENTRIES_OFFSET + slot * mbrPartitionEntry.size;
    return mbrPartitionEntry.parse(bytes, at, offset + at);
  });
  return { bytes, diskSignature, signed: signature === BOOT_SIGNATURE, entries };
}

/** Reads the boot record at byte `offset`, signed or not. */
export async function readBootRecord(device: BlockDevice, offset: number): Promise<BootRecord> {
  if (offset + BOOT_RECORD_BYTES > device.size) {
    throw corrupt({
      layer: 'mbr',
      structure: 'boot record',
      offset,
      expected: `${BOOT_RECORD_BYTES} bytes`,
      found: `the end of the disk at ${device.size}`,
    });
  }
  return parseBootRecord(await readBytes(device, offset, BOOT_RECORD_BYTES), offset);
}

/** A boot record as bytes: for test images. */
export function buildBootRecord(
  entries: readonly (Partial<MbrPartitionEntry> | undefined)[],
  diskSignature = 0,
): Uint8Array {
  const bytes = mbrBootRecord.build({ diskSignature, signature: BOOT_SIGNATURE });
  for (const [slot, entry] of entries.entries()) {
    if (entry !== undefined) mbrPartitionEntry.write(bytes, entry, ENTRIES_OFFSET + slot * mbrPartitionEntry.size);
  }
  return bytes;
}
