import { divideDown } from '../../../bytes/rounding.ts';
import { I_BLOCK_BYTES } from '../inode.ts';
import { INODE_FLAG } from '../inode-flags.ts';
import { checkAttributeBlock } from './attribute-blocks.ts';
import { checkBadBlocks } from './bad-blocks.ts';
import { BlockClaims } from './block-claims.ts';
import { walkBlockMap } from './block-map.ts';
import { walkExtents } from './extent-map.ts';
import { inlineDataBytes } from './inline.ts';
import { BAD_BLOCKS_INODE, CREATOR_HURD, ROOT_INODE } from './limits.ts';
import type { RawInode } from './raw-inode.ts';
import type { CheckState } from './state.ts';

const LARGE_FILE_BYTES = 2 ** 31;
const MAX_LOGICAL_BLOCKS = 2 ** 32;

/** Takes the blocks of an inode, and compares its size and its count with them (e2fsck's check_blocks). */
export function checkInodeBlocks(state: CheckState, inode: RawInode, valueClusters: number): Promise<void> | undefined {
  if (inode.id === BAD_BLOCKS_INODE) return checkBadBlocks(state, inode);
  const claims = new BlockClaims(state, inode);
  claims.clusterCount = valueClusters;
  if (inode.attributeBlock === 0) {
    const walk = walkBlocks(state, inode, claims);
    if (walk !== undefined) return walk.then(() => checkCounts(state, inode, claims));
    checkCounts(state, inode, claims);
    return undefined;
  }
  return checkAttributeBlock(state, inode).then(async (clusters) => {
    claims.clusterCount += clusters;
    await walkBlocks(state, inode, claims);
    checkCounts(state, inode, claims);
  });
}

function walkBlocks(state: CheckState, inode: RawInode, claims: BlockClaims): Promise<void> | undefined {
  if (state.has('inline_data') && inode.has(INODE_FLAG.inlineData)) {
    if (inode.is('directory')) state.directoryRuns.push(inode.id, 0, 0, 1);
    return undefined;
  }
  if (!inode.mapsBlocks(INODE_FLAG.inlineData)) return undefined;
  const isExtents = state.has('extent') && inode.has(INODE_FLAG.extents);
  if (!isExtents && inode.is('directory') && inode.block(0) === 0) {
    // The first block of a directory is looked for even where it has none.
    state.directoryRuns.push(inode.id, 0, 0, 1);
    claims.listedFirst();
  }
  return isExtents ? walkExtents(state, inode, claims) : walkBlockMap(state, inode, claims);
}

function checkCounts(state: CheckState, inode: RawInode, claims: BlockClaims): void {
  const isInline = inode.has(INODE_FLAG.inlineData);
  if (inode.has(INODE_FLAG.indexed)) noteIndex(state, inode);
  if (claims.clusterCount === 0 && inode.is('directory') && !isInline && !claims.isIncomplete)
    state.error('directory-empty', `inode ${inode.id}`, inode.offset, 'a directory has no blocks', [inode.id]);
  checkSize(state, inode, claims);
  if (inode.is('file') && inode.size >= LARGE_FILE_BYTES) state.hasLargeFile = true;
  if (!claims.isIncomplete) checkBlockCount(state, inode, claims);
  const isOrdinary = inode.id === ROOT_INODE || inode.id >= state.geometry.firstInode;
  const maps = (inode.is('file') || inode.is('directory')) && !isInline && !inode.has(INODE_FLAG.extents);
  if (state.has('bigalloc') && isOrdinary && maps && claims.lastBlock >= 0)
    state.error('inode-flags', `inode ${inode.id}`, inode.offset, 'a block map, where clusters want extents', [
      inode.id,
    ]);
}

function noteIndex(state: CheckState, inode: RawInode): void {
  const error = (message: string): void =>
    state.error('inode-flags', `inode ${inode.id}`, inode.offset, message, [inode.id]);
  if (!inode.is('directory')) error('it is marked as an indexed directory, and is none');
  else if (!state.has('dir_index')) error('it is an indexed directory, which the filesystem has not');
  else {
    state.indexed.add(inode.id);
    if (inode.size >= LARGE_FILE_BYTES) state.hasLargeDirectory = true;
  }
}

function checkSize(state: CheckState, inode: RawInode, claims: BlockClaims): void {
  if (inode.is('symlink') || claims.isIncomplete) return;
  const objection = inode.is('directory')
    ? directorySizeObjection(state, inode, claims)
    : fileSizeObjection(state, inode, claims);
  if (objection === undefined) return;
  state.error('inode-size', `inode ${inode.id}`, inode.offset, `its size is ${inode.size}, ${objection}`, [inode.id]);
}

function directorySizeObjection(state: CheckState, inode: RawInode, claims: BlockClaims): string | undefined {
  const { blockSize } = state.geometry;
  if (inode.has(INODE_FLAG.inlineData)) {
    const room = inlineDataBytes(inode) ?? I_BLOCK_BYTES;
    return room === inode.size ? undefined : `and it has ${room} bytes of inline data`;
  }
  if (inode.size % blockSize !== 0) return 'which is not a number of blocks';
  const blocks = divideDown(inode.size, blockSize);
  const there = claims.lastBlock + 1;
  if (blocks > there) return `and it has only ${there} blocks`;
  return there - blocks > state.superblock.preallocatedDirectoryBlocks ? `and it has ${there} blocks` : undefined;
}

function fileSizeObjection(state: CheckState, inode: RawInode, claims: BlockClaims): string | undefined {
  const { blockSize } = state.geometry;
  const last = claims.lastWritten;
  if (last >= 0 && inode.size < last * blockSize && !inode.has(INODE_FLAG.verity))
    return `and block ${last} of it was written`;
  if (state.has('extent') && inode.has(INODE_FLAG.extents))
    return inode.size > MAX_LOGICAL_BLOCKS * blockSize - 1 ? 'more than extents can map' : undefined;
  const perBlock = blockSize / 4;
  const most = (12 + perBlock + perBlock ** 2 + perBlock ** 3) * blockSize;
  return inode.size > most ? 'more than a block map can tell' : undefined;
}

function checkBlockCount(state: CheckState, inode: RawInode, claims: BlockClaims): void {
  if (state.superblock.creatorOs === CREATOR_HURD) return;
  const { geometry, ratio } = state;
  const inBlocks = inode.isCountedInBlocks(geometry, INODE_FLAG.hugeFile);
  const counted = claims.clusterCount * ratio * (inBlocks ? 1 : geometry.blockSize / 512);
  const stored = inode.blockCount(geometry);
  if (stored === counted && !(inBlocks && inode.field('blocksHigh') !== 0)) return;
  const message = `it counts ${stored} ${inBlocks ? 'blocks' : 'units of 512 bytes'}, and has ${counted}`;
  state.error('inode-block-count', `inode ${inode.id}`, inode.offset, message, [inode.id]);
}
