import { byteArray, guid, Struct, u16le, u32le, u64le, word64le } from '../../bytes/struct.ts';

/** Bytes in the units that VHDX aligns its structures to (MS-VHDX 2.1). */
export const KIB = 1024;
export const MIB = 1024 * 1024;

/** "vhdxfile", the first eight bytes (MS-VHDX 2.2.1). */
export const VHDX_SIGNATURE = 'vhdxfile';

/** The file type identifier at offset 0 (MS-VHDX 2.2.1); `creator` is UTF-16LE. */
export const fileIdentifier = new Struct('vhdx', 'file identifier', {
  signature: byteArray(0, 8),
  creator: byteArray(8, 512),
});

/** Where the two headers stand, and how many bytes their checksum covers. */
export const HEADER_OFFSETS = [64 * KIB, 128 * KIB] as const;
export const HEADER_BYTES = 4 * KIB;
/** "head". */
export const HEADER_SIGNATURE = 0x64616568;

/** One of the two headers (MS-VHDX 2.2.2). The checksum is CRC-32C of the 4 KiB with the field zero. */
export const vhdxHeader = new Struct(
  'vhdx',
  'header',
  {
    signature: u32le(0),
    checksum: u32le(4),
    sequenceNumber: word64le(8),
    fileWriteGuid: guid(16),
    dataWriteGuid: guid(32),
    logGuid: guid(48),
    logVersion: u16le(64),
    version: u16le(66),
    logLength: u32le(68),
    logOffset: u64le(72),
  },
  HEADER_BYTES,
);
