import { crc32c, crc32cWithoutField } from '../../bytes/crc32c.ts';
import { divideUp } from '../../bytes/rounding.ts';
import { viewOf } from '../../bytes/struct.ts';
import {
  DATA_DESCRIPTOR_SIGNATURE,
  DATA_SECTOR_SIGNATURE,
  dataDescriptor,
  dataSector,
  LOG_SECTOR_BYTES,
  logEntryHeader,
  ZERO_DESCRIPTOR_SIGNATURE,
  zeroDescriptor,
} from './log-entry.ts';
import { type LogEntry, type LogRing, readRing } from './log-reader.ts';

/** Bytes of a descriptor of either kind. */
export const DESCRIPTOR_BYTES = dataDescriptor.size;
const DESCRIPTORS_PER_SECTOR = LOG_SECTOR_BYTES / DESCRIPTOR_BYTES;
/** The header takes the place of two descriptors (MS-VHDX 2.3.1). */
const HEADER_DESCRIPTORS = logEntryHeader.size / DESCRIPTOR_BYTES;

/** Sectors of an entry that hold the header and the descriptors; the data sectors follow. */
export function descriptorSectors(descriptorCount: number): number {
  return divideUp(descriptorCount + HEADER_DESCRIPTORS, DESCRIPTORS_PER_SECTOR);
}

/** Whether the header can be that of an entry of the log with that GUID (MS-VHDX 2.3.1.1): cheap, before anything is read. */
export function isPlausibleHeader({ header }: LogEntry, log: LogRing, logGuid: string): boolean {
  const { entryLength, tail, descriptorCount } = header;
  if (header.logGuid !== logGuid || header.sequenceNumber === 0n) return false;
  if (entryLength % LOG_SECTOR_BYTES !== 0 || entryLength > log.length) return false;
  if (tail % LOG_SECTOR_BYTES !== 0 || tail >= log.length) return false;
  return descriptorSectors(descriptorCount) * LOG_SECTOR_BYTES <= entryLength;
}

/**
 * Whether a plausible entry is whole: its checksum, and in every descriptor and data sector its signature and the entry's
 * sequence number (MS-VHDX 2.3.1). A torn write shows in one of them.
 */
export async function isWholeEntry(log: LogRing, { at, header }: LogEntry): Promise<boolean> {
  const sectors = descriptorSectors(header.descriptorCount);
  let sum: number | undefined;
  let sector = 0;
  let descriptorsLeft = header.descriptorCount;
  let dataLeft = 0;
  for await (const chunk of readRing(log, at, header.entryLength)) {
    sum = sum === undefined ? crc32cWithoutField(chunk, logEntryHeader.fields.checksum.offset) : crc32c(chunk, sum);
    for (let start = 0; start < chunk.length; start += LOG_SECTOR_BYTES, sector++) {
      if (sector < sectors) {
        const skipped = sector === 0 ? HEADER_DESCRIPTORS : 0;
        const count = Math.min(descriptorsLeft, DESCRIPTORS_PER_SECTOR - skipped);
        const dataCount = countData(chunk, start + skipped * DESCRIPTOR_BYTES, count, header.sequenceNumber);
        if (dataCount === undefined) return false;
        descriptorsLeft -= count;
        dataLeft += dataCount;
      } else if (dataLeft > 0) {
        if (!isDataSector(chunk, start, header.sequenceNumber)) return false;
        dataLeft -= 1;
      }
    }
  }
  return dataLeft === 0 && sum === header.checksum;
}

/** How many of `count` descriptors from `at` on are data descriptors; undefined when one of them is none at all. */
function countData(chunk: Uint8Array, at: number, count: number, sequenceNumber: bigint): number | undefined {
  const view = viewOf(chunk);
  let dataCount = 0;
  for (let index = 0; index < count; index++) {
    const start = at + index * DESCRIPTOR_BYTES;
    if (dataDescriptor.fields.sequenceNumber.get(view, start) !== sequenceNumber) return undefined;
    const fileOffset = dataDescriptor.fields.fileOffset.get(view, start);
    const signature = dataDescriptor.fields.signature.get(view, start);
    const length = signature === ZERO_DESCRIPTOR_SIGNATURE ? zeroDescriptor.fields.zeroLength.get(view, start) : 0;
    if (fileOffset % LOG_SECTOR_BYTES !== 0 || length % LOG_SECTOR_BYTES !== 0) return undefined;
    if (!Number.isSafeInteger(fileOffset + length + LOG_SECTOR_BYTES)) return undefined;
    if (signature === DATA_DESCRIPTOR_SIGNATURE) dataCount += 1;
    else if (signature !== ZERO_DESCRIPTOR_SIGNATURE) return undefined;
  }
  return dataCount;
}

/** MS-VHDX 2.3.1.4: the sequence number's halves stand at both ends of the sector. */
function isDataSector(chunk: Uint8Array, at: number, sequenceNumber: bigint): boolean {
  const view = viewOf(chunk);
  const { signature, sequenceHigh, sequenceLow } = dataSector.fields;
  const found = BigInt(sequenceHigh.get(view, at)) * 0x1_0000_0000n + BigInt(sequenceLow.get(view, at));
  return signature.get(view, at) === DATA_SECTOR_SIGNATURE && found === sequenceNumber;
}
