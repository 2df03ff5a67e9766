import { viewOf } from './struct.ts';

/**
 * The hashes of names that ext3 and ext4 order their indexed directories by (kernel documentation, ext4 "Hash Tree
 * Directories"; `s_hash_seed`, `dx_root.hash_version`). Bit operators live here because the sums are 32 bits by nature.
 */
export type NameHashVersion = 'legacy' | 'half-md4' | 'tea';

const START = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476] as const;
const TEA_DELTA = 0x9e3779b9;
const MD4_K2 = 0x5a827999;
const MD4_K3 = 0x6ed9eba1;

/** The hash of a name, its lowest bit 0. `seed` is the filesystem's, 16 bytes, all zero for none; `unsigned` how bytes above 127 count. */
export function extNameHash(name: Uint8Array, version: NameHashVersion, seed: Uint8Array, unsigned: boolean): number {
  if (version === 'legacy') return (legacyHash(name, unsigned) & ~1) >>> 0;
  const view = viewOf(seed);
  const words = [0, 4, 8, 12].map((at) => view.getUint32(at, true));
  const state = words.some((word) => word !== 0) ? words : [...START];
  const wordsAtOnce = version === 'tea' ? 4 : 8;
  const block = new Array<number>(wordsAtOnce).fill(0);
  for (let at = 0; at < name.length; at += wordsAtOnce * 4) {
    takeWords(name, at, block, unsigned);
    if (version === 'tea') tea(state, block);
    else halfMd4(state, block);
  }
  return ((version === 'tea' ? state[0]! : state[1]!) & ~1) >>> 0;
}

function signedByte(byte: number, unsigned: boolean): number {
  return unsigned || byte < 128 ? byte : byte - 256;
}

function legacyHash(name: Uint8Array, unsigned: boolean): number {
  let before = 0x37abe8f9;
  let hash = 0x12a3fe2d;
  for (const byte of name) {
    let next = (before + (hash ^ Math.imul(signedByte(byte, unsigned), 7152373))) >>> 0;
    if (next >= 0x8000_0000) next = (next - 0x7fff_ffff) >>> 0;
    before = hash;
    hash = next;
  }
  return (hash << 1) >>> 0;
}

/** The next bytes of a name as big endian words, filled up with what its length gives. */
function takeWords(name: Uint8Array, from: number, words: number[], unsigned: boolean): void {
  const left = name.length - from;
  let pad = (left | (left << 8)) >>> 0;
  pad = (pad | (pad << 16)) >>> 0;
  const length = Math.min(left, words.length * 4);
  let value = pad;
  let filled = 0;
  for (let index = 0; index < length; index++) {
    value = (signedByte(name[from + index]!, unsigned) + (value << 8)) | 0;
    if (index % 4 !== 3) continue;
    words[filled++] = value;
    value = pad;
  }
  if (filled < words.length) words[filled++] = value;
  while (filled < words.length) words[filled++] = pad;
}

function tea(state: number[], block: readonly number[]): void {
  let [first, second] = [state[0]! | 0, state[1]! | 0];
  const [a, b, c, d] = block as [number, number, number, number];
  let sum = 0;
  for (let round = 0; round < 16; round++) {
    sum = (sum + TEA_DELTA) | 0;
    first = (first + (((second << 4) + a) ^ (second + sum) ^ ((second >>> 5) + b))) | 0;
    second = (second + (((first << 4) + c) ^ (first + sum) ^ ((first >>> 5) + d))) | 0;
  }
  state[0] = (state[0]! + first) >>> 0;
  state[1] = (state[1]! + second) >>> 0;
}

type Mix = (x: number, y: number, z: number) => number;
const ROUNDS: readonly { mix: Mix; add: number; order: readonly number[]; shifts: readonly number[] }[] = [
  { mix: (x, y, z) => z ^ (x & (y ^ z)), add: 0, order: [0, 1, 2, 3, 4, 5, 6, 7], shifts: [3, 7, 11, 19] },
  { mix: (x, y, z) => (x & y) + ((x ^ y) & z), add: MD4_K2, order: [1, 3, 5, 7, 0, 2, 4, 6], shifts: [3, 5, 9, 13] },
  { mix: (x, y, z) => x ^ y ^ z, add: MD4_K3, order: [3, 7, 2, 6, 1, 5, 0, 4], shifts: [3, 9, 11, 15] },
];

function halfMd4(state: number[], block: readonly number[]): void {
  let [a, b, c, d] = state as [number, number, number, number];
  for (const { mix, add, order, shifts } of ROUNDS) {
    for (let step = 0; step < 8; step++) {
      const sum = (a + mix(b, c, d) + block[order[step]!]! + add) | 0;
      const shift = shifts[step % 4]!;
      const turned = (sum << shift) | (sum >>> (32 - shift));
      [a, b, c, d] = [d, turned, b, c];
    }
  }
  state[0] = (state[0]! + a) >>> 0;
  state[1] = (state[1]! + b) >>> 0;
  state[2] = (state[2]! + c) >>> 0;
  state[3] = (state[3]! + d) >>> 0;
}

/** The hash of one extended attribute: of its name, and of the words that its value is or is known by. */
export function extAttributeHash(name: Uint8Array, value: readonly number[], unsigned: boolean): number {
  let hash = 0;
  for (const byte of name) hash = (hash << 5) ^ (hash >>> 27) ^ signedByte(byte, unsigned);
  for (const word of value) hash = (hash << 16) ^ (hash >>> 16) ^ word;
  return hash >>> 0;
}
