import { inodeXattrs, type Xattr } from '../xattr.ts';
import type { RawInode } from './raw-inode.ts';

const BASE_BYTES = 128;

/** Where attributes inside an inode begin; undefined when there is no room, or `i_extra_isize` makes no sense. */
export function attributesAt(inode: RawInode): number | undefined {
  if (inode.bytes.length <= BASE_BYTES) return undefined;
  const extra = inode.field('extraSize');
  if (extra === 0 || extra % 4 !== 0 || BASE_BYTES + extra + 4 >= inode.bytes.length) return undefined;
  return BASE_BYTES + extra;
}

/** The attributes in the inode itself, by the reader's own parser: throws CORRUPT for a list that makes no sense. */
export function inodeList(inode: RawInode): Xattr[] {
  const { bytes, offset } = inode;
  return inodeXattrs({ bytes, offset, attributesAt: attributesAt(inode) ?? bytes.length });
}
