import { bitField, rotateLeft8, rotateRight8 } from '../../bytes/bits.ts';
import { byteArray, Struct, u8, u16le } from '../../bytes/struct.ts';
import { SLOT_BYTES } from './directory-entry.ts';

/** One slot of a long name, 13 UTF-16 units: FAT specification section 7. The slots stand before the short entry, the last part first. */
export const longNameEntry = new Struct(
  'fat',
  'long name entry',
  {
    /** 1 for the first part; bit 6 marks the last. */
    ordinal: u8(0),
    name1: byteArray(1, 10),
    attributes: u8(11),
    type: u8(12),
    checksum: u8(13),
    name2: byteArray(14, 12),
    firstCluster: u16le(26),
    name3: byteArray(28, 4),
  },
  SLOT_BYTES,
);

export const LONG_NAME_ATTRIBUTES = 0x0f;
export const UNITS_PER_SLOT = 13;
/** 255 units need 20 slots. */
export const MAX_LONG_NAME_SLOTS = 20;
export const MAX_LONG_NAME_UNITS = 255;

/** Whether a slot's attribute byte says "part of a long name"; the two top bits do not count. */
export function isLongNameAttribute(attributes: number): boolean {
  return bitField(attributes, 0, 6) === LONG_NAME_ATTRIBUTES;
}

/** The 13 units of the slot at `at`, padding and all. */
export function longNameUnits(view: DataView, at: number): string {
  return String.fromCharCode(
    view.getUint16(at + 1, true),
    view.getUint16(at + 3, true),
    view.getUint16(at + 5, true),
    view.getUint16(at + 7, true),
    view.getUint16(at + 9, true),
    view.getUint16(at + 14, true),
    view.getUint16(at + 16, true),
    view.getUint16(at + 18, true),
    view.getUint16(at + 20, true),
    view.getUint16(at + 22, true),
    view.getUint16(at + 24, true),
    view.getUint16(at + 28, true),
    view.getUint16(at + 30, true),
  );
}

const SHORT_NAME_BYTES = 11;

/** The checksum of the 11-byte short name at `at`, by which its long name slots know it (FAT specification section 7.2). */
export function shortNameChecksum(bytes: Uint8Array, at = 0): number {
  let sum = 0;
  for (let index = 0; index < SHORT_NAME_BYTES; index++) sum = (rotateRight8(sum) + bytes[at + index]!) % 256;
  return sum;
}

/** The first byte that the short name at `at` must have had for that checksum: what deleting it overwrote. */
export function firstByteFromChecksum(checksum: number, bytes: Uint8Array, at = 0): number {
  let sum = checksum;
  for (let index = SHORT_NAME_BYTES - 1; index > 0; index--) sum = rotateLeft8((sum + 256 - bytes[at + index]!) % 256);
  return sum;
}
