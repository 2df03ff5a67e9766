import { isZero } from '../../../bytes/is-zero.ts';
import { divideDown } from '../../../bytes/rounding.ts';
import { viewOf } from '../../../bytes/struct.ts';
import { inodeSeed, orphanBlockChecksum } from '../checksums.ts';
import { INODE_FLAG } from '../inode-flags.ts';
import { walkBlockMap } from './block-map.ts';
import { walkExtents } from './extent-map.ts';
import type { RawInode } from './raw-inode.ts';
import type { CheckState } from './state.ts';
import { readRawInode } from './value-inodes.ts';

/** Orphans that are listed. */
const MAX_LISTED = 10_000;
const ORPHAN_MAGIC = 0x0b10ca04;
const TAIL_BYTES = 8;

/** Tells the inodes that were deleted while they were open, or were being truncated: the list in the superblock, and the orphan file. */
export async function checkOrphans(state: CheckState): Promise<void> {
  await listOrphans(state);
  if (!state.has('orphan_file')) {
    if (state.has('orphan_present'))
      state.error('orphan-file', 'superblock', undefined, 'orphan_present is set, and there is no orphan file');
    return;
  }
  if (!state.has('has_journal'))
    state.error('orphan-file', 'superblock', undefined, 'an orphan file without a journal');
  await checkOrphanFile(state);
}

/** `s_last_orphan`, and from there each one's time of deletion is the number of the next. */
async function listOrphans(state: CheckState): Promise<void> {
  const seen = new Set<number>();
  let id = state.superblock.lastOrphan;
  while (id !== 0 && seen.size < MAX_LISTED) {
    if (id > state.geometry.inodeCount || seen.has(id)) {
      const found = seen.has(id) ? 'comes back to' : 'goes to';
      note(state, 'superblock', `the list of orphans ${found} inode ${id}`);
      return;
    }
    seen.add(id);
    const inode = await readRawInode(state, id);
    if (inode === undefined) return;
    noteOrphan(state, inode);
    id = inode.deleteTime;
  }
}

function noteOrphan(state: CheckState, inode: RawInode): void {
  const what = inode.linkCount === 0 ? 'it was deleted while it was open' : 'it was being truncated';
  note(state, `inode ${inode.id}`, `an orphan: ${what}, and the next recovery will finish that`);
}

function note(state: CheckState, structure: string, message: string): void {
  state.add({ severity: 'note', code: 'orphan', structure, message });
}

async function checkOrphanFile(state: CheckState): Promise<void> {
  const id = state.superblock.orphanFileInode;
  const { blockSize, inodeCount } = state.geometry;
  const structure = `orphan file inode ${id}`;
  if (id === 0 || id > inodeCount)
    return state.error('orphan-file', 'superblock', undefined, `it is said to be inode ${id}`);
  const inode = await readRawInode(state, id);
  if (inode === undefined) return;
  if (inode.size % blockSize !== 0)
    return state.error('orphan-file', structure, inode.offset, `its size, ${inode.size}, is not a number of blocks`);
  const blocks: number[] = [];
  const sink = {
    problem: (): void => undefined,
    mapBlock: (): boolean => blocks.length < MAX_LISTED,
    run: (logical: number, block: number, count: number): void => {
      for (let index = 0; index < count && logical + index < MAX_LISTED; index++)
        blocks[logical + index] = block + index;
    },
  };
  await (inode.has(INODE_FLAG.extents) ? walkExtents(state, inode, sink) : walkBlockMap(state, inode, sink));
  let isClean = true;
  for (let number = 0; number < Math.min(MAX_LISTED, divideDown(inode.size, blockSize)); number++) {
    const block = blocks[number];
    if (block === undefined) {
      state.error('orphan-file', structure, inode.offset, `block ${number} of it is missing`);
      isClean = false;
    } else if (!(await checkOrphanBlock(state, inode, number, block))) isClean = false;
  }
  if (isClean && state.has('orphan_present'))
    state.error('orphan-file', structure, undefined, 'orphan_present is set, and the file names none');
}

/** Whether the block is in order and names none. */
async function checkOrphanBlock(state: CheckState, inode: RawInode, number: number, block: number): Promise<boolean> {
  const structure = `orphan file inode ${inode.id}`;
  const bytes = await state.read(block, structure, [inode.id]);
  if (bytes === undefined) return false;
  const offset = state.blockOffset(block);
  const view = viewOf(bytes);
  const end = bytes.length - TAIL_BYTES;
  const { checksumSeed } = state.geometry;
  if (view.getUint32(end, true) !== ORPHAN_MAGIC) {
    state.error('orphan-file', structure, offset + end, `block ${number} of it does not end with its magic`);
    return false;
  }
  const sum =
    checksumSeed === undefined ? undefined : orphanBlockChecksum(bytes, block, inodeSeed(inode, checksumSeed));
  const isRight = state.sum(structure, offset, sum);
  if (isZero(bytes, 0, end)) return isRight;
  state.error('orphan-file', structure, offset, `block ${number} of it names orphans`);
  for (let at = 0; at < end; at += 4) {
    const id = view.getUint32(at, true);
    const orphan = id === 0 || id > state.geometry.inodeCount ? undefined : await readRawInode(state, id);
    if (orphan !== undefined) noteOrphan(state, orphan);
  }
  return false;
}
