import { crc32 as zlibCrc32 } from 'node:zlib';

/** CRC-32 (ISO 3309, as GPT and gzip use it) of `bytes`. */
export function crc32(bytes: Uint8Array): number {
  return zlibCrc32(bytes);
}

/** CRC-32 of `bytes` with the 4-byte field at `fieldOffset` counted as zero, as headers that hold their own checksum want. */
export function crc32WithoutField(bytes: Uint8Array, fieldOffset: number): number {
  const head = zlibCrc32(bytes.subarray(0, fieldOffset));
  const zeros = zlibCrc32(new Uint8Array(4), head);
  return zlibCrc32(bytes.subarray(fieldOffset + 4), zeros);
}
