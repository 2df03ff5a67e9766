import { unsupported } from '../../errors.ts';
import { I_BLOCK_OFFSET, type Inode } from './inode.ts';
import { inodeXattrs } from './xattr.ts';

/** The attribute in the inode that holds what 60 bytes could not. */
export const INLINE_ATTRIBUTE = 'system.data';

export interface InlinePart {
  readonly bytes: Uint8Array;
  /** Byte offset in the device. */
  readonly offset: number;
}

/** The two places of inline data (kernel documentation, ext4 "Inline Data"): `i_block`, then the value of `system.data`. */
export function inlineDataParts(inode: Inode): InlinePart[] {
  const parts: InlinePart[] = [{ bytes: inode.iBlock, offset: inode.offset + I_BLOCK_OFFSET }];
  const rest = inodeXattrs(inode).find(({ name }) => name === INLINE_ATTRIBUTE);
  if (rest === undefined) return parts;
  if (rest.valueInode !== 0) {
    throw unsupported({
      layer: 'ext',
      structure: `${INLINE_ATTRIBUTE} of inode ${inode.id}`,
      offset: rest.offset,
      expected: 'inline data inside the inode',
      found: `a value in inode ${rest.valueInode}`,
    });
  }
  parts.push({ bytes: rest.value, offset: rest.valueOffset });
  return parts;
}
