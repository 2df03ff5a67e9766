import { viewOf } from '../../../bytes/struct.ts';
import { decodeName, hasUndecodableBytes } from '../../../bytes/text.ts';
import { recordLengthAt } from '../directory-block.ts';
import { foldCase } from '../fold-case.ts';
import type { DirectoryIndex } from './directory-index.ts';
import type { DirectoryInode } from './directory-runs.ts';
import { scannedInodes } from './inode-scan.ts';
import { ROOT_INODE } from './limits.ts';
import { isHiddenInode } from './special-inodes.ts';
import type { CheckState } from './state.ts';

const HEADER_BYTES = 8;
const DOT = 0x2e;
const SLASH = 0x2f;
const DIRECTORY_TYPE = 2;
const FILE_TYPE = 1;
/** `EXT4_ENC_STRICT_MODE_FL`: names that are no text are refused. */
const STRICT_ENCODING = 1;
/** What encryption makes of the shortest name. */
const MIN_ENCRYPTED_NAME = 16;
/** Directories that are casefolded and encrypted keep the hash of each name behind it. */
const HASH_BYTES = 8;
const KINDS_TO_ENCRYPT: readonly number[] = [FILE_TYPE, DIRECTORY_TYPE, 7];

/** Checks the entries of one directory (e2fsck's check_dir_block). */
export class DirectoryCheck {
  readonly #state: CheckState;
  readonly #inode: DirectoryInode;
  readonly #index: DirectoryIndex | undefined;
  readonly #hasType: boolean;
  readonly #policy: number;
  readonly #keepsHash: boolean;
  readonly #isStrict: boolean;
  readonly #names = new Set<string>();
  #text: Buffer = Buffer.alloc(0);
  /** The entry that is looked at. */
  #entryOffset = 0;
  #entryName: Uint8Array = this.#text;
  #entryInode = 0;

  constructor(state: CheckState, inode: DirectoryInode, index: DirectoryIndex | undefined) {
    this.#state = state;
    this.#inode = inode;
    this.#index = index;
    this.#hasType = state.has('filetype');
    this.#policy = state.policies.get(inode.id);
    this.#keepsHash = this.#policy !== 0 && state.casefolded.has(inode.id);
    this.#isStrict = state.casefolded.has(inode.id) && state.superblock.encodingFlags % 2 === STRICT_ENCODING;
  }

  /** Inline data has no entries for itself and its parent, only the number of that. */
  inlineDots(parent: number): void {
    const { id } = this.#inode;
    this.#state.countedLinks.increment(id);
    this.#state.dotDots.set(id, parent);
    if (this.#isNumber(parent)) this.#state.countedLinks.increment(parent);
    else this.#tell('entry-inode', this.#inode.offset, `its parent is said to be inode ${parent}`);
  }

  /** One block, whose first entry is number `from` of those that count: `.`, `..`, all others. False when it is damaged. */
  block(bytes: Uint8Array, offset: number, number: number, from: number): boolean {
    const view = viewOf(bytes);
    this.#names.clear();
    this.#text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    let at = 0;
    for (let place = from; at < bytes.length; place++) {
      const extra = place > 1 && this.#keepsHash ? HASH_BYTES : 0;
      const left = bytes.length - at;
      const recordLength = left < HEADER_BYTES ? 0 : recordLengthAt(view, at, this.#state.geometry.blockSize);
      const nameLength = left < HEADER_BYTES ? 0 : bytes[at + 6]!;
      const needed = Math.max(12, HEADER_BYTES + Math.ceil(nameLength / 4) * 4) + extra;
      if (recordLength < needed || recordLength % 4 !== 0 || recordLength > left) {
        this.#tell('directory-record', offset + at, `an entry of block ${number} has the length ${recordLength}`);
        return false;
      }
      this.#entry(bytes, view, at, nameLength, place, offset);
      at += recordLength;
    }
    return true;
  }

  #entry(bytes: Uint8Array, view: DataView, at: number, nameLength: number, place: number, offset: number): void {
    const state = this.#state;
    const id = view.getUint32(at, true);
    const start = at + HEADER_BYTES;
    const isDot = nameLength === 1 && bytes[start] === DOT;
    const isDotDot = nameLength === 2 && bytes[start] === DOT && bytes[start + 1] === DOT;
    if (place === 0) this.#dot(id, isDot && bytes[start + 1] === 0, offset + at);
    else if (place === 1) this.#dotDot(id, isDotDot && bytes[start + 2] === 0, offset + at);
    if (id === 0) return;
    this.#entryOffset = offset + at;
    this.#entryName = bytes.subarray(start, start + nameLength);
    this.#entryInode = id;
    if (!this.#isNumber(id) || isHiddenInode(state, id)) {
      this.#tellEntry('entry-inode', `inode ${id} is none for entries`);
      return;
    }
    if (place > 1) {
      if (id === this.#inode.id) this.#tellEntry('entry-link', 'it is a link to its own directory');
      if (isDot || isDotDot) this.#tellEntry('entry-name', 'a second one of that name');
      else if (id === ROOT_INODE) this.#tellEntry('entry-link', 'it is a link to the root');
      if (nameLength === 0) this.#tellEntry('entry-name', 'it has no name');
    }
    this.#target(bytes, at, nameLength, place, id);
    this.#count(id);
  }

  /** What an entry says of an inode that may have one. */
  #target(bytes: Uint8Array, at: number, nameLength: number, place: number, id: number): void {
    if (!this.#isInUse(id)) return;
    this.#type(bytes[at + 7]!, id);
    this.#name(bytes, at + HEADER_BYTES, nameLength, place, id, bytes[at + 7]!);
    this.#index?.name(bytes, at, nameLength, place);
    if (place > 1 && this.#state.directories.has(id)) this.#child(id);
  }

  #count(id: number): void {
    this.#state.countedLinks.increment(id);
  }

  #isNumber(id: number): boolean {
    const { firstInode, inodeCount } = this.#state.geometry;
    return (id === ROOT_INODE || id >= firstInode) && id <= inodeCount;
  }

  #dot(id: number, isRight: boolean, offset: number): void {
    if (id === 0 || !isRight) this.#tell('directory-dot', offset, 'the first entry is not "."');
    else if (id !== this.#inode.id) this.#tell('directory-dot', offset, `its "." is inode ${id}`);
  }

  #dotDot(id: number, isRight: boolean, offset: number): void {
    if (id === 0 || !isRight) this.#tell('directory-dot', offset, 'the second entry is not ".."');
    else this.#state.dotDots.set(this.#inode.id, id);
  }

  #isInUse(id: number): boolean {
    const state = this.#state;
    const { inodesPerGroup } = state.geometry;
    const within = (id - 1) % inodesPerGroup;
    const group = (id - 1 - within) / inodesPerGroup;
    if (within >= scannedInodes(state, group)) {
      this.#tellEntry('entry-unused-inode', `inode ${id} is among those that were never used, as its group says`);
      return false;
    }
    if (state.usedInodes.has(id)) return true;
    this.#tellEntry('entry-unused-inode', `inode ${id} is deleted, or was never used`);
    return false;
  }

  #type(type: number, id: number): void {
    const state = this.#state;
    if (!this.#hasType) {
      if (type !== 0) this.#tellEntry('entry-type', 'the upper half of the length of its name is not zero');
      return;
    }
    const expected = state.directories.has(id)
      ? DIRECTORY_TYPE
      : state.files.has(id)
        ? FILE_TYPE
        : state.badInodes.has(id)
          ? 0
          : state.otherKinds.get(id);
    // Without a type the inode's own counts.
    if (type !== 0 && type !== expected)
      this.#tellEntry('entry-type', `its type is ${type}, that of inode ${id} ${expected}`);
  }

  #name(bytes: Uint8Array, start: number, length: number, place: number, id: number, type: number): void {
    if (this.#policy !== 0) {
      if (place > 1) this.#encrypted(length, id, type);
    } else {
      if (this.#isStrict && hasUndecodableBytes(decodeName(bytes.subarray(start, start + length))))
        this.#tellEntry('entry-name', 'it is no text, which a directory without regard to case asks for');
      for (let at = start; at < start + length; at++) {
        if (bytes[at] !== SLASH && bytes[at] !== 0) continue;
        this.#tellEntry('entry-name', 'a character that no name may have');
        break;
      }
    }
    const key = this.#nameKey(bytes, start, start + length);
    if (this.#names.has(key)) this.#tellEntry('entry-duplicate', 'another entry of the directory has that name');
    else this.#names.add(key);
  }

  #nameKey(bytes: Uint8Array, start: number, end: number): string {
    if (this.#isStrict) return foldCase(decodeName(bytes.subarray(start, end)));
    return this.#text.toString('latin1', start, end);
  }

  #encrypted(length: number, id: number, type: number): void {
    const state = this.#state;
    if (length < MIN_ENCRYPTED_NAME) this.#tellEntry('entry-name', 'too short for an encrypted one');
    const policy = state.policies.get(id);
    if (policy === this.#policy) return;
    const isPlain = policy === 0;
    if (isPlain && !KINDS_TO_ENCRYPT.includes(type)) return;
    this.#tellEntry('encryption-policy', isPlain ? 'it is not encrypted' : 'it is encrypted by another policy');
  }

  #child(id: number): void {
    const { parents } = this.#state;
    const parent = parents.get(id);
    if (parent !== 0)
      this.#tellEntry('entry-link', `a second link to directory inode ${id}, which inode ${parent} has`);
    else parents.set(id, this.#inode.id);
  }

  #tellEntry(code: string, message: string): void {
    this.#tell(code, this.#entryOffset, `entry "${decodeName(this.#entryName)}": ${message}`, this.#entryInode);
  }

  #tell(code: string, offset: number, message: string, other?: number): void {
    const { id } = this.#inode;
    const inodes = other === undefined || other === id ? [id] : [id, other];
    this.#state.error(code, `directory inode ${id}`, offset, message, inodes);
  }
}
