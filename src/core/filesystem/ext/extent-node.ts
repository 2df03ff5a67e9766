import { joinHalves } from '../../bytes/bits.ts';
import { divideDown } from '../../bytes/rounding.ts';
import { Struct, u16le, u32le, viewOf } from '../../bytes/struct.ts';
import { corrupt, type DiskError } from '../../errors.ts';
import type { BlockRange, BlockRun } from './block-run.ts';

export const EXTENT_MAGIC = 0xf30a;
/** The kernel's EXT4_MAX_EXTENT_DEPTH. */
export const MAX_EXTENT_DEPTH = 5;
/** A length above this is of an unwritten extent, 32768 longer than it is. */
export const MAX_WRITTEN_LENGTH = 32768;
const ENTRY_BYTES = 12;

/** `struct ext4_extent_header` (kernel documentation, ext4 "Extent Tree"). */
export const EXTENT_HEADER = new Struct('ext', 'extent header', {
  magic: u16le(0),
  entryCount: u16le(2),
  capacity: u16le(4),
  depth: u16le(6),
  generation: u32le(8),
});

/** `struct ext4_extent_idx`: the child node that covers the file from `logical` on. */
export const EXTENT_INDEX = new Struct(
  'ext',
  'extent index',
  { logical: u32le(0), childLow: u32le(4), childHigh: u16le(8) },
  ENTRY_BYTES,
);

/** `struct ext4_extent`. */
export const EXTENT = new Struct('ext', 'extent', {
  logical: u32le(0),
  length: u16le(4),
  physicalHigh: u16le(6),
  physicalLow: u32le(8),
});

export interface ExtentChild {
  readonly block: number;
  /** The blocks of the file that the child may speak of. */
  readonly covers: BlockRange;
}

/** A leaf has runs, an inner node children, both in ascending order. */
export interface ExtentNode {
  readonly depth: number;
  readonly runs: readonly BlockRun[];
  readonly children: readonly ExtentChild[];
}

export interface ExtentNodePlace {
  /** Byte offset of the node in the device, for errors. */
  readonly offset: number;
  /** What the parent says; undefined at the root. */
  readonly depth: number | undefined;
  readonly covers: BlockRange;
  /** The filesystem's blocks that a pointer may name. */
  readonly blocks: BlockRange;
  /** Told of blocks of the file that a bad entry leaves without a place; without it a bad entry is an error. */
  readonly onBad?: ((blocks: BlockRange, reason: DiskError) => void) | undefined;
}

/**
 * Parses one node of an extent tree: 60 bytes of an inode, or a block (whose checksum tail lies behind its capacity).
 * Throws CORRUPT for anything that is out of order, overlaps, or points outside the filesystem or the parent's range, but for
 * what the place is told of as lost.
 */
export function parseExtentNode(bytes: Uint8Array, place: ExtentNodePlace): ExtentNode {
  const header = EXTENT_HEADER.parse(bytes, 0, place.offset);
  const room = divideDown(bytes.length - EXTENT_HEADER.size, ENTRY_BYTES);
  if (header.magic !== EXTENT_MAGIC) throw damaged(place, 0, 'header magic', '0xf30a', hex(header.magic));
  if (header.capacity > room) throw damaged(place, 4, 'header capacity', `at most ${room}`, header.capacity);
  if (header.entryCount > header.capacity)
    throw damaged(place, 2, 'header entry count', `at most ${header.capacity}`, header.entryCount);
  if (place.depth !== undefined && header.depth !== place.depth)
    throw damaged(place, 6, 'header depth', String(place.depth), header.depth);
  if (header.depth > MAX_EXTENT_DEPTH)
    throw damaged(place, 6, 'header depth', `at most ${MAX_EXTENT_DEPTH}`, header.depth);
  if (header.depth === 0) {
    return { depth: 0, runs: parseLeaf(bytes, header.entryCount, place), children: [] };
  }
  if (header.entryCount === 0) throw damaged(place, 2, 'header entry count', 'at least 1 in an inner node', 0);
  return { depth: header.depth, runs: [], children: parseIndex(bytes, header.entryCount, place) };
}

function parseLeaf(bytes: Uint8Array, entryCount: number, place: ExtentNodePlace): BlockRun[] {
  const view = viewOf(bytes);
  const runs: BlockRun[] = [];
  let next = place.covers.first;
  for (let index = 0; index < entryCount; index++) {
    const at = EXTENT_HEADER.size + index * ENTRY_BYTES;
    const logical = view.getUint32(at, true);
    const length = view.getUint16(at + 4, true);
    const physical = joinHalves(view.getUint16(at + 6, true), view.getUint32(at + 8, true));
    const unwritten = length > MAX_WRITTEN_LENGTH;
    const count = unwritten ? length - MAX_WRITTEN_LENGTH : length;
    const misplaced = placeFault(place, at, { logical, count, next });
    if (misplaced !== undefined) {
      // Where one entry does not stand in the file, those behind it tell nothing any more.
      lose(place, { first: next, end: place.covers.end }, misplaced);
      return runs;
    }
    next = logical + count;
    if (physical < place.blocks.first || physical + count > place.blocks.end) {
      const outside = damaged(place, at + 6, 'extent physical', blocksText(place), `${physical} + ${count}`);
      lose(place, { first: logical, end: next }, outside);
    } else runs.push({ logical, physical, count, unwritten });
  }
  return runs;
}

/** What is wrong with where an extent stands in the file; `next` is the first block that it may have. */
function placeFault(
  place: ExtentNodePlace,
  at: number,
  { logical, count, next }: { readonly logical: number; readonly count: number; readonly next: number },
): DiskError | undefined {
  if (count === 0) return damaged(place, at + 4, 'extent length', 'at least 1', 0);
  if (logical < next) return damaged(place, at, 'extent logical', `at least ${next}`, logical);
  const { end } = place.covers;
  if (logical + count <= end) return undefined;
  return damaged(place, at, 'extent end', `at most block ${end} of the file`, logical + count);
}

function lose(place: ExtentNodePlace, blocks: BlockRange, reason: DiskError): void {
  if (place.onBad === undefined) throw reason;
  place.onBad(blocks, reason);
}

function parseIndex(bytes: Uint8Array, entryCount: number, place: ExtentNodePlace): ExtentChild[] {
  const view = viewOf(bytes);
  const children: ExtentChild[] = [];
  let end = place.covers.end;
  // From the last, because a child reaches as far as the next one begins.
  for (let index = entryCount - 1; index >= 0; index--) {
    const at = EXTENT_HEADER.size + index * ENTRY_BYTES;
    const first = view.getUint32(at, true);
    const block = joinHalves(view.getUint16(at + 8, true), view.getUint32(at + 4, true));
    if (first >= end || first < place.covers.first)
      throw damaged(place, at, 'extent index logical', `${place.covers.first} to ${end - 1}, ascending`, first);
    const covers = { first, end };
    if (block < place.blocks.first || block >= place.blocks.end)
      lose(place, covers, damaged(place, at + 4, 'extent index child', blocksText(place), block));
    else children.push({ block, covers });
    end = first;
  }
  return children.reverse();
}

function blocksText(place: ExtentNodePlace): string {
  return `blocks ${place.blocks.first} to ${place.blocks.end - 1}`;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

function damaged(
  place: ExtentNodePlace,
  at: number,
  what: string,
  expected: string,
  found: string | number,
): DiskError {
  return corrupt({ layer: 'ext', structure: what, offset: place.offset + at, expected, found });
}
