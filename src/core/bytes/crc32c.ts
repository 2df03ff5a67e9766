/**
 * CRC-32C (Castagnoli, RFC 3720 appendix B.4), as VHDX and ext4 use it. Bit operators live here because the sum is 32 bits by nature.
 */

/** The polynomial 0x1edc6f41, bits reversed. */
const POLYNOMIAL = 0x82f63b78;
/** Bytes taken in one step of the inner loop. */
const SLICES = 8;

/** `tables[k][b]`: what byte `b` contributes when `k` more bytes follow it in the same step; made at the first sum. */
let tables: readonly Uint32Array[] | undefined;

function makeTables(): Uint32Array[] {
  const made = Array.from({ length: SLICES }, () => new Uint32Array(256));
  for (let byte = 0; byte < 256; byte++) {
    let sum = byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ ((sum & 1) === 1 ? POLYNOMIAL : 0);
    made[0]![byte] = sum;
  }
  for (let byte = 0; byte < 256; byte++) {
    for (let slice = 1; slice < SLICES; slice++) {
      const sum = made[slice - 1]![byte]!;
      made[slice]![byte] = (sum >>> 8) ^ made[0]![sum & 0xff]!;
    }
  }
  return made;
}

/** CRC-32C of `bytes`; `previous` is the sum of what came before them. */
export function crc32c(bytes: Uint8Array, previous = 0): number {
  tables ??= makeTables();
  // Not taken apart as a list: this is called for each of a hundred thousand inodes.
  const t0 = tables[0]!;
  const t1 = tables[1]!;
  const t2 = tables[2]!;
  const t3 = tables[3]!;
  const t4 = tables[4]!;
  const t5 = tables[5]!;
  const t6 = tables[6]!;
  const t7 = tables[7]!;
  let sum = ~previous;
  let at = 0;
  for (const end = bytes.length - SLICES; at <= end; at += SLICES) {
    sum =
      t7[(sum ^ bytes[at]!) & 0xff]! ^
      t6[((sum >>> 8) ^ bytes[at + 1]!) & 0xff]! ^
      t5[((sum >>> 16) ^ bytes[at + 2]!) & 0xff]! ^
      t4[(sum >>> 24) ^ bytes[at + 3]!]! ^
      t3[bytes[at + 4]!]! ^
      t2[bytes[at + 5]!]! ^
      t1[bytes[at + 6]!]! ^
      t0[bytes[at + 7]!]!;
  }
  for (; at < bytes.length; at++) sum = (sum >>> 8) ^ t0[(sum ^ bytes[at]!) & 0xff]!;
  return ~sum >>> 0;
}

/**
 * CRC-32C of `bytes` with the 4-byte field at `fieldOffset` counted as zero, as structures that hold their own checksum want;
 * `previous` is the sum of what came before them.
 */
export function crc32cWithoutField(bytes: Uint8Array, fieldOffset: number, previous = 0): number {
  const head = crc32c(bytes.subarray(0, fieldOffset), previous);
  return crc32c(bytes.subarray(fieldOffset + 4), crc32c(new Uint8Array(4), head));
}
