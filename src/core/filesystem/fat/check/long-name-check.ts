import { hasBit } from '../../../bytes/bits.ts';
import { viewOf } from '../../../bytes/struct.ts';
import { longNameEntry, shortNameChecksum } from '../long-name-entry.ts';
import { type Sink, slotFinding } from './fault.ts';

const FIELDS = longNameEntry.fields;
const LAST_PART_BIT = 6;
/** The ordinal is in the low five bits, as fsck.fat has it. */
const ORDINAL_LIMIT = 32;
/** No long name is under way. */
const NONE = -1;

/**
 * Follows the long names of one directory, slot by slot, and tells what is wrong with them: as an error what fsck.fat mends
 * on its own (left-over parts, reserved fields), as a warning what it only tells of.
 */
export class LongNameCheck {
  readonly #sink: Sink;
  readonly #directory: string;
  /** The ordinal that was met last: parts that are missing yet, 0 when the name is whole. */
  #missing = NONE;
  #checksum = 0;
  /** Of the first slot of the name under way. */
  #offset = 0;

  constructor(directory: string, sink: Sink) {
    this.#directory = directory;
    this.#sink = sink;
  }

  part(bytes: Uint8Array, at: number, offset: number): void {
    const first = bytes[at]!;
    const checksum = bytes[at + FIELDS.checksum.offset]!;
    const ordinal = first % ORDINAL_LIMIT;
    if (this.#missing === 0) this.orphaned('another long name follows it');
    if (hasBit(first, LAST_PART_BIT) && ordinal !== 0) {
      if (this.#missing !== NONE) this.#warn(offset, 'a long name begins inside another one');
      this.#missing = ordinal;
      this.#checksum = checksum;
      this.#offset = offset;
    } else if (ordinal !== this.#missing) {
      const expected = this.#missing === NONE ? 'where none is under way' : `where ${this.#missing} must follow`;
      this.#warn(offset, `a long name part with the number ${ordinal} stands ${expected}`);
      this.#missing = NONE;
      return;
    }
    if (checksum !== this.#checksum) this.#warn(offset, 'the parts of a long name have different checksums');
    if (this.#missing !== NONE) this.#missing--;
    for (const field of ['type', 'firstCluster'] as const) {
      const value = FIELDS[field].get(viewOf(bytes), at);
      if (value === 0) continue;
      const message = `the field ${field} of a long name part is ${value}, not 0`;
      this.#tell('error', 'long-name-reserved-field', offset + FIELDS[field].offset, message);
    }
  }

  /** A short entry: the long name before it is its own, or is not. Tells whether it has one. */
  short(bytes: Uint8Array, at: number): boolean {
    const missing = this.#missing;
    this.#missing = NONE;
    if (missing === NONE) return false;
    if (missing !== 0) {
      this.#warn(this.#offset, 'the first parts of a long name are missing');
      return false;
    }
    if (shortNameChecksum(bytes, at) !== this.#checksum)
      this.#warn(this.#offset, 'the checksum of a long name is not that of the short name behind it');
    return true;
  }

  /** A slot, or the end of the directory, that no long name can belong to. */
  orphaned(why: string): void {
    if (this.#missing === NONE) return;
    this.#missing = NONE;
    this.#tell('error', 'long-name-orphaned', this.#offset, `a long name belongs to no file: ${why}`);
  }

  #warn(offset: number, message: string): void {
    this.#tell('warning', 'long-name-broken', offset, message);
  }

  #tell(severity: 'error' | 'warning', code: string, offset: number, message: string): void {
    this.#sink(slotFinding(severity, code, 'long name entry', offset, message, this.#directory));
  }
}
