import { INODE_FLAG } from '../inode-flags.ts';
import {
  BAD_BLOCKS_INODE,
  BOOT_LOADER_INODE,
  GROUP_QUOTA_INODE,
  JOURNAL_INODE,
  RESIZE_INODE,
  ROOT_INODE,
  USER_QUOTA_INODE,
} from './limits.ts';
import type { RawInode } from './raw-inode.ts';
import type { CheckState } from './state.ts';

/** What is to be done with an inode that is reserved for something: its blocks only, all of it as a file, or nothing more. */
export type SpecialUse = 'blocks' | 'file';

/** The inode numbers that hold quotas whether the feature is there or not. */
export function isQuotaInode({ superblock }: CheckState, id: number): boolean {
  return id === USER_QUOTA_INODE || id === GROUP_QUOTA_INODE || (id !== 0 && id === superblock.projectQuotaInode);
}

/** Numbers that no entry of a directory may name, although they are behind the reserved ones. */
export function isHiddenInode({ superblock }: CheckState, id: number): boolean {
  const { userQuotaInode, groupQuotaInode, projectQuotaInode, orphanFileInode } = superblock;
  return [userQuotaInode, groupQuotaInode, projectQuotaInode, orphanFileInode].includes(id);
}

/** Checks what is said of inodes with a meaning of their own. */
export function specialUse(state: CheckState, inode: RawInode): SpecialUse {
  const { superblock } = state;
  const { id } = inode;
  if (id === BAD_BLOCKS_INODE) return badBlocksUse(state, inode);
  if (id === ROOT_INODE) {
    if (!inode.is('directory')) error(state, inode, 'the root is not a directory');
    if (inode.deleteTime !== 0 && inode.linkCount > 0) error(state, inode, 'the root has a time of deletion');
    return 'file';
  }
  if (id === JOURNAL_INODE) return fileUse(state, inode, superblock.journalInode === JOURNAL_INODE, 'the journal');
  if (isQuotaInode(state, id)) {
    const { userQuotaInode, groupQuotaInode, projectQuotaInode } = superblock;
    const isNamed = [userQuotaInode, groupQuotaInode, projectQuotaInode].includes(id);
    return fileUse(state, inode, state.has('quota') && isNamed, 'a quota file');
  }
  if (id === superblock.orphanFileInode) return fileUse(state, inode, state.has('orphan_file'), 'the orphan file');
  if (id >= state.geometry.firstInode) return 'file';
  const isWrong =
    id === BOOT_LOADER_INODE
      ? inode.is('directory')
      : id === RESIZE_INODE
        ? inode.mode !== 0 && !inode.is('file')
        : inode.mode !== 0;
  if (isWrong) error(state, inode, `a reserved inode has the mode 0${inode.mode.toString(8)}`);
  return 'blocks';
}

function badBlocksUse(state: CheckState, inode: RawInode): SpecialUse {
  const isSet = inode.mode !== 0 || inode.linkCount !== 0 || inode.attributeBlock !== 0;
  if (isSet || inode.has(INODE_FLAG.inlineData)) error(state, inode, 'the inode of bad blocks is set like a file');
  return 'blocks';
}

/** An inode that is a file of the filesystem's own, or must be empty. */
function fileUse(state: CheckState, inode: RawInode, isInUse: boolean, what: string): SpecialUse {
  if (isInUse) {
    if (!inode.is('file')) error(state, inode, `${what} is not a regular file`);
    return 'blocks';
  }
  if (inode.linkCount !== 0 || inode.field('blocksLow') !== 0 || inode.block(0) !== 0)
    error(state, inode, `it is reserved for ${what}, which there is none of, and not empty`);
  return 'file';
}

function error(state: CheckState, inode: RawInode, message: string): void {
  state.error('reserved-inode', `inode ${inode.id}`, inode.offset, message, [inode.id]);
}
