import { getHashes, pbkdf2 } from 'node:crypto';
import { promisify } from 'node:util';
import { roundUp } from '../../bytes/rounding.ts';
import { type BlockDevice, readBytes } from '../../device/block-device.ts';
import { corrupt, denied, unsupported } from '../../errors.ts';
import { createSectorCipher, type SectorCipher } from '../sector-cipher.ts';
import { DIGEST_BYTES, mergeStripes } from './anti-forensic.ts';
import {
  LUKS_HEADER_BYTES,
  type LuksHeader,
  type LuksKeySlot,
  luksHeader,
  luksKeySlot,
  parseLuksHeader,
} from './luks-header.ts';

/** In libuv's thread pool: the event loop goes on. Made when called, so that only an encrypted image loads node:crypto. */
const deriveKey = (
  secret: Uint8Array,
  salt: Uint8Array,
  iterations: number,
  length: number,
  hash: string,
): Promise<Buffer> => promisify(pbkdf2)(secret, salt, iterations, length, hash);

/** Iterations of PBKDF2 for one unlocking, all slots together: a minute or so; real headers have some millions. */
const MAX_ITERATIONS = 100_000_000;
/** The longest key of any cipher: two halves of 256 bits. */
const MAX_KEY_BYTES = 64;
/** Real headers have 4000. */
const MAX_STRIPES = 16_000;
const SECTOR_BYTES = 512;
const DIGEST_LENGTH = luksHeader.fields.masterKeyDigest.length;

/** What a passphrase opened. */
export interface UnlockedLuks {
  readonly cipher: SectorCipher;
  /** `aes-xts-plain64 with a key of 512 bits`. */
  readonly description: string;
}

/**
 * The cipher of a LUKS version 1 volume whose header and key material lie in `device`, in `length` bytes from `origin`.
 * DENIED when the passphrase opens no key slot, UNSUPPORTED by name for a cipher, mode or hash that we do not have.
 */
export async function unlockLuks(
  device: BlockDevice,
  origin: number,
  length: number,
  passphrase: Uint8Array,
): Promise<UnlockedLuks> {
  const header = parseLuksHeader(await readBytes(device, origin, Math.min(length, LUKS_HEADER_BYTES)), origin);
  checkHeader(header, origin, length);
  for (const slot of header.slots) {
    const masterKey = await openSlot(device, origin, header, slot, passphrase);
    if (masterKey === undefined) continue;
    const description = `${header.cipherName}-${header.cipherMode} with a key of ${header.keyBytes * 8} bits`;
    return { cipher: cipherOf(header, masterKey, origin), description };
  }
  throw denied({
    layer: 'luks',
    structure: 'key slots',
    offset: origin + luksHeader.size,
    expected: 'the passphrase of a key slot',
    found: `one that opens none of the ${header.slots.length} in use`,
  });
}

/** Everything that later steps count on; nothing is allocated or computed before. */
function checkHeader(header: LuksHeader, origin: number, length: number): void {
  const place = (field: keyof typeof luksHeader.fields) => ({
    layer: 'luks',
    structure: `header ${field}`,
    offset: origin + luksHeader.fields[field].offset,
  });
  const { hash, keyBytes, slots } = header;
  if (!DIGEST_BYTES.has(hash) || !getHashes().includes(hash)) {
    const known = [...DIGEST_BYTES.keys()].join(', ');
    throw unsupported({ ...place('hashSpecification'), expected: `one of ${known}`, found: hash });
  }
  if (keyBytes === 0 || keyBytes > MAX_KEY_BYTES)
    throw corrupt({ ...place('keyBytes'), expected: `1 to ${MAX_KEY_BYTES} bytes`, found: keyBytes });
  let iterations = header.masterKeyDigestIterations;
  if (iterations === 0)
    throw corrupt({ ...place('masterKeyDigestIterations'), expected: 'at least 1', found: iterations });
  for (const slot of slots) {
    checkSlot(slot, keyBytes, origin, length);
    // Each slot that is tried is checked with the digest of the master key.
    iterations += slot.iterations + header.masterKeyDigestIterations;
  }
  if (iterations > MAX_ITERATIONS) {
    throw unsupported({
      ...place('masterKeyDigestIterations'),
      expected: `at most ${MAX_ITERATIONS} iterations of PBKDF2`,
      found: iterations,
    });
  }
}

function checkSlot(slot: LuksKeySlot, keyBytes: number, origin: number, length: number): void {
  const place = (field: keyof typeof luksKeySlot.fields) => ({
    layer: 'luks',
    structure: `key slot ${slot.number} ${field}`,
    offset: origin + slot.offset + luksKeySlot.fields[field].offset,
  });
  if (slot.iterations === 0) throw corrupt({ ...place('iterations'), expected: 'at least 1', found: 0 });
  if (slot.stripes === 0 || slot.stripes > MAX_STRIPES)
    throw corrupt({ ...place('stripes'), expected: `1 to ${MAX_STRIPES}`, found: slot.stripes });
  const end = slot.keyMaterialSector * SECTOR_BYTES + materialBytes(slot, keyBytes);
  if (end > length)
    throw corrupt({ ...place('keyMaterialSector'), expected: `key material inside ${length} bytes`, found: end });
}

/** The stripes of a key, in whole sectors. */
function materialBytes({ stripes }: LuksKeySlot, keyBytes: number): number {
  return roundUp(stripes * keyBytes, SECTOR_BYTES);
}

/** The master key, if the passphrase opens this slot (section 4.2, `Master key recovery`). */
async function openSlot(
  device: BlockDevice,
  origin: number,
  header: LuksHeader,
  slot: LuksKeySlot,
  passphrase: Uint8Array,
): Promise<Uint8Array | undefined> {
  const { keyBytes, hash } = header;
  const slotKey = await deriveKey(passphrase, slot.salt, slot.iterations, keyBytes, hash);
  const cipher = cipherOf(header, slotKey, origin);
  const materialOffset = origin + slot.keyMaterialSector * SECTOR_BYTES;
  const material = await readBytes(device, materialOffset, materialBytes(slot, keyBytes));
  // Key material is encrypted as a disk of its own, from sector 0 on.
  cipher.decrypt(material, 0);
  const masterKey = mergeStripes(material.subarray(0, slot.stripes * keyBytes), keyBytes, hash);
  const { masterKeyDigestSalt, masterKeyDigestIterations } = header;
  const digest = await deriveKey(masterKey, masterKeyDigestSalt, masterKeyDigestIterations, DIGEST_LENGTH, hash);
  return Buffer.compare(digest, header.masterKeyDigest) === 0 ? masterKey : undefined;
}

function cipherOf({ cipherName, cipherMode, keyBytes }: LuksHeader, key: Uint8Array, origin: number): SectorCipher {
  const cipher = createSectorCipher({ name: cipherName, mode: cipherMode }, key);
  if (cipher !== undefined) return cipher;
  throw unsupported({
    layer: 'luks',
    structure: 'header cipherName',
    offset: origin + luksHeader.fields.cipherName.offset,
    expected: 'AES in the mode XTS, CBC or ECB',
    found: `${cipherName}-${cipherMode} with a key of ${keyBytes * 8} bits`,
  });
}
