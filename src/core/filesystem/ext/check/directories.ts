import { PagedBits } from '../../../bytes/paged-bits.ts';
import { directoryBlockChecksum, inodeSeed } from '../checksums.ts';
import { I_BLOCK_BYTES, I_BLOCK_OFFSET } from '../inode.ts';
import { INODE_FLAG } from '../inode-flags.ts';
import { DirectoryCheck } from './directory-check.ts';
import { DirectoryIndex } from './directory-index.ts';
import type { DirectoryRun } from './directory-runs.ts';
import { inlineDataBytes, inlineRest } from './inline.ts';
import { ROOT_INODE } from './limits.ts';
import type { RawInode } from './raw-inode.ts';
import type { CheckState } from './state.ts';
import { readRawInode } from './value-inodes.ts';

/** What an entry takes in the value of inline data at least. */
const MIN_INLINE_REST = 12;
/** Damaged blocks of one directory after which the rest of it is left. */
const MAX_DAMAGED_BLOCKS = 64;

/** Looks at every directory, block by block (e2fsck's pass 2). */
export async function checkDirectories(state: CheckState, onBlocks: (bytes: number) => void): Promise<void> {
  const { directoryRuns } = state;
  state.parents.set(ROOT_INODE, ROOT_INODE);
  const seen = new PagedBits();
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
    const inode = await readRawInode(state, id);
    if (inode === undefined) continue;
    if (inode.has(INODE_FLAG.inlineData)) checkInline(state, inode);
    else await checkRuns(state, inode, runs, seen, onBlocks);
  }
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
  inode: RawInode,
  runs: readonly DirectoryRun[],
  seen: PagedBits,
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
    for (let done = 0; done < run.count && damaged <= MAX_DAMAGED_BLOCKS; done++) {
      // A block that several directories claim is told by both, and read once: there may be very many.
      if (!seen.add(run.block + done)) continue;
      if (!(await checkBlock(state, inode, check, index, run.first + done, run.block + done))) damaged++;
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

function tellHole(state: CheckState, inode: RawInode, run: DirectoryRun): void {
  if (state.has('large_dir') && !state.has('inline_data')) return;
  const blocks = run.count === 1 ? `block ${run.first} is` : `blocks ${run.first} to ${run.first + run.count - 1} are`;
  state.error('directory-hole', `inode ${inode.id}`, inode.offset, `${blocks} missing from the directory`, [inode.id]);
}

/** False when the block is damaged. */
async function checkBlock(
  state: CheckState,
  inode: RawInode,
  check: DirectoryCheck,
  index: DirectoryIndex | undefined,
  number: number,
  block: number,
): Promise<boolean> {
  const structure = `directory inode ${inode.id}`;
  const bytes = await state.read(block, structure, [inode.id]);
  if (bytes === undefined) return false;
  const offset = state.blockOffset(block);
  const role = index?.begin(number, bytes, offset) ?? 'leaf';
  const { checksumSeed } = state.geometry;
  let length = bytes.length;
  if (checksumSeed !== undefined) {
    const sum = directoryBlockChecksum(bytes, role === 'root', inodeSeed(inode, checksumSeed));
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
