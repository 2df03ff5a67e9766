import { joinHalves } from '../../../bytes/bits.ts';
import { divideUp } from '../../../bytes/rounding.ts';
import { viewOf } from '../../../bytes/struct.ts';
import { extentBlockChecksum, inodeSeed } from '../checksums.ts';
import { EXTENT_HEADER, MAX_EXTENT_DEPTH, MAX_WRITTEN_LENGTH } from '../extent-node.ts';
import { I_BLOCK_OFFSET } from '../inode.ts';
import { INODE_FLAG } from '../inode-flags.ts';
import { parseExtentHeader } from './extent-header.ts';
import type { MapSink } from './map-sink.ts';
import type { RawInode } from './raw-inode.ts';
import type { CheckState } from './state.ts';

const ENTRY_BYTES = 12;
/** No reader goes as deep: what is deeper than they do is told, and looked at up to here. */
const MAX_CHECKED_DEPTH = 32;

interface Node {
  readonly bytes: Uint8Array;
  readonly offset: number;
  /** Levels below it; undefined where only the node itself says. */
  readonly depth: number | undefined;
  /** The first block of the file that it may map, and the last, undefined for no limit. */
  readonly first: number;
  readonly last: number | undefined;
  /** Behind the last block that the parent gives it. */
  readonly end: number;
}

interface Child {
  readonly block: number;
  readonly logical: number;
  readonly last: number;
  readonly end: number;
  readonly depth: number;
}

/** One walk over an extent tree, by the rules of e2fsck's scan_extent_node. */
class ExtentWalk {
  readonly #state: CheckState;
  readonly #inode: RawInode;
  readonly #sink: MapSink;
  readonly #sizeInBlocks: number;
  readonly #largestDirectory: number;
  #next = 0;

  constructor(state: CheckState, inode: RawInode, sink: MapSink) {
    const { blockSize } = state.geometry;
    this.#state = state;
    this.#inode = inode;
    this.#sink = sink;
    this.#sizeInBlocks = divideUp(inode.size, blockSize);
    const isBounded = inode.is('directory') && inode.field('sizeHigh') === 0 && !state.has('large_dir');
    // 2 GiB.
    this.#largestDirectory = isBounded ? 2 ** 31 / blockSize : Number.POSITIVE_INFINITY;
  }

  /** Undefined when all was in the inode itself. */
  walk(): Promise<void> | undefined {
    const offset = this.#inode.offset + I_BLOCK_OFFSET;
    const bytes = this.#inode.iBlock;
    const root: Node = { bytes, offset, depth: undefined, first: 0, last: undefined, end: this.#sizeInBlocks };
    const children = this.#entries(root);
    return children.length === 0 ? undefined : this.#descend(children);
  }

  async #descend(children: readonly Child[]): Promise<void> {
    for (const child of children) {
      if (!this.#sink.mapBlock(child.block)) continue;
      const bytes = await this.#state.read(child.block, `extent tree of inode ${this.#inode.id}`, [this.#inode.id]);
      if (bytes === undefined) continue;
      const offset = this.#state.blockOffset(child.block);
      const seed = this.#state.geometry.checksumSeed;
      const sum = seed === undefined ? undefined : extentBlockChecksum(bytes, inodeSeed(this.#inode, seed));
      if (sum !== undefined && sum.stored !== sum.computed)
        this.#sink.problem('checksum-wrong', offset + sum.at, 'the checksum of a block of the extent tree is wrong');
      const first = viewOf(bytes).getUint32(EXTENT_HEADER.size, true);
      const node = { bytes, offset, depth: child.depth, first, last: child.last, end: child.end };
      const hasEntries = EXTENT_HEADER.parse(bytes).entryCount > 0;
      if (hasEntries && first !== child.logical)
        this.#sink.problem('extent-index', offset, `it begins with block ${first}, its index says ${child.logical}`);
      const below = this.#entries(node);
      if (below.length > 0) await this.#descend(below);
    }
  }

  /** Tells the runs of a leaf; gives the children of an inner node. */
  #entries(node: Node): Child[] {
    const { bytes, offset } = node;
    const header = parseExtentHeader(bytes);
    const isLevel = header !== undefined && header.depth <= MAX_CHECKED_DEPTH;
    if (!isLevel || (node.depth !== undefined && header.depth !== node.depth)) {
      this.#sink.problem('extent-header', offset, 'a header of the extent tree makes no sense');
      return [];
    }
    if (node.depth !== undefined && header.entryCount === 0)
      this.#sink.problem('extent-header', offset, 'a node of the extent tree is empty');
    if (node.depth === undefined && header.depth > MAX_EXTENT_DEPTH) this.#tellDepth(offset, header.depth);
    return header.depth === 0
      ? this.#leaf(node, header.entryCount)
      : this.#inner(node, header.entryCount, header.depth);
  }

  #tellDepth(offset: number, depth: number): void {
    const message = `the extent tree has ${depth} levels below its root: Linux and this program read ${MAX_EXTENT_DEPTH}`;
    this.#state.warn('extent-depth', `inode ${this.#inode.id}`, offset, message);
  }

  #leaf(node: Node, count: number): Child[] {
    const view = viewOf(node.bytes);
    let first = node.first;
    for (let index = 0; index < count; index++) {
      const at = EXTENT_HEADER.size + index * ENTRY_BYTES;
      const logical = view.getUint32(at, true);
      const stored = view.getUint16(at + 4, true);
      const block = joinHalves(view.getUint16(at + 6, true), view.getUint32(at + 8, true));
      const isUnwritten = stored > MAX_WRITTEN_LENGTH;
      const length = isUnwritten ? stored - MAX_WRITTEN_LENGTH : stored;
      const objection =
        this.#objection(node, first, block, logical, logical + length - 1, isUnwritten) ??
        this.#leafObjection(block, logical, length);
      if (objection !== undefined) {
        const place = `blocks ${logical} to ${logical + length - 1} of the file at block ${block}`;
        this.#sink.problem('extent', node.offset + at, `${place}: ${objection}`);
        continue;
      }
      this.#next = logical + length;
      if (this.#inode.is('directory') && isUnwritten)
        this.#sink.problem('extent', node.offset + at, 'a directory has blocks that were never written');
      this.#sink.run(logical, block, length, isUnwritten);
      first = logical + length - 1;
    }
    return [];
  }

  #inner(node: Node, count: number, depth: number): Child[] {
    const view = viewOf(node.bytes);
    const children: Child[] = [];
    for (let index = 0; index < count; index++) {
      const at = EXTENT_HEADER.size + index * ENTRY_BYTES;
      const logical = view.getUint32(at, true);
      const block = joinHalves(view.getUint16(at + 8, true), view.getUint32(at + 4, true));
      const end = index + 1 < count ? view.getUint32(at + ENTRY_BYTES, true) : node.end;
      // A file may be shorter than what was allocated for it: as in 32 bits.
      const length = end >= logical ? end - logical : end - logical + 2 ** 32;
      const last = logical + length - 1;
      const objection = this.#objection(node, node.first, block, logical, last, false);
      if (objection === undefined) children.push({ block, logical, last, end, depth: depth - 1 });
      else this.#sink.problem('extent-index', node.offset + at, `an index to block ${block}: ${objection}`);
    }
    return children;
  }

  #objection(
    node: Node,
    first: number,
    block: number,
    logical: number,
    last: number,
    isUnwritten: boolean,
  ): string | undefined {
    if (block === 0 || !this.#state.hasBlock(block)) return 'outside the filesystem';
    if (logical < first) return 'not in order';
    const isBehindEnd = last > this.#sizeInBlocks - 1;
    const mayBeBehind = isBehindEnd && (isUnwritten || this.#inode.has(INODE_FLAG.verity));
    if (node.last !== undefined && node.last !== 0 && last > node.last && !mayBeBehind)
      return `reaches behind block ${node.last}, which its node ends with`;
    return undefined;
  }

  #leafObjection(block: number, logical: number, length: number): string | undefined {
    if (length === 0) return 'of no length';
    if (block + length > this.#state.geometry.blockCount) return 'reaches behind the end of the filesystem';
    if (logical + length > this.#largestDirectory) return 'larger than a directory may be';
    if (logical < this.#next) return 'overlaps the one before';
    return undefined;
  }
}

/** Walks an extent tree, in order; a promise only when blocks had to be read. */
export function walkExtents(state: CheckState, inode: RawInode, sink: MapSink): Promise<void> | undefined {
  return new ExtentWalk(state, inode, sink).walk();
}
