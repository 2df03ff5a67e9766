import { bitField } from '../../bytes/bits.ts';
import { roundUp } from '../../bytes/rounding.ts';
import { Struct, u8, u16le, u32le } from '../../bytes/struct.ts';
import { decodeName } from '../../bytes/text.ts';
import { corrupt, type DiskError } from '../../errors.ts';
import type { DirectoryEntry, EntryKind } from '../filesystem.ts';

/** `struct ext4_dir_entry_2` (kernel documentation, ext4 "Linear (Classic) Directories"); the name follows. */
export const DIRECTORY_ENTRY = new Struct('ext', 'directory entry', {
  inode: u32le(0),
  recordLength: u16le(4),
  nameLength: u8(6),
  fileType: u8(7),
});
const HEADER_BYTES = 8;
/** A header and a name of one byte, padded to 4. */
const MIN_RECORD_BYTES = 12;
/** Only with blocks of 64 KiB is a record longer than its field can say. */
const WIDE_BLOCK_BYTES = 65536;
const MAX_NAME_BYTES = 255;
const SLASH = 0x2f;
const DOT = 0x2e;

/** `file_type`; 0 and what is not here are unknown. */
const KINDS: readonly EntryKind[] = [
  'unknown',
  'file',
  'directory',
  'character device',
  'block device',
  'fifo',
  'socket',
  'symlink',
];

/** How the blocks of one directory are to be read. */
export interface DirectoryRules {
  readonly inodeCount: number;
  readonly blockSize: number;
  /** The filetype feature: a type byte behind a one-byte name length; without it the length has two bytes. */
  readonly hasFileType: boolean;
  /** Whether index nodes (htree) may be among the blocks. */
  readonly isIndexed: boolean;
  /** Whether deleted entries are wanted as well. */
  readonly deleted: boolean;
  /** Entries whose name has another length in bytes are passed over. */
  readonly onlyNameBytes: number | undefined;
  /** Entries of other inodes are passed over. */
  readonly onlyInodes?: { has(inode: number): boolean } | undefined;
}

/** A directory block (or a part of inline data) in memory: `length` bytes of `bytes` from `at`, which lie at `offset` in the device. */
export interface BlockPlace {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly at: number;
  readonly length: number;
  readonly offset: number;
}

/**
 * Appends a block's entries to `found`, without `.` and `..`. An entry that cannot be right is left out, a record whose
 * length cannot be ends the block; the first damage is returned. Index nodes and checksum tails are records without an inode.
 */
export function decodeDirectoryBlock(
  place: BlockPlace,
  rules: DirectoryRules,
  found: DirectoryEntry[],
): DiskError | undefined {
  const { view, bytes } = place;
  const end = place.at + place.length;
  let damage: DiskError | undefined;
  for (let at = place.at; at < end; ) {
    if (end - at < MIN_RECORD_BYTES) {
      return damage ?? damaged(place, at, 'record', `at least ${MIN_RECORD_BYTES} bytes before the end`, end - at);
    }
    const inode = view.getUint32(at, true);
    const recordLength = recordLengthAt(view, at, rules.blockSize);
    const nameLength = rules.hasFileType ? bytes[at + 6]! : view.getUint16(at + 6, true);
    const next = at + recordLength;
    if (recordLength < MIN_RECORD_BYTES || recordLength % 4 !== 0 || next > end) {
      const expected = `a multiple of 4, ${MIN_RECORD_BYTES} to ${end - at}`;
      return damage ?? damaged(place, at + 4, 'record length', expected, recordLength);
    }
    if (inode !== 0) {
      const wrong = entryDamage(place, at, inode, nameLength, recordLength, rules);
      damage ??= wrong;
      const isWanted =
        wrong === undefined &&
        (rules.onlyNameBytes ?? nameLength) === nameLength &&
        (rules.onlyInodes === undefined || rules.onlyInodes.has(inode));
      if (isWanted && !isDots(bytes, at + HEADER_BYTES, nameLength)) {
        found.push(entryAt(bytes, at, inode, nameLength, rules, false));
      }
    }
    if (rules.deleted) findDeleted(place, at, next, inode, rules, found);
    at = next;
  }
  return damage;
}

/** Why an entry cannot be listed, although the record's length shows where the next one is. */
function entryDamage(
  place: BlockPlace,
  at: number,
  inode: number,
  nameLength: number,
  recordLength: number,
  rules: DirectoryRules,
): DiskError | undefined {
  const most = Math.min(MAX_NAME_BYTES, recordLength - HEADER_BYTES);
  if (nameLength === 0 || nameLength > most) return damaged(place, at + 6, 'name length', `1 to ${most}`, nameLength);
  if (inode > rules.inodeCount) return damaged(place, at, 'inode', `1 to ${rules.inodeCount}`, inode);
  return undefined;
}

/** The kernel's ext4_rec_len_from_disk: with 64 KiB blocks 65535 and 0 are the whole block and the lower 2 bits the upper ones. */
export function recordLengthAt(view: DataView, at: number, blockSize: number): number {
  const stored = view.getUint16(at + 4, true);
  if (blockSize < WIDE_BLOCK_BYTES) return stored;
  if (stored === 65535 || stored === 0) return blockSize;
  return stored - (stored % 4) + (stored % 4) * 65536;
}

function isDots(bytes: Uint8Array, at: number, length: number): boolean {
  return bytes[at] === DOT && (length === 1 || (length === 2 && bytes[at + 1] === DOT));
}

function entryAt(
  bytes: Uint8Array,
  at: number,
  inode: number,
  nameLength: number,
  rules: DirectoryRules,
  deleted: boolean,
): DirectoryEntry {
  const name = decodeName(bytes.subarray(at + HEADER_BYTES, at + HEADER_BYTES + nameLength));
  // The upper half of the byte is no part of the type (dirdata).
  const kind = rules.hasFileType ? (KINDS[bitField(bytes[at + 7]!, 0, 4)] ?? 'unknown') : 'unknown';
  return { name, nodeId: inode, kind, deleted };
}

/**
 * What deletion leaves: a record whose inode was cleared (its number is lost: node 0), and old records in the space that
 * the record before them took over. Best effort: only what would pass as a record is listed.
 */
function findDeleted(
  place: BlockPlace,
  at: number,
  next: number,
  inode: number,
  rules: DirectoryRules,
  found: DirectoryEntry[],
): void {
  const { bytes, view } = place;
  const nameLength = rules.hasFileType ? bytes[at + 6]! : view.getUint16(at + 6, true);
  if (rules.isIndexed && isIndexRecord(place, at, next, inode, nameLength)) return;
  const isCleared = inode === 0 && isPlausible(place, at, next, nameLength, rules);
  if (isCleared) found.push(entryAt(bytes, at, 0, nameLength, rules, true));
  let slack = at + (inode === 0 && !isCleared ? MIN_RECORD_BYTES : roundUp(HEADER_BYTES + nameLength, 4));
  while (slack + MIN_RECORD_BYTES <= next) {
    const oldInode = view.getUint32(slack, true);
    const oldLength = rules.hasFileType ? bytes[slack + 6]! : view.getUint16(slack + 6, true);
    const isOld = oldInode > 0 && oldInode <= rules.inodeCount && isPlausible(place, slack, next, oldLength, rules);
    if (isOld) found.push(entryAt(bytes, slack, oldInode, oldLength, rules, true));
    slack += isOld ? roundUp(HEADER_BYTES + oldLength, 4) : 4;
  }
}

/** An htree root hides behind `..`, a node behind a record over the whole block (kernel documentation, ext4 "Hash Tree Directories"). */
function isIndexRecord(place: BlockPlace, at: number, next: number, inode: number, nameLength: number): boolean {
  const reachesEnd = next === place.at + place.length;
  if (inode === 0) return at === place.at && reachesEnd && nameLength === 0;
  return at === place.at + MIN_RECORD_BYTES && reachesEnd && isDots(place.bytes, at + HEADER_BYTES, nameLength);
}

function isPlausible(place: BlockPlace, at: number, end: number, nameLength: number, rules: DirectoryRules): boolean {
  const { bytes, view } = place;
  const used = HEADER_BYTES + nameLength;
  const recordLength = recordLengthAt(view, at, rules.blockSize);
  if (nameLength === 0 || nameLength > MAX_NAME_BYTES || at + used > end) return false;
  if (recordLength % 4 !== 0 || recordLength < used || at + recordLength > end) return false;
  if (rules.hasFileType && bytes[at + 7]! >= KINDS.length) return false;
  if (isDots(bytes, at + HEADER_BYTES, nameLength)) return false;
  for (let index = at + HEADER_BYTES; index < at + used; index++) {
    if (bytes[index] === 0 || bytes[index] === SLASH) return false;
  }
  return true;
}

function damaged(place: BlockPlace, at: number, what: string, expected: string, found: number): DiskError {
  return corrupt({
    layer: 'ext',
    structure: `directory entry ${what}`,
    offset: place.offset + at - place.at,
    expected,
    found,
  });
}
