import { encodeName } from '../bytes/text.ts';
import { unsupported } from '../errors.ts';

export type TextEncodingName = 'utf-8' | 'utf-16le';

/** Bytes to look for: a byte is like the pattern's where the mask has ones. */
export interface BytePattern {
  /** What it was made from, in print: `hex`, `utf-8`. */
  readonly name: string;
  /** Zero where the mask is. */
  readonly values: Uint8Array;
  readonly masks: Uint8Array;
}

/** The longest pattern, in bytes: pieces of a device are read with so much of the next one. */
export const MAX_PATTERN_BYTES = 4096;
const ANY_CASE_MASK = 0xdf;
const WHOLE_MASK = 0xff;
const CASE_DISTANCE = 0x20;

/** Text as an encoding has it; `ignoreCase` is for the letters of ASCII. A lone surrogate is the byte it stands for (`decodeName`). */
export function textPattern(text: string, encoding: TextEncodingName, ignoreCase: boolean): BytePattern {
  const values = encoding === 'utf-8' ? encodeName(text) : new Uint8Array(Buffer.from(text, 'utf16le'));
  const masks = new Uint8Array(values.length).fill(WHOLE_MASK);
  const unitBytes = encoding === 'utf-8' ? 1 : 2;
  for (let at = 0; ignoreCase && at < values.length; at += unitBytes) {
    // The upper half of a unit of UTF-16: with another than 0 it is no letter of ASCII.
    if (unitBytes === 2 && values[at + 1] !== 0) continue;
    if (!/[a-z]/i.test(String.fromCharCode(values[at]!))) continue;
    masks[at] = ANY_CASE_MASK;
    if (values[at]! >= 0x60) values[at]! -= CASE_DISTANCE;
  }
  return checked({ name: encoding, values, masks });
}

/** `55 aa ?? 0?`: two digits a byte, blanks between them or not, `?` for a digit that may be any. */
export function hexPattern(text: string): BytePattern {
  const digits = text.replaceAll(/\s+/g, '');
  if (!/^(?:[0-9a-f?]{2})+$/i.test(digits))
    throw unsupported({ layer: 'search', structure: 'pattern', expected: 'bytes such as 55 aa ?? 0?', found: text });
  const length = digits.length / 2;
  const values = new Uint8Array(length);
  const masks = new Uint8Array(length);
  [...digits].forEach((digit, index) => {
    const weight = index % 2 === 0 ? 16 : 1;
    if (digit === '?') return;
    values[Math.floor(index / 2)]! += Number.parseInt(digit, 16) * weight;
    masks[Math.floor(index / 2)]! += 15 * weight;
  });
  return checked({ name: 'hex', values, masks });
}

function checked(pattern: BytePattern): BytePattern {
  const { length } = pattern.values;
  const details = { layer: 'search', structure: 'pattern' };
  if (length === 0) throw unsupported({ ...details, expected: 'a pattern of at least one byte', found: 'nothing' });
  if (length > MAX_PATTERN_BYTES)
    throw unsupported({ ...details, expected: `at most ${MAX_PATTERN_BYTES} bytes`, found: `${length} bytes` });
  if (pattern.masks.every((mask) => mask === 0))
    throw unsupported({ ...details, expected: 'at least one digit that is given', found: 'none' });
  return pattern;
}

/** Whether a run of zeros that is long enough has it everywhere. */
export function matchesZeros(pattern: BytePattern): boolean {
  return pattern.values.every((value) => value === 0);
}

/**
 * The two places in a pattern whose bytes are met least often, ascending; the same one twice where it has only one. What disks
 * are full of comes last: zeros, then ones and blanks, then what texts are made of.
 */
export function rarePlaces({ values, masks }: BytePattern): readonly [number, number] {
  const places = [...values.keys()].filter((at) => masks[at] !== 0);
  places.sort((left, right) => commonness(values[left]!, masks[left]!) - commonness(values[right]!, masks[right]!));
  const [first, second = first] = places as [number, number?];
  return [Math.min(first, second), Math.max(first, second)];
}

function commonness(value: number, mask: number): number {
  if (value === 0) return 5;
  if (mask !== WHOLE_MASK && mask !== ANY_CASE_MASK) return 4;
  if (value === 0xff || value === 0x20) return 3;
  if (/[etaoinsr0-9]/i.test(String.fromCharCode(value))) return 2;
  return /[a-z]/i.test(String.fromCharCode(value)) ? 1 : 0;
}
