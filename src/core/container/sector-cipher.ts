import { createCipheriv, createDecipheriv, createHash, getCiphers, getHashes } from 'node:crypto';
import { xorBytes } from '../bytes/bits.ts';
import { divideDown } from '../bytes/rounding.ts';
import { viewOf } from '../bytes/struct.ts';
import { expandTweaks } from '../bytes/xts-tweaks.ts';

/** Decrypts sectors of 512 bytes in place; `bytes` is a whole number of them, the first with number `firstSector`. */
export interface SectorCipher {
  decrypt(bytes: Uint8Array, firstSector: number): void;
}

const SECTOR_BYTES = 512;
/** Bytes of an AES block, and of an initialization vector. */
const BLOCK_BYTES = 16;

/** How sectors are encrypted: a name and a mode as LUKS and dm-crypt write them, `aes` and `xts-plain64`. */
export interface CipherSpecification {
  readonly name: string;
  readonly mode: string;
}

/** The initialization vectors of `count` sectors, one after the other. */
type VectorGenerator = (firstSector: number, count: number) => Uint8Array;

/**
 * The cipher of a specification with that key; undefined when we have no such cipher, mode or key length. AES in the modes
 * XTS, CBC and ECB with the vectors `plain`, `plain64` and `essiv:HASH` (cryptsetup's LUKS On-Disk Format Specification 1.2.3,
 * figures 5 and 6; the kernel's dm-crypt document, section "ivmode").
 *
 * Many sectors go through OpenSSL in one call, in a mode that does not know of sectors: to set up a cipher for each of them
 * would cost more than to decrypt it.
 */
export function createSectorCipher(specification: CipherSpecification, key: Uint8Array): SectorCipher | undefined {
  const [chaining = '', ...rest] = specification.mode.split('-');
  const keyBits = (key.length / (chaining === 'xts' ? 2 : 1)) * 8;
  if (specification.name !== 'aes' || !getCiphers().includes(`aes-${keyBits}-${chaining}`)) return undefined;
  if (chaining === 'ecb') return { decrypt: (bytes) => bytes.set(decryptBlocks(bytes, key)) };
  const vectorsOf = vectorGenerator(rest.join('-'), key);
  if (vectorsOf === undefined) return undefined;
  if (chaining === 'cbc') {
    return { decrypt: (bytes, first) => decryptChained(bytes, key, vectorsOf(first, bytes.length / SECTOR_BYTES)) };
  }
  if (chaining === 'xts') {
    return { decrypt: (bytes, first) => decryptTweaked(bytes, key, vectorsOf(first, bytes.length / SECTOR_BYTES)) };
  }
  return undefined;
}

/** AES on each block for itself. */
function decryptBlocks(bytes: Uint8Array, key: Uint8Array): Uint8Array {
  return createDecipheriv(`aes-${key.length * 8}-ecb`, key, null)
    .setAutoPadding(false)
    .update(bytes);
}

function encryptBlocks(bytes: Uint8Array, key: Uint8Array): Uint8Array {
  return createCipheriv(`aes-${key.length * 8}-ecb`, key, null)
    .setAutoPadding(false)
    .update(bytes);
}

/** CBC: a sector's first block is chained to its vector, not to the sector before, as one call over all of them has it. */
function decryptChained(bytes: Uint8Array, key: Uint8Array, vectors: Uint8Array): void {
  const algorithm = `aes-${key.length * 8}-cbc`;
  const plain = createDecipheriv(algorithm, key, new Uint8Array(BLOCK_BYTES)).setAutoPadding(false).update(bytes);
  for (let at = 0, vectorAt = 0; at < bytes.length; at += SECTOR_BYTES, vectorAt += BLOCK_BYTES) {
    const block = plain.subarray(at, at + BLOCK_BYTES);
    xorBytes(block, vectors.subarray(vectorAt, vectorAt + BLOCK_BYTES));
    if (at > 0) xorBytes(block, bytes.subarray(at - BLOCK_BYTES, at));
  }
  bytes.set(plain);
}

/** XTS: each block is combined with its tweak before and after; the key's second half makes the tweaks from the vectors. */
function decryptTweaked(bytes: Uint8Array, key: Uint8Array, vectors: Uint8Array): void {
  const half = key.length / 2;
  const firstTweaks = encryptBlocks(vectors, key.subarray(half));
  const tweaks = new Uint8Array(bytes.length);
  for (let at = 0, vectorAt = 0; at < bytes.length; at += SECTOR_BYTES, vectorAt += BLOCK_BYTES)
    tweaks.set(firstTweaks.subarray(vectorAt, vectorAt + BLOCK_BYTES), at);
  expandTweaks(tweaks, SECTOR_BYTES);
  xorBytes(bytes, tweaks);
  bytes.set(decryptBlocks(bytes, key.subarray(0, half)));
  xorBytes(bytes, tweaks);
}

function vectorGenerator(name: string, key: Uint8Array): VectorGenerator | undefined {
  if (name === 'plain64') return (firstSector, count) => sectorNumbers(firstSector, count, 2 ** 53);
  if (name === 'plain') return (firstSector, count) => sectorNumbers(firstSector, count, 2 ** 32);
  if (!name.startsWith('essiv:')) return undefined;
  const hash = name.slice('essiv:'.length);
  if (!getHashes().includes(hash)) return undefined;
  // The sector number encrypted under the hash of the key, which tells the size of AES as well.
  const salt = createHash(hash).update(key).digest();
  if (!getCiphers().includes(`aes-${salt.length * 8}-ecb`)) return undefined;
  return (firstSector, count) => encryptBlocks(sectorNumbers(firstSector, count, 2 ** 53), salt);
}

/** Little-endian, each filled up to a block with zeros; numbers from `limit` on begin again at zero. */
function sectorNumbers(firstSector: number, count: number, limit: number): Uint8Array {
  const numbers = new Uint8Array(count * BLOCK_BYTES);
  const view = viewOf(numbers);
  for (let index = 0; index < count; index++) {
    const sector = (firstSector + index) % limit;
    view.setUint32(index * BLOCK_BYTES, sector % 2 ** 32, true);
    view.setUint32(index * BLOCK_BYTES + 4, divideDown(sector, 2 ** 32), true);
  }
  return numbers;
}
