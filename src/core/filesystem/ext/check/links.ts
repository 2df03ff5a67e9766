import { INODE_FLAG } from '../inode-flags.ts';
import { BAD_BLOCKS_INODE, MAX_LINKS, ROOT_INODE } from './limits.ts';
import type { CheckState } from './state.ts';
import { readRawInode } from './value-inodes.ts';

/** Whether inodes count as many links as there are entries for them (e2fsck's pass 4). */
export async function checkLinks(state: CheckState): Promise<void> {
  const { superblock, geometry, usedInodes, imagic, storedLinks, countedLinks } = state;
  for (const id of storedLinks.keys()) {
    if (id === BAD_BLOCKS_INODE || (id > ROOT_INODE && id < geometry.firstInode)) continue;
    if (id === superblock.projectQuotaInode || id === superblock.orphanFileInode) continue;
    if (!usedInodes.has(id) || imagic.has(id)) continue;
    const counted = countedLinks.get(id);
    if (counted === 0) await checkUnnamed(state, id);
    else if (counted !== storedLinks.get(id)) await checkCount(state, id, counted);
  }
}

/** An inode without a name holds a value of attributes, or is lost. */
async function checkUnnamed(state: CheckState, id: number): Promise<void> {
  const references = state.valueReferences.get(id);
  const inode = await readRawInode(state, id);
  if (inode === undefined) return;
  if (references === 0 || !inode.has(INODE_FLAG.attributeInode)) {
    const message = 'no directory has an entry for it';
    // A directory without a parent is told as such.
    if (state.directories.has(id)) return;
    state.error('inode-unattached', `inode ${id}`, inode.offset, message, [id]);
    return;
  }
  // The count of references is where a file has its time of change and its version.
  const stored = unsigned(inode.time('changeTime')) * 2 ** 32 + inode.rest('version');
  if (stored !== references && inode.time('changeTime') !== inode.time('accessTime')) {
    const message = `it counts ${stored} attributes that have it as their value, and there are ${references}`;
    state.error('attribute-inode', `inode ${id}`, inode.offset, message, [id]);
  }
  if (inode.linkCount !== 1)
    state.error('link-count', `inode ${id}`, inode.offset, `it counts ${inode.linkCount} links, not 1`, [id]);
}

async function checkCount(state: CheckState, id: number, counted: number): Promise<void> {
  const stored = state.storedLinks.get(id);
  const isDirectory = state.directories.has(id);
  let expected = counted;
  if (isDirectory && counted > MAX_LINKS) {
    if (!state.has('dir_nlink'))
      state.error('link-count', `inode ${id}`, undefined, 'more subdirectories than the filesystem may have', [id]);
    expected = 1;
  }
  if (stored === expected) return;
  const inode = await readRawInode(state, id);
  // A directory that once had too many to count goes on with 1.
  if (isDirectory && stored === 1 && inode?.has(INODE_FLAG.indexed) === true) return;
  const message = `it counts ${stored} links, and there are ${counted}`;
  state.error('link-count', `inode ${id}`, inode?.offset, message, [id]);
}

function unsigned(value: number): number {
  return value < 0 ? value + 2 ** 32 : value;
}
