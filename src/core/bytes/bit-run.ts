import { hasBit } from './bits.ts';

/** Bits that say the same in a row. */
export interface BitRun {
  readonly isSet: boolean;
  readonly count: number;
}

/** The run of equal bits that begins at bit `from` (bit 0 is the least significant one of the first byte), of at most `limit` bits. */
export function bitRun(bytes: Uint8Array, from: number, limit: number): BitRun {
  const end = Math.min(from + limit, bytes.length * 8);
  const isSet = bitAt(bytes, from);
  const same = isSet ? 0xff : 0;
  let at = from + 1;
  while (at < end) {
    if (at % 8 === 0 && bytes[at / 8] === same) at += 8;
    else if (bitAt(bytes, at) === isSet) at += 1;
    else break;
  }
  return { isSet, count: Math.min(at, end) - from };
}

function bitAt(bytes: Uint8Array, bit: number): boolean {
  return hasBit(bytes[Math.floor(bit / 8)]!, bit % 8);
}
