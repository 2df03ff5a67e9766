import { DiskError } from '../../../errors.ts';
import { INLINE_ATTRIBUTE } from '../inline-data.ts';
import { I_BLOCK_BYTES } from '../inode.ts';
import { inodeList } from './attribute-list.ts';
import type { RawInode } from './raw-inode.ts';

/** What of inline data did not fit `i_block`. */
export interface InlineRest {
  readonly bytes: Uint8Array;
  readonly offset: number;
}

/** The attribute that holds the rest of inline data; undefined when it is not there, or no reader could find it. */
export function inlineRest(inode: RawInode): InlineRest | undefined {
  try {
    const found = inodeList(inode).find(({ name }) => name === INLINE_ATTRIBUTE);
    return found === undefined ? undefined : { bytes: found.value, offset: found.valueOffset };
  } catch (error) {
    if (error instanceof DiskError) return undefined;
    throw error;
  }
}

/** How much room inline data takes; undefined without it. */
export function inlineDataBytes(inode: RawInode): number | undefined {
  const rest = inlineRest(inode);
  return rest === undefined ? undefined : I_BLOCK_BYTES + rest.bytes.length;
}
