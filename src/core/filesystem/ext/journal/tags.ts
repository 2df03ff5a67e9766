import { hasBit, joinHalves } from '../../../bytes/bits.ts';
import { viewOf } from '../../../bytes/struct.ts';
import type { Journal } from './journal.ts';
import {
  REVOKE_BLOCK,
  REVOKE_ENTRIES_OFFSET,
  TAG_FLAG,
  TAG_UUID_BYTES,
  TAGS_OFFSET,
  TAIL_BYTES,
} from './structures.ts';

/** What a descriptor block says of one copy. */
export interface Tag {
  /** The block of the filesystem that it is a copy of. */
  readonly target: number;
  /** Its first word is the journal's magic, and stands as 0 in the copy. */
  readonly isEscaped: boolean;
  /** 16 bits with `v2`, 32 with `v3`. */
  readonly checksum: number;
}

/** The tags of a descriptor block, in the order of the copies that follow it. */
export function parseTags(bytes: Uint8Array, journal: Journal): Tag[] {
  const view = viewOf(bytes);
  const { isWide, checksums } = journal;
  const isV3 = checksums === 'v3';
  const tagBytes = isV3 ? 16 : 8 + (checksums === 'v2' ? 2 : 0) + (isWide ? 4 : 0);
  const end = bytes.length - tailBytes(journal);
  const tags: Tag[] = [];
  for (let at = TAGS_OFFSET; at + tagBytes <= end; ) {
    const flags = view.getUint16(at + 6);
    tags.push({
      target: joinHalves(isWide ? view.getUint32(at + 8) : 0, view.getUint32(at)),
      isEscaped: hasBit(flags, TAG_FLAG.escaped),
      checksum: isV3 ? view.getUint32(at + 12) : view.getUint16(at + 4),
    });
    if (hasBit(flags, TAG_FLAG.last)) break;
    at += tagBytes + (hasBit(flags, TAG_FLAG.sameUuid) ? 0 : TAG_UUID_BYTES);
  }
  return tags;
}

/** The blocks of the filesystem whose copies up to here must not be written any more. */
export function parseRevoked(bytes: Uint8Array, { isWide }: Journal): number[] {
  const view = viewOf(bytes);
  const end = Math.min(REVOKE_BLOCK.parse(bytes).usedBytes, bytes.length);
  const entryBytes = isWide ? 8 : 4;
  const blocks: number[] = [];
  for (let at = REVOKE_ENTRIES_OFFSET; at + entryBytes <= end; at += entryBytes)
    blocks.push(isWide ? joinHalves(view.getUint32(at), view.getUint32(at + 4)) : view.getUint32(at));
  return blocks;
}

/** The bytes at the end of a descriptor or revoke block that are its checksum. */
export function tailBytes({ checksums }: Journal): number {
  return checksums === 'v2' || checksums === 'v3' ? TAIL_BYTES : 0;
}
