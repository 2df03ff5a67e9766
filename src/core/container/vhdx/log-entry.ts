import { byteArray, guid, Struct, u32le, u64le, word64le } from '../../bytes/struct.ts';
import { KIB } from './header.ts';

/** Log entries, their parts and the tail pointer are multiples of this many bytes (MS-VHDX 2.3). */
export const LOG_SECTOR_BYTES = 4 * KIB;
/** "loge", "zero", "desc" and "data". */
export const LOG_ENTRY_SIGNATURE = 0x65676f6c;
export const ZERO_DESCRIPTOR_SIGNATURE = 0x6f72657a;
export const DATA_DESCRIPTOR_SIGNATURE = 0x63736564;
export const DATA_SECTOR_SIGNATURE = 0x61746164;

/** MS-VHDX 2.3.1.1. The checksum is CRC-32C of the whole entry with the field zero; `tail` is an offset in the log. */
export const logEntryHeader = new Struct('vhdx', 'log entry', {
  signature: u32le(0),
  checksum: u32le(4),
  entryLength: u32le(8),
  tail: u32le(12),
  sequenceNumber: word64le(16),
  descriptorCount: u32le(24),
  reserved: u32le(28),
  logGuid: guid(32),
  flushedFileOffset: u64le(48),
  lastFileOffset: u64le(56),
});

/** MS-VHDX 2.3.1.2: `zeroLength` bytes of zeros at `fileOffset`. */
export const zeroDescriptor = new Struct('vhdx', 'zero descriptor', {
  signature: u32le(0),
  reserved: u32le(4),
  zeroLength: u64le(8),
  fileOffset: u64le(16),
  sequenceNumber: word64le(24),
});

/** MS-VHDX 2.3.1.3: one sector of 4 KiB at `fileOffset`, of which the first 8 and the last 4 bytes are kept here. */
export const dataDescriptor = new Struct('vhdx', 'data descriptor', {
  signature: u32le(0),
  trailingBytes: byteArray(4, 4),
  leadingBytes: byteArray(8, 8),
  fileOffset: u64le(16),
  sequenceNumber: word64le(24),
});

/** MS-VHDX 2.3.1.4: the other 4084 bytes of that sector; the two halves of the entry's sequence number tell a torn one. */
export const dataSector = new Struct('vhdx', 'log data sector', {
  signature: u32le(0),
  sequenceHigh: u32le(4),
  data: byteArray(8, 4084),
  sequenceLow: u32le(4092),
});
