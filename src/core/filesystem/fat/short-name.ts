import { hasBit } from '../../bytes/bits.ts';
import type { CodePage } from './code-page.ts';
import { DELETED_MARK, ESCAPED_E5 } from './directory-entry.ts';

const BASE_BYTES = 8;
const EXTENSION_BYTES = 3;
const SPACE = 0x20;
/** Windows NT's bits in byte 12: the base, the extension is shown in lower case. */
const LOWER_BASE_BIT = 3;
const LOWER_EXTENSION_BIT = 4;
/** What no short name begins with: FAT specification section 6.1. */
const FORBIDDEN = new Set(Array.from('"*+,./:;<=>?[\\]|', (character) => character.charCodeAt(0)));

/**
 * The short name at `at` as people see it: trailing spaces cut, a dot between, lower case where `caseBits` ask for it.
 * `firstByte` stands in for the one that deleting overwrote; a deleted name without it begins with `_`.
 */
export function decodeShortName(
  codePage: CodePage,
  bytes: Uint8Array,
  at: number,
  caseBits: number,
  firstByte?: number,
): string {
  const name = bytes.slice(at, at + BASE_BYTES + EXTENSION_BYTES);
  if (firstByte !== undefined) name[0] = firstByte;
  if (name[0] === DELETED_MARK) name[0] = 0x5f;
  else if (name[0] === ESCAPED_E5) name[0] = DELETED_MARK;
  const base = codePage.decode(name, 0, trimmedLength(name, 0, BASE_BYTES), hasBit(caseBits, LOWER_BASE_BIT));
  const extensionLength = trimmedLength(name, BASE_BYTES, EXTENSION_BYTES);
  if (extensionLength > 0)
    return `${base}.${codePage.decode(name, BASE_BYTES, extensionLength, hasBit(caseBits, LOWER_EXTENSION_BIT))}`;
  // Only a hostile name is empty; its spaces at least can be seen and typed.
  return base === '' ? codePage.decode(name, 0, BASE_BYTES) : base;
}

function trimmedLength(bytes: Uint8Array, at: number, length: number): number {
  let end = length;
  while (end > 0 && bytes[at + end - 1] === SPACE) end--;
  return end;
}

/** A volume label: 11 bytes, trailing spaces cut, no dot and no case bits. */
export function decodeLabel(codePage: CodePage, bytes: Uint8Array, at = 0): string {
  const label = bytes.slice(at, at + BASE_BYTES + EXTENSION_BYTES);
  if (label[0] === ESCAPED_E5) label[0] = DELETED_MARK;
  const zero = label.indexOf(0);
  return codePage.decode(label, 0, trimmedLength(label, 0, zero < 0 ? label.length : zero));
}

/** Whether a short name may begin with that byte, as it is on disk. */
export function mayBeginShortName(byte: number): boolean {
  if (byte === ESCAPED_E5) return true;
  const isLowerCase = byte >= 0x61 && byte <= 0x7a;
  return byte > SPACE && byte !== DELETED_MARK && !isLowerCase && !FORBIDDEN.has(byte);
}
