import { DiskError } from '../../../errors.ts';
import { INLINE_ATTRIBUTE } from '../inline-data.ts';
import { INODE_FLAG } from '../inode-flags.ts';
import { inodeList } from './attribute-list.ts';
import { parseExtentHeader } from './extent-header.ts';
import type { RawInode } from './raw-inode.ts';
import type { CheckState } from './state.ts';

/** Whether the flags that say what i_block is fit each other, the filesystem, and what stands there. */
export function checkMapFlags(state: CheckState, inode: RawInode): void {
  const isInline = inode.has(INODE_FLAG.inlineData);
  const isExtents = inode.has(INODE_FLAG.extents);
  const error = (message: string): void =>
    state.error('inode-flags', `inode ${inode.id}`, inode.offset, message, [inode.id]);
  if (isInline && isExtents) error('it has extents and inline data at once');
  if (isInline && inode.id >= state.geometry.firstInode) {
    if (!state.has('inline_data')) error('it has inline data, which the filesystem has not');
    else if (!hasInlineAttribute(inode)) error('it has inline data, and no attribute for it');
  }
  if (isExtents && !state.has('extent')) error('it has extents, which the filesystem has not');
  const maps = inode.is('file') || inode.is('directory');
  if (!isExtents && !isInline && maps && state.has('extent') && parseExtentHeader(inode.iBlock) !== undefined)
    error('it has an extent tree, and not the flag for it');
}

function hasInlineAttribute(inode: RawInode): boolean {
  try {
    return inodeList(inode).some(({ name }) => name === INLINE_ATTRIBUTE);
  } catch (error) {
    if (error instanceof DiskError) return false;
    throw error;
  }
}
