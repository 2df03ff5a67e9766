import { divideDown } from '../../bytes/rounding.ts';
import { viewOf } from '../../bytes/struct.ts';
import { corrupt } from '../../errors.ts';
import { type BlockRange, type BlockRun, type BlockRunOptions, loseBlocks } from './block-run.ts';
import { I_BLOCK_OFFSET, type Inode } from './inode.ts';
import type { ExtVolume } from './volume.ts';

/** `i_block` of a block-mapped inode (kernel documentation, ext4 "Direct/Indirect Block Addressing"): 12 data blocks, then one pointer for each level. */
const DIRECT_POINTERS = 12;
const INDIRECT_LEVELS = 3;
const POINTER_BYTES = 4;
const LEVEL_NAMES = ['', 'indirect block', 'double indirect block', 'triple indirect block'];
/** Indirect blocks of one file read in one walk; a million of 4 KiB blocks map 4 TiB, the most that 32-bit pointers reach. */
const MAX_INDIRECT_BLOCKS = 2 ** 22;

interface PendingIndirect {
  readonly block: number;
  readonly level: number;
  /** The first block of the file that it maps. */
  readonly logical: number;
  /** Where the pointer to it lies, for errors. */
  readonly pointerOffset: number;
}

/** The runs of a block-mapped file inside `range`, ascending, an indirect block at a time; what a bad pointer maps is lost as the options say. */
export async function* blockMapRuns(
  volume: ExtVolume,
  inode: Inode,
  range: BlockRange,
  options?: BlockRunOptions,
): AsyncGenerator<readonly BlockRun[], void> {
  const perBlock = volume.geometry.blockSize / POINTER_BYTES;
  const rootOffset = inode.offset + I_BLOCK_OFFSET;
  const direct = inode.iBlock.subarray(0, DIRECT_POINTERS * POINTER_BYTES);
  yield pointerRuns(volume, direct, 0, range, rootOffset, options);
  const seen = new Set<number>();
  const pending = rootIndirects(inode, perBlock, range, rootOffset);
  for (let here = pending.pop(); here !== undefined; here = pending.pop()) {
    let bytes: Uint8Array;
    try {
      if (!volume.hasDataBlocks(here.block, 1)) throw outside(volume, here.block, here.pointerOffset);
      if (seen.has(here.block) || seen.size >= MAX_INDIRECT_BLOCKS) throw revisited(inode, here);
      seen.add(here.block);
      bytes = await volume.readMetadata(here.block, LEVEL_NAMES[here.level]!, options);
    } catch (error) {
      loseBlocks({ first: here.logical, end: here.logical + perBlock ** here.level }, error, options);
      continue;
    }
    const offset = volume.blockOffset(here.block);
    if (here.level === 1) yield pointerRuns(volume, bytes, here.logical, range, offset, options);
    else pending.push(...innerIndirects(bytes, here, perBlock, range, offset));
  }
}

/** The three roots that reach into `range`, the first of them last. */
function rootIndirects(inode: Inode, perBlock: number, range: BlockRange, offset: number): PendingIndirect[] {
  const view = viewOf(inode.iBlock);
  const roots: PendingIndirect[] = [];
  let logical = DIRECT_POINTERS;
  for (let level = 1; level <= INDIRECT_LEVELS; level++) {
    const at = (DIRECT_POINTERS + level - 1) * POINTER_BYTES;
    const block = view.getUint32(at, true);
    const covered = perBlock ** level;
    const isWanted = block !== 0 && logical < range.end && logical + covered > range.first;
    if (isWanted) roots.unshift({ block, level, logical, pointerOffset: offset + at });
    logical += covered;
  }
  return roots;
}

function innerIndirects(
  bytes: Uint8Array,
  parent: PendingIndirect,
  perBlock: number,
  range: BlockRange,
  offset: number,
): PendingIndirect[] {
  const view = viewOf(bytes);
  const level = parent.level - 1;
  const covered = perBlock ** level;
  const first = Math.max(0, divideDown(Math.max(0, range.first - parent.logical), covered));
  const end = Math.min(perBlock, Math.ceil((range.end - parent.logical) / covered));
  const inner: PendingIndirect[] = [];
  for (let index = end - 1; index >= first; index--) {
    const at = index * POINTER_BYTES;
    const block = view.getUint32(at, true);
    if (block !== 0)
      inner.push({ block, level, logical: parent.logical + index * covered, pointerOffset: offset + at });
  }
  return inner;
}

/** The runs that an array of data block pointers tells; the first maps block `logical` of the file. */
function pointerRuns(
  volume: ExtVolume,
  bytes: Uint8Array,
  logical: number,
  range: BlockRange,
  offset: number,
  options: BlockRunOptions | undefined,
): BlockRun[] {
  const view = viewOf(bytes);
  const first = Math.max(0, range.first - logical);
  const end = Math.min(bytes.length / POINTER_BYTES, range.end - logical);
  const runs: BlockRun[] = [];
  let start = 0;
  let count = 0;
  for (let index = first; index < end; index++) {
    const block = view.getUint32(index * POINTER_BYTES, true);
    if (count > 0 && block === start + count) {
      count += 1;
      continue;
    }
    if (count > 0) runs.push({ logical: logical + index - count, physical: start, count, unwritten: false });
    start = block;
    count = block === 0 ? 0 : 1;
  }
  if (count > 0) runs.push({ logical: logical + end - count, physical: start, count, unwritten: false });
  return runs.filter((run) => {
    if (volume.hasDataBlocks(run.physical, run.count)) return true;
    const pointerOffset = offset + (run.logical - logical) * POINTER_BYTES;
    const error = outside(volume, run.physical + run.count - 1, pointerOffset);
    loseBlocks({ first: run.logical, end: run.logical + run.count }, error, options);
    return false;
  });
}

function outside(volume: ExtVolume, block: number, offset: number): Error {
  const { first, end } = volume.dataBlocks;
  return corrupt({
    layer: 'ext',
    structure: 'block pointer',
    offset,
    expected: `blocks ${first} to ${end - 1}, or 0`,
    found: block,
  });
}

function revisited(inode: Inode, { block, level, pointerOffset }: PendingIndirect): Error {
  return corrupt({
    layer: 'ext',
    structure: `${LEVEL_NAMES[level]} of inode ${inode.id}`,
    offset: pointerOffset,
    expected: `at most ${MAX_INDIRECT_BLOCKS} indirect blocks, each met once`,
    found: `block ${block} again`,
  });
}
