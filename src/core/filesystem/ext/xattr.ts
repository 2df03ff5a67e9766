import { roundUp } from '../../bytes/rounding.ts';
import { Struct, u8, u16le, u32le, viewOf } from '../../bytes/struct.ts';
import { decodeName } from '../../bytes/text.ts';
import { corrupt, type DiskError } from '../../errors.ts';
import type { Inode } from './inode.ts';

export const XATTR_MAGIC = 0xea020000;
/** Entries of one list; the smallest takes 16 bytes of at most 64 KiB. */
const MAX_ENTRIES = 4096;
const INODE_HEADER_BYTES = 4;
const BLOCK_HEADER_BYTES = 32;

/** `struct ext4_xattr_header`, which begins an attribute block (kernel documentation, ext4 "Extended Attributes"); inside an inode only its magic is there. */
export const XATTR_BLOCK_HEADER = new Struct(
  'ext',
  'extended attribute header',
  { magic: u32le(0), referenceCount: u32le(4), blockCount: u32le(8), hash: u32le(12), checksum: u32le(16) },
  BLOCK_HEADER_BYTES,
);

/** `struct ext4_xattr_entry`; the name follows. */
export const XATTR_ENTRY = new Struct('ext', 'extended attribute entry', {
  nameLength: u8(0),
  nameIndex: u8(1),
  valueOffset: u16le(2),
  valueInode: u32le(4),
  valueSize: u32le(8),
  hash: u32le(12),
});

/** `e_name_index`: the prefix that is not stored. */
const PREFIXES: Readonly<Record<number, string>> = {
  0: '',
  1: 'user.',
  2: 'system.posix_acl_access',
  3: 'system.posix_acl_default',
  4: 'trusted.',
  5: 'lustre.',
  6: 'security.',
  7: 'system.',
  8: 'system.richacl',
  9: 'encryption.',
  10: 'gnu.',
};

/** One attribute as its list has it: the value is here, or in an inode of its own (ea_inode). */
export interface Xattr {
  readonly name: string;
  /** Byte offset of the entry in the device. */
  readonly offset: number;
  readonly value: Uint8Array;
  /** Byte offset of the value in the device. */
  readonly valueOffset: number;
  /** The inode that holds the value; 0 when it is in `value`. */
  readonly valueInode: number;
  readonly valueSize: number;
}

/** The attributes kept in the inode itself. */
export function inodeXattrs(inode: Pick<Inode, 'bytes' | 'attributesAt' | 'offset'>): Xattr[] {
  const { bytes, attributesAt, offset } = inode;
  if (attributesAt + INODE_HEADER_BYTES + 4 > bytes.length) return [];
  if (viewOf(bytes).getUint32(attributesAt, true) !== XATTR_MAGIC) return [];
  const first = attributesAt + INODE_HEADER_BYTES;
  return parseXattrs(bytes.subarray(first), 0, offset + first);
}

/** The attributes of an attribute block that lies at byte `offset`. */
export function blockXattrs(bytes: Uint8Array, offset: number): Xattr[] {
  const { magic, blockCount } = XATTR_BLOCK_HEADER.parse(bytes, 0, offset);
  if (magic !== XATTR_MAGIC) throw damaged(offset, 'header magic', '0xea020000', `0x${magic.toString(16)}`);
  if (blockCount !== 1) throw damaged(offset + 8, 'header block count', '1', blockCount);
  return parseXattrs(bytes, BLOCK_HEADER_BYTES, offset);
}

/** Parses the list at `start`, ended by four zero bytes or the end; values are counted from the start of `bytes`, which lies at `origin`. */
function parseXattrs(bytes: Uint8Array, start: number, origin: number): Xattr[] {
  const view = viewOf(bytes);
  const found: Xattr[] = [];
  let at = start;
  while (at + 4 <= bytes.length && view.getUint32(at, true) !== 0) {
    if (found.length >= MAX_ENTRIES) throw damaged(origin + at, 'list', `at most ${MAX_ENTRIES} entries`, 'more');
    const entry = XATTR_ENTRY.parse(bytes, at, origin + at);
    const nameEnd = at + XATTR_ENTRY.size + entry.nameLength;
    if (nameEnd > bytes.length)
      throw damaged(origin + at, 'name length', `at most ${bytes.length - at - XATTR_ENTRY.size}`, entry.nameLength);
    const isHere = entry.valueInode === 0;
    const valueEnd = entry.valueOffset + entry.valueSize;
    if (isHere && entry.valueSize > 0 && valueEnd > bytes.length)
      throw damaged(origin + at, 'value', `inside ${bytes.length} bytes`, `${entry.valueOffset} + ${entry.valueSize}`);
    const prefix = PREFIXES[entry.nameIndex] ?? `namespace-${entry.nameIndex}.`;
    found.push({
      name: prefix + decodeName(bytes.subarray(at + XATTR_ENTRY.size, nameEnd)),
      offset: origin + at,
      value:
        isHere && entry.valueSize > 0
          ? Uint8Array.from(bytes.subarray(entry.valueOffset, valueEnd))
          : new Uint8Array(0),
      valueOffset: origin + entry.valueOffset,
      valueInode: entry.valueInode,
      valueSize: entry.valueSize,
    });
    at += roundUp(XATTR_ENTRY.size + entry.nameLength, 4);
  }
  return found;
}

function damaged(offset: number, what: string, expected: string, found: string | number): DiskError {
  return corrupt({ layer: 'ext', structure: `extended attribute ${what}`, offset, expected, found });
}
