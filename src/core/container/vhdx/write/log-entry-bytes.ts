import { crc32c } from '../../../bytes/crc32c.ts';
import { assert } from '../../../errors.ts';
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
} from '../log-entry.ts';

/** One change that a log entry carries: a sector of 4 KiB with new bytes, or a run of such sectors that becomes zeros. */
export type LogChange =
  | { readonly fileOffset: number; readonly bytes: Uint8Array }
  | { readonly fileOffset: number; readonly zeroLength: number };

/**
 * The most changes that one entry carries: as many as fit, with the header, into 512 bytes. A disk writes those whole or not
 * at all, so a torn entry has either no header or all of its descriptors: QEMU refuses a file whose log has a header without
 * (block/vhdx-log.c, vhdx_log_read_desc) instead of passing the entry over as MS-VHDX 2.3.3 says.
 */
export const MAX_CHANGES = (512 - logEntryHeader.size) / dataDescriptor.size;

export interface LogEntryPlace {
  readonly sequenceNumber: bigint;
  /** Where the oldest entry that is not applied begins, in bytes of the log. */
  readonly tail: number;
  readonly logGuid: string;
  /** Bytes of the file: all of it is durable, and all of its structures lie in it. */
  readonly fileSize: number;
}

/** Bytes of the entry that carries the changes. */
export function logEntryLength(changes: readonly LogChange[]): number {
  return LOG_SECTOR_BYTES * (1 + changes.filter((change) => 'bytes' in change).length);
}

/** A log entry (MS-VHDX 2.3.1): header and descriptors in one sector of 4 KiB, then the data sectors. */
export function buildLogEntry(changes: readonly LogChange[], place: LogEntryPlace): Uint8Array {
  assert(changes.length > 0 && changes.length <= MAX_CHANGES, 'an entry has between one change and as many as fit');
  const { sequenceNumber, tail, logGuid, fileSize } = place;
  const entry = new Uint8Array(logEntryLength(changes));
  logEntryHeader.write(entry, {
    signature: LOG_ENTRY_SIGNATURE,
    entryLength: entry.length,
    tail,
    sequenceNumber,
    descriptorCount: changes.length,
    logGuid,
    flushedFileOffset: fileSize,
    lastFileOffset: fileSize,
  });
  let dataAt = LOG_SECTOR_BYTES;
  for (const [index, change] of changes.entries()) {
    const at = logEntryHeader.size + index * dataDescriptor.size;
    const { fileOffset } = change;
    if ('bytes' in change) {
      writeData(entry, at, dataAt, change, sequenceNumber);
      dataAt += LOG_SECTOR_BYTES;
    } else {
      const { zeroLength } = change;
      const signature = ZERO_DESCRIPTOR_SIGNATURE;
      zeroDescriptor.write(entry, { signature, zeroLength, fileOffset, sequenceNumber }, at);
    }
  }
  logEntryHeader.write(entry, { checksum: crc32c(entry) });
  return entry;
}

/** The descriptor keeps the first and last bytes of the sector, where the data sector has its signature and numbers. */
function writeData(
  entry: Uint8Array,
  descriptorAt: number,
  dataAt: number,
  { bytes, fileOffset }: { readonly bytes: Uint8Array; readonly fileOffset: number },
  sequenceNumber: bigint,
): void {
  const dataEnd = dataSector.fields.data.offset + dataSector.fields.data.length;
  const signature = DATA_DESCRIPTOR_SIGNATURE;
  const leadingBytes = bytes.subarray(0, dataSector.fields.data.offset);
  const trailingBytes = bytes.subarray(dataEnd);
  dataDescriptor.write(entry, { signature, leadingBytes, trailingBytes, fileOffset, sequenceNumber }, descriptorAt);
  dataSector.write(
    entry,
    {
      signature: DATA_SECTOR_SIGNATURE,
      sequenceHigh: Number(sequenceNumber / 0x1_0000_0000n),
      data: bytes.subarray(dataSector.fields.data.offset, dataEnd),
      sequenceLow: Number(sequenceNumber % 0x1_0000_0000n),
    },
    dataAt,
  );
}
