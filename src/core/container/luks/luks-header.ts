import { byteArray, Struct, u16be, u32be } from '../../bytes/struct.ts';
import { decodeCString } from '../../bytes/text.ts';
import { corrupt, unsupported } from '../../errors.ts';

/** The LUKS partition header of version 1 (LUKS On-Disk Format Specification 1.2.3, figure 1); eight key slots follow. */
export const luksHeader = new Struct('luks', 'header', {
  magic: byteArray(0, 6),
  version: u16be(6),
  cipherName: byteArray(8, 32),
  cipherMode: byteArray(40, 32),
  hashSpecification: byteArray(72, 32),
  payloadOffsetSectors: u32be(104),
  keyBytes: u32be(108),
  masterKeyDigest: byteArray(112, 20),
  masterKeyDigestSalt: byteArray(132, 32),
  masterKeyDigestIterations: u32be(164),
  uuid: byteArray(168, 40),
});

/** One key slot (figure 2); `keyMaterialSector` counts sectors of 512 bytes from the header's beginning. */
export const luksKeySlot = new Struct('luks', 'key slot', {
  active: u32be(0),
  iterations: u32be(4),
  salt: byteArray(8, 32),
  keyMaterialSector: u32be(40),
  stripes: u32be(44),
});

export const LUKS_MAGIC = Uint8Array.from([0x4c, 0x55, 0x4b, 0x53, 0xba, 0xbe]);
export const LUKS_SLOTS = 8;
/** What `active` holds in a slot that is in use; 0x0000dead in one that is not. */
export const SLOT_ACTIVE = 0x00ac71f3;
/** Header and key slots, in bytes. */
export const LUKS_HEADER_BYTES: number = luksHeader.size + LUKS_SLOTS * luksKeySlot.size;

export interface LuksHeader {
  readonly cipherName: string;
  readonly cipherMode: string;
  /** The hash of PBKDF2 and of the anti-forensic splitter. */
  readonly hash: string;
  readonly keyBytes: number;
  readonly masterKeyDigest: Uint8Array;
  readonly masterKeyDigestSalt: Uint8Array;
  readonly masterKeyDigestIterations: number;
  /** Those in use. */
  readonly slots: readonly LuksKeySlot[];
}

export interface LuksKeySlot {
  readonly number: number;
  /** Where its entry stands, in bytes from the header's beginning. */
  readonly offset: number;
  readonly iterations: number;
  readonly salt: Uint8Array;
  readonly keyMaterialSector: number;
  readonly stripes: number;
}

/** The header from its first `LUKS_HEADER_BYTES` bytes. `origin` is where it stands in the file, for errors. */
export function parseLuksHeader(bytes: Uint8Array, origin: number): LuksHeader {
  const fields = luksHeader.parse(bytes, 0, origin);
  const place = (field: keyof typeof luksHeader.fields) => ({
    layer: 'luks',
    structure: `header ${field}`,
    offset: origin + luksHeader.fields[field].offset,
  });
  if (Buffer.compare(fields.magic, LUKS_MAGIC) !== 0)
    throw corrupt({ ...place('magic'), expected: 'LUKS\\xba\\xbe', found: Buffer.from(fields.magic).toString('hex') });
  if (fields.version !== 1)
    throw unsupported({ ...place('version'), expected: 'LUKS version 1', found: `version ${fields.version}` });
  const slots: LuksKeySlot[] = [];
  for (let number = 0; number < LUKS_SLOTS; number++) {
    const offset = luksHeader.size + number * luksKeySlot.size;
    const { active, ...slot } = luksKeySlot.parse(bytes, offset, origin + offset);
    if (active === SLOT_ACTIVE) slots.push({ number, offset, ...slot });
  }
  return {
    cipherName: decodeCString(fields.cipherName),
    cipherMode: decodeCString(fields.cipherMode),
    hash: decodeCString(fields.hashSpecification),
    keyBytes: fields.keyBytes,
    masterKeyDigest: fields.masterKeyDigest,
    masterKeyDigestSalt: fields.masterKeyDigestSalt,
    masterKeyDigestIterations: fields.masterKeyDigestIterations,
    slots,
  };
}
