import { extAttributeHash } from '../../../bytes/ext-name-hash.ts';
import { roundUp } from '../../../bytes/rounding.ts';
import { viewOf } from '../../../bytes/struct.ts';
import { XATTR_ENTRY, XATTR_MAGIC } from '../xattr.ts';
import { attributesAt } from './attribute-list.ts';
import type { RawInode } from './raw-inode.ts';
import type { CheckState } from './state.ts';
import { checkValueInode } from './value-inodes.ts';

const BASE_BYTES = 128;
/** `i_extra_isize` itself and the upper half of the checksum. */
const MIN_EXTRA_BYTES = 4;
const MAGIC_BYTES = 4;
/** Linux's XATTR_SIZE_MAX, for values in a block. */
const MAX_VALUE_BYTES = 65536;

/** A list of attributes: in an inode, behind its magic, or in a block. */
export interface AttributeList {
  readonly bytes: Uint8Array;
  /** Where the list begins in `bytes`, and what value offsets count from. */
  readonly first: number;
  readonly origin: number;
  /** Byte offset of `bytes` in the device. */
  readonly offset: number;
  readonly isBlock: boolean;
}

/** Which value an attribute has in an inode of its own. */
export interface OuterValue {
  readonly entry: Uint8Array;
  readonly id: number;
  readonly size: number;
  readonly hash: number;
  readonly name: Uint8Array;
  readonly offset: number;
}

/** Checks the attributes in an inode; gives the clusters that values in inodes of their own count for. */
export function checkInodeAttributes(state: CheckState, inode: RawInode): number | Promise<number> {
  const room = inode.bytes.length - BASE_BYTES;
  if (room === 0) return 0;
  const extra = inode.field('extraSize');
  if (extra !== 0 && (extra < MIN_EXTRA_BYTES || extra > room || extra % 4 !== 0)) {
    const message = `i_extra_isize is ${extra}, of ${room} bytes`;
    state.error('inode-extra-size', `inode ${inode.id}`, inode.offset + BASE_BYTES, message, [inode.id]);
    return 0;
  }
  const at = attributesAt(inode) ?? (extra === 0 ? BASE_BYTES : undefined);
  if (at === undefined || inode.word(at) !== XATTR_MAGIC) return 0;
  const outer = checkList(state, inode, {
    bytes: inode.bytes.subarray(at),
    first: MAGIC_BYTES,
    origin: MAGIC_BYTES,
    offset: inode.offset + at,
    isBlock: false,
  });
  return outer.length === 0 ? 0 : outerClusters(state, inode, outer);
}

export async function outerClusters(state: CheckState, inode: RawInode, outer: readonly OuterValue[]): Promise<number> {
  let clusters = 0;
  for (const value of outer) clusters += await checkValueInode(state, inode, value);
  return clusters;
}

/** Checks one list; gives the attributes whose value is elsewhere. */
export function checkList(state: CheckState, inode: RawInode, list: AttributeList): OuterValue[] {
  const { bytes, first, offset } = list;
  const view = viewOf(bytes);
  const taken = new Uint8Array(bytes.length);
  taken.fill(1, 0, first);
  const outer: OuterValue[] = [];
  let at = first;
  while (at + 4 <= bytes.length && view.getUint32(at, true) !== 0) {
    if (at + XATTR_ENTRY.size > bytes.length) {
      if (list.isBlock) tell(state, inode, offset + at, 'an attribute reaches behind the end');
      break;
    }
    const entry = XATTR_ENTRY.parse(bytes, at, offset + at);
    const next = at + XATTR_ENTRY.size + roundUp(entry.nameLength, 4);
    const objection = entryObjection(list, entry, taken, at, next);
    if (objection !== undefined) {
      tell(state, inode, offset + at, objection);
      return outer;
    }
    const name = bytes.subarray(at + XATTR_ENTRY.size, at + XATTR_ENTRY.size + entry.nameLength);
    if (entry.valueInode !== 0) {
      const { valueInode: id, valueSize: size, hash } = entry;
      outer.push({ entry: bytes.subarray(at, next), id, size, hash, name: name.slice(), offset: offset + at });
    }
    at = next;
  }
  if (at + 4 <= bytes.length && takes(taken, at, 4))
    tell(state, inode, offset + at, 'the end of the list lies in a value');
  if (at + 4 > bytes.length) tell(state, inode, offset + at, 'the list of attributes has no end');
  return outer;
}

interface Entry {
  readonly nameIndex: number;
  readonly nameLength: number;
  readonly valueInode: number;
  readonly valueOffset: number;
  readonly valueSize: number;
  readonly hash: number;
}

function entryObjection(
  list: AttributeList,
  entry: Entry,
  taken: Uint8Array,
  at: number,
  next: number,
): string | undefined {
  const { bytes, origin, isBlock } = list;
  if (next > bytes.length) return 'the name of an attribute reaches behind the end';
  if (takes(taken, at, next - at)) return 'an attribute lies on another';
  if (isBlock && entry.nameIndex === 0) return 'an attribute has no namespace';
  if (entry.valueInode !== 0) return undefined;
  const from = origin === MAGIC_BYTES && !isBlock ? MAGIC_BYTES + entry.valueOffset : entry.valueOffset;
  const { valueSize } = entry;
  if (valueSize > (isBlock ? Math.min(MAX_VALUE_BYTES, bytes.length) : bytes.length) || from + valueSize > bytes.length)
    return 'the value of an attribute reaches behind the end';
  if (valueSize > 0 && takes(taken, from, roundUp(valueSize, 4)))
    return 'the value of an attribute lies on something else';
  if (entry.hash === 0 && !isBlock) return undefined;
  const name = bytes.subarray(at + XATTR_ENTRY.size, at + XATTR_ENTRY.size + entry.nameLength);
  const words = valueWords(bytes, from, valueSize);
  const isRight = [true, false].some((unsigned) => extAttributeHash(name, words, unsigned) === entry.hash);
  return isRight
    ? undefined
    : `the hash of an attribute is 0x${entry.hash.toString(16)}, which is not that of its bytes`;
}

/** A value as little endian words, the last filled up with what stands behind it. */
function valueWords(bytes: Uint8Array, from: number, size: number): number[] {
  const view = viewOf(bytes);
  const words: number[] = [];
  for (let at = from; at < from + size && at + 4 <= bytes.length; at += 4) words.push(view.getUint32(at, true));
  return words;
}

/** Takes bytes; true when one of them was taken, or is not there. */
function takes(taken: Uint8Array, at: number, length: number): boolean {
  if (at + length > taken.length || taken.subarray(at, at + length).includes(1)) return true;
  taken.fill(1, at, at + length);
  return false;
}

function tell(state: CheckState, inode: RawInode, offset: number, message: string): void {
  state.error('attribute', `attributes of inode ${inode.id}`, offset, message, [inode.id]);
}
