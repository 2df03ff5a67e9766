import { createCipheriv, createDecipheriv, createHash, getCiphers, getHashes } from 'node:crypto';
import { divideDown } from '../bytes/rounding.ts';
import { viewOf } from '../bytes/struct.ts';

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

/** Writes the initialization vector of a sector into 16 bytes that are zero. */
type VectorGenerator = (vector: Uint8Array, sector: number) => void;

/**
 * The cipher of a specification with that key; undefined when we have no such cipher, mode or key length. AES in the modes
 * XTS, CBC and ECB with the vectors `plain`, `plain64` and `essiv:HASH` (cryptsetup's LUKS On-Disk Format Specification 1.2.3,
 * figures 5 and 6; the kernel's dm-crypt document, section "ivmode").
 */
export function createSectorCipher(specification: CipherSpecification, key: Uint8Array): SectorCipher | undefined {
  const [chaining = '', ...vectorName] = specification.mode.split('-');
  const keyBits = (key.length / (chaining === 'xts' ? 2 : 1)) * 8;
  const algorithm = `${specification.name}-${keyBits}-${chaining}`;
  if (specification.name !== 'aes' || !/^(?:xts|cbc|ecb)$/.test(chaining) || !getCiphers().includes(algorithm))
    return undefined;
  const vectorOf = chaining === 'ecb' ? undefined : vectorGenerator(vectorName.join('-'), key);
  if (chaining !== 'ecb' && vectorOf === undefined) return undefined;
  try {
    createDecipheriv(algorithm, key, chaining === 'ecb' ? null : new Uint8Array(BLOCK_BYTES));
  } catch {
    // OpenSSL takes no XTS key whose halves are equal.
    return undefined;
  }
  const decryptSector = (sector: Uint8Array, number: number): void => {
    const vector = vectorOf === undefined ? null : new Uint8Array(BLOCK_BYTES);
    if (vector !== null) vectorOf!(vector, number);
    sector.set(createDecipheriv(algorithm, key, vector).setAutoPadding(false).update(sector));
  };
  return {
    decrypt: (bytes, firstSector) => {
      for (let at = 0; at < bytes.length; at += SECTOR_BYTES)
        decryptSector(bytes.subarray(at, at + SECTOR_BYTES), firstSector + at / SECTOR_BYTES);
    },
  };
}

function vectorGenerator(name: string, key: Uint8Array): VectorGenerator | undefined {
  const writeSector: VectorGenerator = (vector, sector) => {
    const view = viewOf(vector);
    view.setUint32(0, sector % 2 ** 32, true);
    view.setUint32(4, divideDown(sector, 2 ** 32), true);
  };
  if (name === 'plain64') return writeSector;
  if (name === 'plain') return (vector, sector) => writeSector(vector, sector % 2 ** 32);
  if (!name.startsWith('essiv:')) return undefined;
  const hash = name.slice('essiv:'.length);
  if (!getHashes().includes(hash)) return undefined;
  // The sector number encrypted under the hash of the key, which tells the size of AES as well.
  const salt = createHash(hash).update(key).digest();
  const algorithm = `aes-${salt.length * 8}-ecb`;
  if (!getCiphers().includes(algorithm)) return undefined;
  return (vector, sector) => {
    writeSector(vector, sector);
    vector.set(createCipheriv(algorithm, salt, null).setAutoPadding(false).update(vector));
  };
}
