import { divideDown } from '../../../bytes/rounding.ts';
import { viewOf } from '../../../bytes/struct.ts';
import { descriptorBlockCount, hasSuperblock } from '../geometry.ts';
import { I_BLOCK_WORDS, RESIZE_INODE } from './limits.ts';
import type { CheckState } from './state.ts';
import { readRawInode } from './value-inodes.ts';

/** Of `i_block`: the pointer of a double indirect block, the only one that the inode has. */
const DOUBLE_INDIRECT = 13;

/** The inode that holds the blocks which descriptors may grow into (e2fsck's check_resize_inode). */
export async function checkResizeInode(state: CheckState): Promise<void> {
  const inode = await readRawInode(state, RESIZE_INODE);
  if (inode === undefined) return;
  const error = (message: string, offset: number = inode.offset): void =>
    state.warn('resize-inode', `inode ${RESIZE_INODE}`, offset, message);
  const others: number[] = [];
  for (let index = 0; index < I_BLOCK_WORDS; index++)
    if (index !== DOUBLE_INDIRECT && inode.block(index) !== 0) others.push(index);
  const block = inode.block(DOUBLE_INDIRECT);
  if (!state.has('resize_inode')) {
    if (others.length > 0 || block !== 0) error('it is not empty, and the filesystem has no resize_inode');
    return;
  }
  if (state.has('meta_bg')) return;
  if (others.length > 0 || !state.hasBlock(block) || inode.linkCount === 0 || !inode.is('file')) {
    error('it is not a file with a double indirect block alone');
    return;
  }
  const pointers = await state.read(block, 'double indirect block of the resize inode');
  if (pointers === undefined) return;
  await checkPointers(state, pointers, (message) => error(message, state.blockOffset(block)));
}

async function checkPointers(state: CheckState, pointers: Uint8Array, error: (message: string) => void): Promise<void> {
  const { geometry, superblock } = state;
  const perBlock = geometry.blockSize / 4;
  const view = viewOf(pointers);
  const holders: number[] = [];
  for (let group = 1; group < geometry.groupCount && holders.length < perBlock; group++)
    if (hasSuperblock(geometry, group)) holders.push(group);
  const descriptors = descriptorBlockCount(geometry);
  const shift = geometry.blockSize === 1024 && geometry.firstDataBlock === 0 ? 1 : 0;
  // e2fsck looks at a quarter of them.
  const count = divideDown(superblock.reservedDescriptorBlocks, 4);
  for (let index = 0; index < count; index++) {
    const expected = geometry.firstDataBlock + 1 + descriptors + index + shift;
    const found = view.getUint32(((descriptors + index) % perBlock) * 4, true);
    if (found !== expected)
      return error(`it names block ${found} where the descriptors may grow into block ${expected}`);
    const bytes = await state.read(expected, 'indirect block of the resize inode');
    if (bytes === undefined) return;
    const copies = viewOf(bytes);
    for (const [place, holder] of holders.entries()) {
      const copy = expected + holder * geometry.blocksPerGroup;
      if (copies.getUint32(place * 4, true) !== copy)
        return error(`it names block ${copies.getUint32(place * 4, true)} in group ${holder}, and not ${copy}`);
    }
  }
}
