import { hasBit } from '../../../bytes/bits.ts';
import { directoryEntry, ESCAPED_E5 } from '../directory-entry.ts';

const NAME_BYTES = 11;
const SPACE = 0x20;
const DELETE = 0x7f;
/** What fsck.fat lets in no short name. */
const FORBIDDEN = new Set(Array.from('*?<>|"\\/:.', (character) => character.charCodeAt(0)));
/** Bit of `caseBits` with which a patched Linux said that there is no short name. */
const NO_SHORT_NAME_BIT = 5;

export function hasNoShortName(bytes: Uint8Array, at: number): boolean {
  return hasBit(bytes[at + directoryEntry.fields.caseBits.offset]!, NO_SHORT_NAME_BIT);
}

/** Why the short name at `at` is none that fsck.fat would leave; undefined for a good one. */
export function badShortName(bytes: Uint8Array, at: number, hasLongName: boolean): string | undefined {
  if (hasNoShortName(bytes, at))
    return hasLongName ? undefined : 'the entry says that it has no short name, and has no long one';
  for (let index = 0; index < NAME_BYTES; index++) {
    const byte = bytes[at + index]!;
    const isControl = (byte < SPACE && !(index === 0 && byte === ESCAPED_E5)) || byte === DELETE;
    if (isControl || FORBIDDEN.has(byte)) return `byte ${index} of the short name is 0x${byte.toString(16)}`;
  }
  return bytes[at] === SPACE ? 'the short name begins with a space' : undefined;
}
