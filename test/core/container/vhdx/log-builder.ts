import { crc32cWithoutField } from '../../../../src/core/bytes/crc32c.ts';
import {
  DATA_DESCRIPTOR_SIGNATURE,
  DATA_SECTOR_SIGNATURE,
  dataDescriptor,
  dataSector,
  LOG_ENTRY_SIGNATURE,
  LOG_SECTOR_BYTES,
  logEntryHeader,
  ZERO_DESCRIPTOR_SIGNATURE,
  zeroDescriptor,
} from '../../../../src/core/container/vhdx/log-entry.ts';
import { type BuiltVhdx, LOG_GUID, writeHeader } from './vhdx-builder.ts';

/** One descriptor: a sector of data, or zeros. */
export type LogUpdate =
  | { readonly fileOffset: number; readonly data: Uint8Array }
  | { readonly fileOffset: number; readonly zeroLength: number };

export interface LogEntryRecipe {
  readonly sequenceNumber: bigint;
  /** Where the entry is put, in bytes from the start of the log; behind the one before when not said. */
  readonly at?: number;
  /** The place of the first entry of the sequence; the entry's own when not said. */
  readonly tail?: number;
  readonly updates: readonly LogUpdate[];
  readonly header?: Parameters<typeof logEntryHeader.write>[1];
  /** Sectors behind the data that belong to the entry. */
  readonly padding?: number;
  /** Damage done once the checksum stands; with `seal`, before it is taken. */
  damage?(bytes: Uint8Array): void;
  readonly seal?: boolean;
}

const PER_SECTOR = LOG_SECTOR_BYTES / dataDescriptor.size;

/** The bytes of a whole entry. */
export function logEntryBytes(recipe: LogEntryRecipe, at: number): Uint8Array {
  const { sequenceNumber, updates } = recipe;
  const sectors = Math.ceil((updates.length + 2) / PER_SECTOR);
  const data = updates.filter((update) => 'data' in update);
  const bytes = new Uint8Array((sectors + data.length + (recipe.padding ?? 0)) * LOG_SECTOR_BYTES);
  logEntryHeader.write(bytes, {
    signature: LOG_ENTRY_SIGNATURE,
    entryLength: bytes.length,
    tail: recipe.tail ?? at,
    sequenceNumber,
    descriptorCount: updates.length,
    logGuid: LOG_GUID,
    ...recipe.header,
  });
  for (const [index, update] of updates.entries()) {
    const start = logEntryHeader.size + index * dataDescriptor.size;
    const { fileOffset } = update;
    if ('zeroLength' in update) {
      const { zeroLength } = update;
      zeroDescriptor.write(
        bytes,
        { signature: ZERO_DESCRIPTOR_SIGNATURE, zeroLength, fileOffset, sequenceNumber },
        start,
      );
    } else {
      const leadingBytes = update.data.slice(0, 8);
      const trailingBytes = update.data.slice(4092);
      const values = { signature: DATA_DESCRIPTOR_SIGNATURE, leadingBytes, trailingBytes, fileOffset, sequenceNumber };
      dataDescriptor.write(bytes, values, start);
    }
  }
  for (const [index, update] of data.entries()) {
    const values = {
      signature: DATA_SECTOR_SIGNATURE,
      sequenceHigh: Number(sequenceNumber / 0x1_0000_0000n),
      sequenceLow: Number(sequenceNumber % 0x1_0000_0000n),
      data: update.data.slice(8, 4092),
    };
    dataSector.write(bytes, values, (sectors + index) * LOG_SECTOR_BYTES);
  }
  if (recipe.seal === true) recipe.damage?.(bytes);
  logEntryHeader.write(bytes, { checksum: crc32cWithoutField(bytes, logEntryHeader.fields.checksum.offset) });
  if (recipe.seal !== true) recipe.damage?.(bytes);
  return bytes;
}

/** Puts entries into the log of an image, around its end where they reach it, and says in the header that the log is pending. */
export async function writeLog(image: BuiltVhdx, entries: readonly LogEntryRecipe[]): Promise<void> {
  const logLength = image.header.logLength!;
  let at = 0;
  for (const recipe of entries) {
    at = recipe.at ?? at;
    const bytes = logEntryBytes(recipe, at);
    for (let sector = 0; sector < bytes.length; sector += LOG_SECTOR_BYTES) {
      const place = image.logOffset + ((at + sector) % logLength);
      await image.device.writeFrom(bytes.subarray(sector, sector + LOG_SECTOR_BYTES), place);
    }
    at = (at + bytes.length) % logLength;
  }
  await writeHeader(image.device, 1, { ...image.header, logGuid: LOG_GUID });
}

/** A sector of 4 KiB in which every byte tells its place. */
export function sectorOf(seed: number): Uint8Array {
  return Uint8Array.from({ length: LOG_SECTOR_BYTES }, (_, index) => seed * 17 + index * 31 + Math.floor(index / 256));
}
