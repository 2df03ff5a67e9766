import { SparseBitSet } from '../../../bytes/sparse-bit-set.ts';
import { directoryBlockChecksum, inodeSeed } from '../checksums.ts';
import { I_BLOCK_BYTES, I_BLOCK_OFFSET } from '../inode.ts';
import { DirectoryCheck } from './directory-check.ts';
import { DirectoryIndex } from './directory-index.ts';
import type { DirectoryInode, DirectoryRun } from './directory-runs.ts';
import { inlineDataBytes, inlineRest } from './inline.ts';
import { ROOT_INODE } from './limits.ts';
import type { RawInode } from './raw-inode.ts';
import type { CheckState } from './state.ts';
import { inodeOffset, readRawInode } from './value-inodes.ts';

/** What an entry takes in the value of inline data at least. */
const MIN_INLINE_REST = 12;
/** Blocks of a directory that lie together are read together, up to this many bytes. */
const READ_BYTES = 128 * 1024;
/** Damaged blocks of one directory after which the rest of it is left. */
const MAX_DAMAGED_BLOCKS = 64;

/** Looks at every directory, block by block (e2fsck's pass 2). */
export async function checkDirectories(state: CheckState, onBlocks: (bytes: number) => void): Promise<void> {
  const { directoryRuns } = state;
  state.parents.set(ROOT_INODE, ROOT_INODE);
  const seen = new SparseBitSet();
  for (let index = 0; index < directoryRuns.length; ) {
    state.options.signal?.throwIfAborted();
    const { id } = directoryRuns.at(index);
    const runs: DirectoryRun[] = [];
    for (; index < directoryRuns.length; index++) {
      const run = directoryRuns.at(index);
      if (run.id !== id) break;
      runs.push(run);
    }
    if (!state.usedInodes.has(id)) continue;
    const offset = inodeOffset(state, id);
    if (offset === undefined) continue;
    if (state.inlineDirectories.has(id)) await checkInlineDirectory(state, id);
    else await checkRuns(state, { id, offset }, runs, seen, onBlocks);
  }
}

async function checkInlineDirectory(state: CheckState, id: number): Promise<void> {
  const inode = await readRawInode(state, id);
  if (inode !== undefined) checkInline(state, inode);
}

function checkInline(state: CheckState, inode: RawInode): void {
  const check = new DirectoryCheck(state, inode, undefined);
  const size = inlineDataBytes(inode) ?? I_BLOCK_BYTES;
  const rest = inlineRest(inode);
  if (size % 4 !== 0 || (size > I_BLOCK_BYTES && size < I_BLOCK_BYTES + MIN_INLINE_REST))
    state.error('directory-size', `inode ${inode.id}`, inode.offset, `${size} bytes of inline data hold no entries`, [
      inode.id,
    ]);
  check.inlineDots(inode.block(0));
  check.block(inode.iBlock.subarray(4), inode.offset + I_BLOCK_OFFSET + 4, 0, 2);
  if (rest !== undefined && rest.bytes.length > 0) check.block(rest.bytes, rest.offset, 1, 2);
}

async function checkRuns(
  state: CheckState,
  inode: DirectoryInode,
  runs: readonly DirectoryRun[],
  seen: SparseBitSet,
  onBlocks: (bytes: number) => void,
): Promise<void> {
  const last = runs.at(-1)!;
  const index = state.indexed.has(inode.id) ? new DirectoryIndex(state, inode, last.first + last.count) : undefined;
  const check = new DirectoryCheck(state, inode, index);
  let damaged = 0;
  for (const run of runs) {
    if (run.block === 0) {
      tellHole(state, inode, run);
      continue;
    }
    const perRead = Math.max(1, READ_BYTES / state.geometry.blockSize);
    for (let done = 0; done < run.count && damaged <= MAX_DAMAGED_BLOCKS; done += perRead) {
      const count = Math.min(perRead, run.count - done);
      const bytes = await state.readBlocks(run.block + done, count, `directory inode ${inode.id}`, [inode.id]);
      if (bytes === undefined) damaged++;
      else
        damaged += checkPiece(
          state,
          inode,
          check,
          index,
          seen,
          { ...run, first: run.first + done, block: run.block + done, count },
          bytes,
        );
    }
    onBlocks(run.count * state.geometry.blockSize);
  }
  if (damaged > MAX_DAMAGED_BLOCKS)
    state.error(
      'directory-damaged',
      `inode ${inode.id}`,
      inode.offset,
      `${damaged} of its blocks are damaged: the rest is not looked at`,
      [inode.id],
    );
  index?.finish();
}

function tellHole(state: CheckState, inode: DirectoryInode, run: DirectoryRun): void {
  if (state.has('large_dir') && !state.has('inline_data')) return;
  const blocks = run.count === 1 ? `block ${run.first} is` : `blocks ${run.first} to ${run.first + run.count - 1} are`;
  state.error('directory-hole', `inode ${inode.id}`, inode.offset, `${blocks} missing from the directory`, [inode.id]);
}

/** The blocks of a run that were read at once; gives how many are damaged. */
function checkPiece(
  state: CheckState,
  inode: DirectoryInode,
  check: DirectoryCheck,
  index: DirectoryIndex | undefined,
  seen: SparseBitSet,
  run: DirectoryRun,
  bytes: Uint8Array,
): number {
  const { blockSize } = state.geometry;
  let damaged = 0;
  for (let done = 0; done < run.count; done++) {
    // A block that several directories claim is told by both, and looked at once: there may be very many.
    if (!seen.add(run.block + done)) continue;
    const part = bytes.subarray(done * blockSize, (done + 1) * blockSize);
    if (!checkBlock(state, inode, check, index, run.first + done, run.block + done, part)) damaged++;
  }
  return damaged;
}

/** False when the block is damaged. */
function checkBlock(
  state: CheckState,
  inode: DirectoryInode,
  check: DirectoryCheck,
  index: DirectoryIndex | undefined,
  number: number,
  block: number,
  bytes: Uint8Array,
): boolean {
  const structure = `directory inode ${inode.id}`;
  const offset = state.blockOffset(block);
  const role = index?.begin(number, bytes, offset) ?? 'leaf';
  const { checksumSeed } = state.geometry;
  let length = bytes.length;
  if (checksumSeed !== undefined) {
    const sum = directoryBlockChecksum(
      bytes,
      role === 'root',
      inodeSeed({ id: inode.id, generation: state.generations.get(inode.id) }, checksumSeed),
    );
    if (sum === undefined)
      state.error('checksum-missing', structure, offset, `block ${number} of it has no checksum`, [inode.id]);
    else {
      state.sum(structure, offset, sum, [inode.id]);
      if (role === 'leaf' && sum.at === bytes.length - 4) length -= 12;
    }
  }
  const isSound = check.block(bytes.subarray(0, length), offset, number, number === 0 ? 0 : 2);
  index?.end(number, bytes, offset);
  return isSound;
}
