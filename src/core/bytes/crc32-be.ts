/**
 * The CRC-32 of the polynomial 0x04c11db7 with the highest bit first and no inversion, as the kernel's `crc32_be`. Bit
 * operators live here because the sum is 32 bits by nature.
 */

const POLYNOMIAL = 0x04c11db7;

/** What each byte contributes; made at the first sum. */
let table: Uint32Array | undefined;

function makeTable(): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, byte) => {
    let sum = byte << 24;
    for (let bit = 0; bit < 8; bit++) sum = (sum << 1) ^ (sum < 0 ? POLYNOMIAL : 0);
    return sum >>> 0;
  });
}

/** The sum of `bytes`; `previous` is that of what came before them, or where to begin. */
export function crc32be(bytes: Uint8Array, previous: number): number {
  table ??= makeTable();
  let sum = previous;
  for (const byte of bytes) sum = ((sum << 8) ^ table[((sum >>> 24) ^ byte) & 0xff]!) >>> 0;
  return sum;
}
