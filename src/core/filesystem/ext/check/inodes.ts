import { inodeChecksum, inodeSeed } from '../checksums.ts';
import { INODE_FLAG } from '../inode-flags.ts';
import { checkInodeAttributes } from './attributes.ts';
import { checkInodeBlocks } from './inode-blocks.ts';
import { inodesOf } from './inode-scan.ts';
import { checkKind } from './kinds.ts';
import { CREATOR_HURD, ROOT_INODE } from './limits.ts';
import { checkMapFlags } from './map-flags.ts';
import { markBad } from './mark-bad.ts';
import type { RawInode } from './raw-inode.ts';
import { isQuotaInode, specialUse } from './special-inodes.ts';
import type { CheckState } from './state.ts';

/** No filesystem reserves as many: `s_first_ino` is 11. */
const MAX_RESERVED_INODES = 1024;

/** Looks at every inode, and takes the blocks of those in use (e2fsck's pass 1). */
export async function checkInodes(state: CheckState, onInodes: (bytes: number) => void): Promise<void> {
  const { firstInode, inodeCount } = state.geometry;
  const reserved = Math.min(firstInode, inodeCount + 1, MAX_RESERVED_INODES);
  for (let id = 1; id < reserved; id++) if (id !== ROOT_INODE) state.usedInodes.add(id);
  if (state.superblock.orphanFileInode !== 0) state.usedInodes.add(state.superblock.orphanFileInode);
  if (state.superblock.projectQuotaInode !== 0) state.usedInodes.add(state.superblock.projectQuotaInode);
  const trustsLowTimes = lowTimesAreTimes(state);
  for await (const inodes of inodesOf(state)) {
    state.options.signal?.throwIfAborted();
    for (const inode of inodes) {
      const more = checkInode(state, inode, trustsLowTimes);
      if (more !== undefined) await more;
    }
    onInodes(inodes.length * state.geometry.inodeSize);
  }
}

/** A filesystem whose clock was never set has times that look like inode numbers. */
function lowTimesAreTimes({ superblock, geometry }: CheckState): boolean {
  const { writeTime, mountTime, creationTime } = superblock;
  return [writeTime, mountTime, creationTime].some((time) => time !== 0 && time < geometry.inodeCount);
}

function checkInode(state: CheckState, inode: RawInode, trustsLowTimes: boolean): Promise<void> | undefined {
  const { geometry } = state;
  const { id } = inode;
  const structure = `inode ${id}`;
  if (geometry.checksumSeed !== undefined) {
    const sum = inodeChecksum(inode.bytes, inodeSeed(inode, geometry.checksumSeed));
    if (sum.stored !== sum.computed) state.sum(structure, inode.offset, sum, [id]);
  }
  if (inode.deleteTime !== 0 && inode.deleteTime < geometry.inodeCount && !trustsLowTimes) {
    const message = `it was on the list of orphans: its time of deletion, ${inode.deleteTime}, is an inode's number`;
    state.error('inode-orphan', structure, inode.offset, message, [id]);
  }
  if (inode.linkCount > 0) state.storedLinks.set(id, inode.linkCount);
  else if (id >= geometry.firstInode && !isQuotaInode(state, id)) {
    if (inode.deleteTime === 0 && inode.mode !== 0)
      state.error('inode-deletion-time', structure, inode.offset, 'it is deleted, and has no time of deletion', [id]);
    return undefined;
  }
  checkMapFlags(state, inode);
  if (specialUse(state, inode) === 'blocks') return checkInodeBlocks(state, inode, 0);
  if (inode.linkCount === 0) return undefined;
  return checkFile(state, inode);
}

/** An inode that is a file, or a directory, of somebody. */
function checkFile(state: CheckState, inode: RawInode): Promise<void> | undefined {
  const { id } = inode;
  state.usedInodes.add(id);
  if (inode.deleteTime !== 0)
    state.error('inode-deletion-time', `inode ${id}`, inode.offset, 'it is in use, and has a time of deletion', [id]);
  checkHighFields(state, inode);
  if (inode.has(INODE_FLAG.imagic)) {
    if (state.has('imagic_inodes')) state.imagic.add(id);
    else state.error('inode-flags', `inode ${id}`, inode.offset, 'it has the flag of AFS', [id]);
  }
  if (inode.has(INODE_FLAG.casefold)) {
    if (!inode.is('directory'))
      state.error('inode-flags', `inode ${id}`, inode.offset, 'casefold, and no directory', [id]);
    else if (!state.has('casefold'))
      state.error('inode-flags', `inode ${id}`, inode.offset, 'casefold, which the filesystem has not', [id]);
    else state.casefolded.add(id);
  }
  const attributes = checkInodeAttributes(state, inode);
  if (typeof attributes === 'number') {
    const kind = checkKind(state, inode);
    if (kind === undefined) return checkInodeBlocks(state, inode, attributes);
    return kind.then(() => checkInodeBlocks(state, inode, attributes));
  }
  return attributes.then(async (valueClusters) => {
    await checkKind(state, inode);
    await checkInodeBlocks(state, inode, valueClusters);
  });
}

function checkHighFields(state: CheckState, inode: RawInode): void {
  const isHurd = state.superblock.creatorOs === CREATOR_HURD;
  const bad = (message: string): void => markBad(state, inode, message);
  if (inode.rest('fragmentAddress') !== 0) bad('it has the address of a fragment');
  if (inode.is('directory') && inode.field('sizeHigh') !== 0 && !state.has('large_dir'))
    bad('a directory has a size above 4 GiB');
  if (isHurd) return;
  if (!state.has('64bit') && inode.field('attributeBlockHigh') !== 0)
    bad('the block of its attributes has more than 32 bits');
  if (!state.has('huge_file') && inode.field('blocksHigh') !== 0) bad('its count of blocks has more than 32 bits');
}
