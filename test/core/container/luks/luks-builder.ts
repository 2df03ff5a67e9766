import { createCipheriv, createHash, pbkdf2Sync } from 'node:crypto';
import { LUKS_MAGIC, luksHeader, luksKeySlot, SLOT_ACTIVE } from '../../../../src/core/container/luks/luks-header.ts';
import { seededRandom } from '../../../conformance/device-conformance.ts';

export interface LuksRecipe {
  readonly mode: string;
  readonly hash: string;
  readonly keyBytes: number;
  readonly passphrase: string;
  readonly stripes?: number;
  readonly iterations?: number;
  /** The slot that the passphrase opens. */
  readonly slot?: number;
}

export interface BuiltLuks {
  readonly bytes: Uint8Array;
  readonly masterKey: Uint8Array;
}

/** Where the key material begins, in sectors. */
export const MATERIAL_SECTOR = 8;

const random = seededRandom(31);
const noise = (length: number): Uint8Array => Uint8Array.from({ length }, () => random() * 256);
const cString = (text: string): Uint8Array => {
  const bytes = new Uint8Array(32);
  bytes.set(Buffer.from(text));
  return bytes;
};

/** A LUKS1 header with one key slot, made after the specification and not with the code that reads it; cheap to open. */
export function buildLuks(recipe: LuksRecipe): BuiltLuks {
  const { mode, hash, keyBytes, passphrase, stripes = 3, iterations = 1, slot = 0 } = recipe;
  const masterKey = noise(keyBytes);
  const salt = noise(32);
  const masterKeyDigestSalt = noise(32);
  const material = Buffer.alloc(Math.ceil((stripes * keyBytes) / 512) * 512);
  splitKey(masterKey, stripes, hash).copy(material);
  const slotKey = pbkdf2Sync(passphrase, salt, iterations, keyBytes, hash);
  for (let sector = 0; sector * 512 < material.length; sector++) {
    const part = material.subarray(sector * 512, sector * 512 + 512);
    part.set(encryptSector(mode, slotKey, sector, part));
  }
  const bytes = new Uint8Array(MATERIAL_SECTOR * 512 + material.length);
  luksHeader.write(bytes, {
    magic: LUKS_MAGIC,
    version: 1,
    cipherName: cString('aes'),
    cipherMode: cString(mode),
    hashSpecification: cString(hash),
    payloadOffsetSectors: bytes.length / 512,
    keyBytes,
    masterKeyDigest: pbkdf2Sync(masterKey, masterKeyDigestSalt, iterations, 20, hash),
    masterKeyDigestSalt,
    masterKeyDigestIterations: iterations,
    uuid: new Uint8Array(40),
  });
  for (let number = 0; number < 8; number++)
    luksKeySlot.write(bytes, { active: 0xdead }, luksHeader.size + number * luksKeySlot.size);
  luksKeySlot.write(
    bytes,
    { active: SLOT_ACTIVE, iterations, salt, keyMaterialSector: MATERIAL_SECTOR, stripes },
    luksHeader.size + slot * luksKeySlot.size,
  );
  bytes.set(material, MATERIAL_SECTOR * 512);
  return { bytes, masterKey };
}

/** Section 2.4 of the specification: all stripes but the last are random, the last makes up the difference. */
function splitKey(key: Uint8Array, stripes: number, hash: string): Buffer {
  const parts: Uint8Array[] = [];
  let state: Uint8Array = new Uint8Array(key.length);
  for (let stripe = 0; stripe < stripes - 1; stripe++) {
    const part = noise(key.length);
    parts.push(part);
    state = diffused(exclusiveOr(state, part), hash);
  }
  parts.push(exclusiveOr(state, key));
  return Buffer.concat(parts);
}

function diffused(bytes: Uint8Array, hash: string): Uint8Array {
  const size = createHash(hash).digest().length;
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    const piece = bytes.subarray(at, at + size);
    const number = Buffer.alloc(4);
    number.writeUInt32BE(at / size);
    pieces.push(createHash(hash).update(number).update(piece).digest().subarray(0, piece.length));
  }
  return Buffer.concat(pieces);
}

function exclusiveOr(left: Uint8Array, right: Uint8Array): Uint8Array {
  // By arithmetic: bit operators are not for tests either. a xor b = a + b - 2 (a and b), bit by bit.
  return left.map((byte, index) => {
    let result = 0;
    for (let bit = 1; bit < 256; bit *= 2) {
      const one = Math.floor(byte / bit) % 2;
      const other = Math.floor(right[index]! / bit) % 2;
      if (one !== other) result += bit;
    }
    return result;
  });
}

/** A sector as `mode` encrypts it. */
export function encryptSector(mode: string, key: Uint8Array, sector: number, plain: Uint8Array): Buffer {
  const [chaining, ...rest] = mode.split('-');
  const bits = (key.length / (chaining === 'xts' ? 2 : 1)) * 8;
  const vector = Buffer.alloc(16);
  vector.writeBigUInt64LE(rest[0] === 'plain' ? BigInt(sector) % 2n ** 32n : BigInt(sector));
  const hash = /^essiv:(.*)$/.exec(rest.join('-'))?.[1];
  if (hash !== undefined) {
    const salt = createHash(hash).update(key).digest();
    createCipheriv(`aes-${salt.length * 8}-ecb`, salt, null)
      .setAutoPadding(false)
      .update(vector)
      .copy(vector);
  }
  const cipher = createCipheriv(`aes-${bits}-${chaining}`, key, chaining === 'ecb' ? null : vector);
  return cipher.setAutoPadding(false).update(plain);
}
