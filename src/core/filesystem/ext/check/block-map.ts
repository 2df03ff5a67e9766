import { viewOf } from '../../../bytes/struct.ts';
import { I_BLOCK_OFFSET } from '../inode.ts';
import { I_BLOCK_WORDS } from './limits.ts';
import type { MapSink } from './map-sink.ts';
import type { RawInode } from './raw-inode.ts';
import type { CheckState } from './state.ts';

const DIRECT_POINTERS = 12;
const POINTER_BYTES = 4;
const LEVEL_NAMES = ['', 'indirect block', 'double indirect block', 'triple indirect block'];

/** Walks a block map: direct pointers, then the indirect blocks in order. A promise only when blocks had to be read. */
export function walkBlockMap(state: CheckState, inode: RawInode, sink: MapSink): Promise<void> | undefined {
  const offset = inode.offset + I_BLOCK_OFFSET;
  tellPointers(state, inode, sink, inode.iBlock.subarray(0, DIRECT_POINTERS * POINTER_BYTES), 0, offset);
  for (let index = DIRECT_POINTERS; index < I_BLOCK_WORDS; index++)
    if (inode.block(index) !== 0) return walkIndirect(state, inode, sink);
  return undefined;
}

async function walkIndirect(state: CheckState, inode: RawInode, sink: MapSink): Promise<void> {
  const perBlock = state.geometry.blockSize / POINTER_BYTES;
  const iBlock = inode.iBlock.slice();
  const view = viewOf(iBlock);
  let logical = DIRECT_POINTERS;
  for (let level = 1; level <= 3; level++) {
    const at = (DIRECT_POINTERS + level - 1) * POINTER_BYTES;
    const block = view.getUint32(at, true);
    if (block !== 0) await descend(state, inode, sink, block, level, logical, inode.offset + I_BLOCK_OFFSET + at);
    logical += perBlock ** level;
  }
}

async function descend(
  state: CheckState,
  inode: RawInode,
  sink: MapSink,
  block: number,
  level: number,
  logical: number,
  pointerOffset: number,
): Promise<void> {
  const name = LEVEL_NAMES[level]!;
  if (!state.hasBlock(block)) {
    sink.problem('block-pointer', pointerOffset, `its ${name} is block ${block}, outside the filesystem`);
    return;
  }
  if (!sink.mapBlock(block)) return;
  const bytes = await state.read(block, `${name} of inode ${inode.id}`, [inode.id]);
  if (bytes === undefined) return;
  const offset = state.blockOffset(block);
  if (level === 1) return tellPointers(state, inode, sink, bytes, logical, offset);
  const perBlock = state.geometry.blockSize / POINTER_BYTES;
  const covered = perBlock ** (level - 1);
  const view = viewOf(bytes);
  for (let index = 0; index < perBlock; index++) {
    const child = view.getUint32(index * POINTER_BYTES, true);
    const at = offset + index * POINTER_BYTES;
    if (child !== 0) await descend(state, inode, sink, child, level - 1, logical + index * covered, at);
  }
}

/** Tells the runs that an array of pointers makes; the first maps block `logical` of the file. */
function tellPointers(
  state: CheckState,
  inode: RawInode,
  sink: MapSink,
  bytes: Uint8Array,
  logical: number,
  offset: number,
): void {
  const view = viewOf(bytes);
  const largest = largestBlock(state, inode);
  let start = 0;
  let count = 0;
  const end = bytes.length / POINTER_BYTES;
  for (let index = 0; index < end; index++) {
    const at = index * POINTER_BYTES;
    const block = view.getUint32(at, true);
    const isRight = block !== 0 && state.hasBlock(block) && logical + index <= largest;
    if (count > 0 && isRight && block === start + count) {
      count++;
      continue;
    }
    if (count > 0) sink.run(logical + index - count, start, count, false);
    start = block;
    count = isRight ? 1 : 0;
    if (block !== 0 && !isRight) {
      const what = state.hasBlock(block) ? 'behind what it may have' : 'outside the filesystem';
      sink.problem('block-pointer', offset + at, `block ${logical + index} of it is block ${block}, ${what}`);
    }
  }
  if (count > 0) sink.run(logical + end - count, start, count, false);
}

/** The last block that an inode of its kind may have (e2fsck's process_block). */
function largestBlock(state: CheckState, inode: RawInode): number {
  if (inode.is('directory') && !state.has('large_dir') && inode.field('sizeHigh') === 0)
    return 2 ** 31 / state.geometry.blockSize;
  if (inode.is('directory') || inode.is('file')) return Number.POSITIVE_INFINITY;
  return 0;
}
