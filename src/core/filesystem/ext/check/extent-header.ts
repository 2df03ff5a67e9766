import { divideDown } from '../../../bytes/rounding.ts';
import { EXTENT_HEADER, EXTENT_MAGIC } from '../extent-node.ts';

const ENTRY_BYTES = 12;
/** e2fsprogs takes a node for whole with room for up to so many entries left at its end. */
const MAX_SPARE_ENTRIES = 2;

export interface ExtentHeader {
  readonly entryCount: number;
  readonly depth: number;
}

/** The header of a node of an extent tree that `bytes` are; undefined when they are none (ext2fs_extent_header_verify). */
export function parseExtentHeader(bytes: Uint8Array): ExtentHeader | undefined {
  // Not as a whole: there is one for every file.
  const word = (at: number): number => bytes[at]! + bytes[at + 1]! * 256;
  const { fields } = EXTENT_HEADER;
  const magic = word(fields.magic.offset);
  const entryCount = word(fields.entryCount.offset);
  const capacity = word(fields.capacity.offset);
  const depth = word(fields.depth.offset);
  const room = divideDown(bytes.length - EXTENT_HEADER.size, ENTRY_BYTES);
  const isSound =
    magic === EXTENT_MAGIC && entryCount <= capacity && capacity <= room && capacity >= room - MAX_SPARE_ENTRIES;
  return isSound ? { entryCount, depth } : undefined;
}
