/** CRC-16 with the polynomial 0x8005, bits reversed (ANSI), as ext4's group descriptors have it. */
const POLYNOMIAL = 0xa001;

let table: Uint16Array | undefined;

function makeTable(): Uint16Array {
  return Uint16Array.from({ length: 256 }, (_, byte) => {
    let sum = byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ ((sum & 1) === 1 ? POLYNOMIAL : 0);
    return sum;
  });
}

/** CRC-16 of `bytes`, without inversion; `previous` is what it begins with, or the sum of what came before. */
export function crc16(bytes: Uint8Array, previous: number): number {
  table ??= makeTable();
  let sum = previous;
  for (const byte of bytes) sum = (sum >>> 8) ^ table[(sum ^ byte) & 0xff]!;
  return sum;
}
