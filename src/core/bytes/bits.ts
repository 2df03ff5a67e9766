/**
 * The only place for bit operators: everywhere else the linter forbids them, because on a `number` they
 * silently cut an offset to 32 bits.
 */

/** Whether bit `bit` (0 = least significant) of a word of at most 32 bits is set. */
export function hasBit(word: number, bit: number): boolean {
  return ((word >>> bit) & 1) === 1;
}

/** Whether every bit of `mask` is set in `word`; both of at most 32 bits. */
export function hasMask(word: number, mask: number): boolean {
  return (word & mask) >>> 0 === mask >>> 0;
}

/** Whether any bit is set in both words; of at most 32 bits each. */
export function hasCommonBit(left: number, right: number): boolean {
  return (left & right) !== 0;
}

/** `width` bits (1 to 32) of a word of at most 32 bits, from bit `from` up. */
export function bitField(word: number, from: number, width: number): number {
  return width === 32 ? word >>> from : (word >>> from) & ((1 << width) - 1);
}

/** `word` (at most 32 bits) with all bits of `mask` cleared. */
export function clearMask(word: number, mask: number): number {
  return (word & ~mask) >>> 0;
}

/** Exclusive or of two words of at most 32 bits. */
export function xor32(left: number, right: number): number {
  return (left ^ right) >>> 0;
}

/** Exclusive or of `source` into `target`, byte by byte, as far as both reach. */
export function xorBytes(target: Uint8Array, source: Uint8Array): void {
  const length = Math.min(target.length, source.length);
  let at = 0;
  if (target.byteOffset % 4 === 0 && source.byteOffset % 4 === 0) {
    const words = Math.floor(length / 4);
    const targetWords = new Uint32Array(target.buffer, target.byteOffset, words);
    const sourceWords = new Uint32Array(source.buffer, source.byteOffset, words);
    for (let word = 0; word < words; word++) targetWords[word]! ^= sourceWords[word]!;
    at = words * 4;
  }
  for (; at < length; at++) target[at]! ^= source[at]!;
}

/** How many bits from bit `from` up are equal to it, in a word of 32 bits. */
export function equalBits(word: number, from: number): number {
  const rest = word >>> from;
  const differing = (rest & 1) === 1 ? ~rest : rest;
  const lowest = differing & -differing;
  return Math.min(32 - from, lowest === 0 ? 32 : 31 - Math.clz32(lowest));
}

/** The lowest bit that is set in a word of at most 31 bits, as a number: 4 for 12. */
export function lowestBit(word: number): number {
  return word & -word;
}

/** A byte rotated right by one bit. */
export function rotateRight8(byte: number): number {
  return ((byte & 1) << 7) | (byte >>> 1);
}

/** A byte rotated left by one bit. */
export function rotateLeft8(byte: number): number {
  return ((byte << 1) & 0xff) | (byte >>> 7);
}

/** Whether bit `bit` of a 64-bit word is set. */
export function hasBit64(word: bigint, bit: number): boolean {
  return ((word >> BigInt(bit)) & 1n) === 1n;
}

/** `width` bits of a 64-bit word from bit `from` up, as a bigint. */
export function bitField64(word: bigint, from: number, width: number): bigint {
  return (word >> BigInt(from)) & ((1n << BigInt(width)) - 1n);
}

/** The numbers of the bits set in a 64-bit word, ascending. */
export function bitNumbers64(word: bigint): number[] {
  const numbers: number[] = [];
  for (let bit = 0; bit < 64; bit++) if (hasBit64(word, bit)) numbers.push(bit);
  return numbers;
}

/** The numbers of the bits set in a word of at most 32 bits, ascending. */
export function bitNumbers(word: number): number[] {
  const numbers: number[] = [];
  for (let bit = 0; bit < 32; bit++) if (hasBit(word, bit)) numbers.push(bit);
  return numbers;
}

/** A 64-bit quantity from two 32-bit halves; exact while `high` is below 2^21. */
export function joinHalves(high: number, low: number): number {
  return high * 0x1_0000_0000 + low;
}

/** A 64-bit word from its two 32-bit halves. */
export function joinHalves64(high: number, low: number): bigint {
  return (BigInt(high) << 32n) | BigInt(low);
}

/** Gives `count` bits from bit `from` up the value `set`; bit 0 is the least significant of the first byte. */
export function fillBits(bytes: Uint8Array, from: number, count: number, set: boolean): void {
  for (let bit = from, end = from + count; bit < end; ) {
    const within = bit & 7;
    const index = (bit - within) / 8;
    const run = Math.min(8 - within, end - bit);
    if (run === 8) {
      const whole = Math.floor((end - bit) / 8);
      bytes.fill(set ? 0xff : 0, index, index + whole);
      bit += whole * 8;
    } else {
      const mask = ((1 << run) - 1) << within;
      bytes[index] = set ? bytes[index]! | mask : bytes[index]! & ~mask;
      bit += run;
    }
  }
}

/** How many of `count` bits from bit `from` up are set; bit 0 is the least significant of the first byte. */
export function countBits(bytes: Uint8Array, from: number, count: number): number {
  let found = 0;
  for (let bit = from, end = from + count; bit < end; ) {
    const within = bit & 7;
    const run = Math.min(8 - within, end - bit);
    let byte = (bytes[(bit - within) / 8]! >>> within) & ((1 << run) - 1);
    for (; byte !== 0; byte &= byte - 1) found++;
    bit += run;
  }
  return found;
}

/** Adds to `again` the bits that `later` has and `bytes` has not, then to `later` those of `bytes`: all of one length. */
export function noteReused(bytes: Uint8Array, later: Uint8Array, again: Uint8Array): void {
  for (let at = 0; at < bytes.length; at++) {
    again[at]! |= later[at]! & ~bytes[at]!;
    later[at]! |= bytes[at]!;
  }
}
