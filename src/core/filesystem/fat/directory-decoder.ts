import { hasBit } from '../../bytes/bits.ts';
import { divideDown } from '../../bytes/rounding.ts';
import { viewOf } from '../../bytes/struct.ts';
import type { CodePage } from './code-page.ts';
import { ATTRIBUTE_BITS, DELETED_MARK, directoryEntry, END_OF_DIRECTORY, SLOT_BYTES } from './directory-entry.ts';
import {
  firstByteFromChecksum,
  isLongNameAttribute,
  longNameEntry,
  longNameUnits,
  MAX_LONG_NAME_SLOTS,
  MAX_LONG_NAME_UNITS,
  shortNameChecksum,
} from './long-name-entry.ts';
import { decodeLabel, decodeShortName, mayBeginShortName } from './short-name.ts';

/** One name of a directory, as its slots have it. */
export interface DecodedEntry {
  readonly kind: 'directory' | 'file' | 'label';
  readonly name: string;
  /** The 8.3 name when `name` is a long one. */
  readonly shortName: string | undefined;
  readonly deleted: boolean;
  /** Of the short entry, in bytes of the device. */
  readonly offset: number;
}

/** Slots of a long name that still wait for their short entry. */
interface PendingName {
  readonly deleted: boolean;
  readonly checksum: number;
  /** Of the first slot, in bytes of the device. */
  readonly offset: number;
  /** In the order of the disk: the last part first. */
  readonly parts: string[];
  /** The ordinal that must come next; 0 when the name is whole. Deleting overwrites the ordinals. */
  expected: number;
}

const FIELDS = directoryEntry.fields;
const LAST_PART_BIT = 6;
const ORDINAL_LIMIT = 0x40;
const DOT = 0x2e;
const SPACE = 0x20;
const NAME_BYTES = 11;

/** Takes a directory's bytes in order, in pieces of whole slots, and gives its entries; pure but for `reportOrphan`. */
export class DirectoryDecoder {
  /** The entry that says "none follows" has been seen. */
  ended = false;
  #pending: PendingName | undefined;
  readonly #codePage: CodePage;
  readonly #reportOrphan: (offset: number, message: string) => void;

  /** `reportOrphan` is told the offset of each long name that belongs to no short entry. */
  constructor(codePage: CodePage, reportOrphan: (offset: number, message: string) => void) {
    this.#codePage = codePage;
    this.#reportOrphan = reportOrphan;
  }

  /** The entries that end inside `bytes`, whose first byte lies at `origin` of the device. */
  push(bytes: Uint8Array, origin: number): DecodedEntry[] {
    const view = viewOf(bytes);
    const entries: DecodedEntry[] = [];
    for (let at = 0; at + SLOT_BYTES <= bytes.length; at += SLOT_BYTES) {
      const first = bytes[at]!;
      if (first === END_OF_DIRECTORY) {
        this.ended = true;
        break;
      }
      const attributes = bytes[at + FIELDS.attributes.offset]!;
      if (!isLongNameAttribute(attributes)) {
        const entry = this.#shortEntry(bytes, at, origin + at, attributes);
        if (entry !== undefined) entries.push(entry);
      } else if (first === DELETED_MARK) this.#deletedPart(bytes, view, at, origin + at);
      else this.#livePart(bytes, view, at, origin + at);
    }
    if (this.ended) this.finish();
    return entries;
  }

  /** To be called where the directory ends without saying so. */
  finish(): void {
    this.#orphan(this.#pending, 'no short entry follows it');
    this.#pending = undefined;
  }

  #livePart(bytes: Uint8Array, view: DataView, at: number, offset: number): void {
    const ordinal = bytes[at]!;
    const number = ordinal % ORDINAL_LIMIT;
    const checksum = bytes[at + longNameEntry.fields.checksum.offset]!;
    const before = this.#pending;
    if (before !== undefined && !before.deleted && ordinal === before.expected && checksum === before.checksum) {
      before.parts.push(longNameUnits(view, at));
      before.expected--;
      return;
    }
    this.#orphan(before, 'its parts are out of order');
    this.#pending = undefined;
    const isLastPart = hasBit(ordinal, LAST_PART_BIT) && ordinal < 2 * ORDINAL_LIMIT;
    if (isLastPart && number >= 1 && number <= MAX_LONG_NAME_SLOTS) {
      const parts = [longNameUnits(view, at)];
      this.#pending = { deleted: false, checksum, offset, parts, expected: number - 1 };
    } else this.#reportOrphan(offset, `a long name part with ordinal 0x${ordinal.toString(16)} stands where none fits`);
  }

  /** Without ordinals, a part that holds the terminator must be the last one, and so begins a new name. */
  #deletedPart(bytes: Uint8Array, view: DataView, at: number, offset: number): void {
    const checksum = bytes[at + longNameEntry.fields.checksum.offset]!;
    const units = longNameUnits(view, at);
    const before = this.#pending;
    const continues = before?.deleted === true && before.checksum === checksum && !units.includes('\0');
    if (continues && before.parts.length < MAX_LONG_NAME_SLOTS) {
      before.parts.push(units);
      return;
    }
    this.#orphan(before, 'a deleted entry follows it');
    this.#pending = { deleted: true, checksum, offset, parts: [units], expected: 0 };
  }

  #shortEntry(bytes: Uint8Array, at: number, offset: number, attributes: number): DecodedEntry | undefined {
    const pending = this.#pending;
    this.#pending = undefined;
    const deleted = bytes[at] === DELETED_MARK;
    if (hasBit(attributes, ATTRIBUTE_BITS.label)) {
      this.#orphan(pending, 'a volume label follows it');
      return { kind: 'label', name: decodeLabel(this.#codePage, bytes, at), shortName: undefined, deleted, offset };
    }
    if (isDotEntry(bytes, at)) {
      this.#orphan(pending, 'a dot entry follows it');
      return undefined;
    }
    const kind = hasBit(attributes, ATTRIBUTE_BITS.directory) ? 'directory' : 'file';
    const caseBits = bytes[at + FIELDS.caseBits.offset]!;
    const long = deleted ? this.#deletedLongName(pending, bytes, at) : this.#longName(pending, bytes, at);
    if (long === undefined)
      return {
        kind,
        name: decodeShortName(this.#codePage, bytes, at, caseBits),
        shortName: undefined,
        deleted,
        offset,
      };
    const shortName = decodeShortName(this.#codePage, bytes, at, 0, long.firstByte);
    return { kind, name: long.name, shortName, deleted, offset };
  }

  #longName(
    pending: PendingName | undefined,
    bytes: Uint8Array,
    at: number,
  ): { name: string; firstByte: number } | undefined {
    if (pending === undefined) return undefined;
    if (pending.deleted) return undefined;
    const checksum = shortNameChecksum(bytes, at);
    const name = assembleName(pending.parts);
    if (pending.expected !== 0) this.#orphan(pending, 'its first parts are missing');
    else if (checksum !== pending.checksum) this.#orphan(pending, 'its checksum is not that of the short name');
    else if (name === undefined) this.#orphan(pending, 'it is no name that a file can have');
    else return { name, firstByte: bytes[at]! };
    return undefined;
  }

  /** The checksum tells the byte that deleting overwrote; a name that cannot have begun with it is another file's. */
  #deletedLongName(
    pending: PendingName | undefined,
    bytes: Uint8Array,
    at: number,
  ): { name: string; firstByte: number } | undefined {
    if (pending?.deleted !== true) {
      this.#orphan(pending, 'a deleted entry follows it');
      return undefined;
    }
    const firstByte = firstByteFromChecksum(pending.checksum, bytes, at);
    const name = assembleName(pending.parts);
    return name !== undefined && mayBeginShortName(firstByte) ? { name, firstByte } : undefined;
  }

  /** Left-overs of deleted names are nothing odd. */
  #orphan(pending: PendingName | undefined, why: string): void {
    if (pending === undefined || pending.deleted) return;
    this.#reportOrphan(pending.offset, `a long name is ignored: ${why}`);
  }
}

function isDotEntry(bytes: Uint8Array, at: number): boolean {
  if (bytes[at] !== DOT) return false;
  const isDotDot = bytes[at + 1] === DOT;
  for (let index = isDotDot ? 2 : 1; index < NAME_BYTES; index++) if (bytes[at + index] !== SPACE) return false;
  return true;
}

/** The parts in order, cut at the terminator; undefined for what would not be a name. Unpaired surrogates stay. */
function assembleName(parts: readonly string[]): string | undefined {
  let name = '';
  for (let at = parts.length - 1; at >= 0; at--) name += parts[at];
  const end = name.indexOf('\0');
  if (end >= 0) name = name.slice(0, end);
  const isName = name.length > 0 && name.length <= MAX_LONG_NAME_UNITS;
  return isName && name !== '.' && name !== '..' && !name.includes('/') ? name : undefined;
}

/** The number that stands for an entry everywhere: its byte offset in the device in units of a slot. */
export function nodeIdOf(offset: number): number {
  return divideDown(offset, SLOT_BYTES);
}
