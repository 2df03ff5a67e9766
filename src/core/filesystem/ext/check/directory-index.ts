import { hasBit } from '../../../bytes/bits.ts';
import { extNameHash, type NameHashVersion } from '../../../bytes/ext-name-hash.ts';
import { viewOf } from '../../../bytes/struct.ts';
import { DX_ROOT_INFO } from '../index-structures.ts';
import type { DirectoryInode } from './directory-runs.ts';
import type { CheckState } from './state.ts';

const ROOT_INFO_AT = 24;
const NODE_COUNTS_AT = 8;
const ENTRY_BYTES = 8;
const TAIL_BYTES = 8;
const MAX_LEVELS = { plain: 2, large: 3 } as const;
const SIPHASH = 6;
const VERSIONS: Readonly<Record<number, NameHashVersion>> = { 0: 'legacy', 1: 'half-md4', 2: 'tea' };
/** Bit of `s_flags`: bytes above 127 of a name count as such. */
const UNSIGNED_HASH_BIT = 1;
const MAX_HASH = 0xffff_fffe;
/** The largest block number that an entry of an index holds: 28 bits. */
const BLOCK_MASK = 2 ** 28;
const MAX_PARENTS = 8;

type Role = 'root' | 'node' | 'leaf';

interface IndexedBlock {
  role: Role;
  parent: number;
  /** Of the names, or of the index entries, in it. */
  least: number;
  greatest: number;
  /** What its parent gives it. */
  from: number;
  to: number;
  references: number;
  isFirst: boolean;
  isLast: boolean;
}

/** The hash tree of one directory against the names in its leaves (e2fsck's parse_int_node and the end of its pass 2). */
export class DirectoryIndex {
  readonly #state: CheckState;
  readonly #inode: DirectoryInode;
  readonly #blockCount: number;
  readonly #blocks = new Map<number, IndexedBlock>();
  readonly #keepsHash: boolean;
  readonly #folds: boolean;
  #version = 0;
  #levels = 0;
  #current: IndexedBlock | undefined;
  #isBroken = false;

  constructor(state: CheckState, inode: DirectoryInode, blockCount: number) {
    this.#state = state;
    this.#inode = inode;
    this.#blockCount = blockCount;
    this.#folds = state.casefolded.has(inode.id);
    this.#keepsHash = this.#folds && state.policies.get(inode.id) !== 0;
  }

  /** Which kind of block it is; names that follow are its. */
  begin(number: number, bytes: Uint8Array, offset: number): Role {
    const block = this.#block(number);
    this.#current = block;
    if (number === 0) {
      block.role = 'root';
      block.references = 1;
      this.#root(bytes, offset);
    } else if (this.#isNode(bytes)) block.role = 'node';
    return block.role;
  }

  #root(bytes: Uint8Array, offset: number): void {
    const info = DX_ROOT_INFO.parse(bytes, ROOT_INFO_AT, offset + ROOT_INFO_AT);
    const most = this.#state.has('large_dir') ? MAX_LEVELS.large : MAX_LEVELS.plain;
    const tell = (message: string): void => this.#tell('index-root', offset + ROOT_INFO_AT, message);
    if (info.reserved !== 0 || info.infoLength < 8 || info.levels >= most) {
      tell(`the root of its index makes no sense (length ${info.infoLength}, ${info.levels} levels)`);
      this.#isBroken = true;
    }
    if (info.version !== SIPHASH && VERSIONS[info.version] === undefined)
      tell(`its hash is of the kind ${info.version}`);
    if ((info.version === SIPHASH) !== this.#keepsHash)
      tell(`its hash is of the kind ${info.version}, which does not fit its flags`);
    if (hasBit(info.flags, 0)) tell('its index has a feature that is not known');
    if (info.levels > MAX_LEVELS.plain) this.#state.hasLargeDirectory = true;
    this.#version = info.version;
    this.#levels = info.levels + 1;
  }

  /** A node looks like one record without inode or name, over the whole block. */
  #isNode(bytes: Uint8Array): boolean {
    const view = viewOf(bytes);
    const length = view.getUint16(4, true);
    const isWhole = length === bytes.length || (bytes.length === 65536 && (length === 0 || length === 65535));
    if (view.getUint32(0, true) !== 0 || !isWhole || bytes[6] !== 0) return false;
    return view.getUint16(NODE_COUNTS_AT, true) === this.#limit(NODE_COUNTS_AT);
  }

  #limit(at: number): number {
    const room = this.#state.geometry.blockSize - at - (this.#state.has('metadata_csum') ? TAIL_BYTES : 0);
    return Math.floor(room / ENTRY_BYTES);
  }

  /** A name of the block begun last; `at` is where its entry begins. */
  name(bytes: Uint8Array, at: number, length: number, place: number): void {
    const block = this.#current;
    if (block === undefined) return;
    const hash = this.#hash(bytes, at, length, place);
    if (hash === undefined) return;
    block.least = Math.min(block.least, hash);
    block.greatest = Math.max(block.greatest, hash);
  }

  #hash(bytes: Uint8Array, at: number, length: number, place: number): number | undefined {
    if (this.#version === SIPHASH) {
      if (place < 2) return undefined;
      const behind = at + 8 + Math.ceil(length / 4) * 4;
      return behind + 4 <= bytes.length ? viewOf(bytes).getUint32(behind, true) : undefined;
    }
    const version = VERSIONS[this.#version];
    if (version === undefined) return undefined;
    let name = bytes.subarray(at + 8, at + 8 + length);
    if (this.#folds) {
      // Folding beyond ASCII is a table of the kernel's own.
      if (name.some((byte) => byte > 127)) return undefined;
      name = name.map((byte) => (byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte));
    }
    const { hashSeed, flags } = this.#state.superblock;
    return extNameHash(name, version, hashSeed, hasBit(flags, UNSIGNED_HASH_BIT));
  }

  /** The block begun last is read: what its entries say of others. */
  end(number: number, bytes: Uint8Array, offset: number): void {
    const block = this.#current;
    this.#current = undefined;
    if (block === undefined || block.role === 'leaf') return;
    const at = block.role === 'root' ? ROOT_INFO_AT + Math.max(8, bytes[ROOT_INFO_AT + 5]!) : NODE_COUNTS_AT;
    if (at + ENTRY_BYTES > bytes.length) return;
    const view = viewOf(bytes);
    const most = this.#limit(at);
    const limit = view.getUint16(at, true);
    const stored = view.getUint16(at + 2, true);
    if (limit !== most)
      this.#tell('index-limit', offset + at, `a node has room for ${most} entries, and says ${limit}`);
    if (stored > most) this.#tell('index-limit', offset + at, `a node tells ${stored} entries, of ${most}`);
    this.#entries(number, block, view, at, Math.min(stored, most), offset);
  }

  #entries(number: number, block: IndexedBlock, view: DataView, at: number, count: number, offset: number): void {
    let before = 0;
    block.least = 0xffff_ffff;
    block.greatest = 0;
    for (let index = 0; index < count; index++) {
      const here = at + index * ENTRY_BYTES;
      const hash = index === 0 ? 0 : evenHash(view, here);
      const target = view.getUint32(here + 4, true) % BLOCK_MASK;
      if (target >= this.#blockCount) {
        this.#tell('index-block', offset + here + 4, `a node names block ${target}, of ${this.#blockCount}`);
        continue;
      }
      if (hash < before) this.#tell('index-order', offset + here, 'the hashes of a node are not in order');
      before = hash;
      const child = this.#block(target);
      if (child.references++ === 0) child.parent = number;
      block.least = Math.min(block.least, hash);
      block.greatest = Math.max(block.greatest, hash);
      child.from = hash;
      child.isLast = index + 1 >= count;
      child.to = child.isLast ? MAX_HASH : evenHash(view, here + ENTRY_BYTES);
      child.isFirst = index === 0;
    }
  }

  /** All blocks are read: each leaf is named once, at the right depth, and its names are between the hashes of its parent. */
  finish(): void {
    if (this.#isBroken) return;
    for (const role of ['leaf', 'node'] as const) this.#passUp(role);
    for (const [number, block] of this.#blocks) {
      const tell = (code: string, message: string): void =>
        this.#tell(code, this.#inode.offset, `block ${number} of it ${message}`);
      if (!block.isFirst && number !== 0 && block.least < block.from)
        tell('index-hash', 'has names below the hashes that its index gives it');
      if (number !== 0 && block.greatest > block.to)
        tell('index-hash', 'has names above the hashes that its index gives it');
      if (block.role === 'leaf' && this.#depth(number) !== this.#levels)
        tell('index-depth', 'is at the wrong depth of its index');
      if (block.references === 0) tell('index-reference', 'is not in its index');
      else if (block.references > 1) tell('index-reference', 'is in its index more than once');
    }
  }

  /** The hashes of first and last blocks are those of the node above them. */
  #passUp(role: Role): void {
    for (const block of this.#blocks.values()) {
      if (block.role !== role) continue;
      const parent = this.#blocks.get(block.parent);
      if (parent === undefined || parent === block) continue;
      if (block.isFirst) parent.least = block.least;
      if (block.isLast) parent.greatest = block.greatest;
    }
  }

  #depth(number: number): number {
    let depth = 0;
    let here = this.#blocks.get(number);
    while (here !== undefined && here.role !== 'root' && depth <= MAX_PARENTS) {
      here = this.#blocks.get(here.parent);
      depth++;
    }
    return depth;
  }

  #block(number: number): IndexedBlock {
    let block = this.#blocks.get(number);
    if (block === undefined) {
      block = {
        role: 'leaf',
        parent: 0,
        least: 0xffff_ffff,
        greatest: 0,
        from: 0,
        to: 0,
        references: 0,
        isFirst: false,
        isLast: false,
      };
      this.#blocks.set(number, block);
    }
    return block;
  }

  #tell(code: string, offset: number, message: string): void {
    this.#state.error(code, `directory inode ${this.#inode.id}`, offset, message, [this.#inode.id]);
  }
}

function evenHash(view: DataView, at: number): number {
  const hash = view.getUint32(at, true);
  return hash - (hash % 2);
}
