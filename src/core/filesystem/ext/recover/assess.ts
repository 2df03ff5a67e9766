import type { ReadOptions } from '../../../device/block-device.ts';
import type { Certainty } from '../../recoverable-file.ts';
import { hasFlag, INODE, type Inode } from '../inode.ts';
import type { BlockUse } from './block-use.ts';
import type { Surveyed } from './candidate.ts';
import type { Claims } from './claims.ts';
import type { DeletedInodes } from './deleted-inodes.ts';
import type { JournalHistory } from './journal-history.ts';
import type { StoredBlocks } from './stored-blocks.ts';
import { isSelfContained, isWithin, type Survey } from './survey.ts';

export interface Verdict {
  readonly certainty: Certainty;
  readonly reason: string;
}

/** All that a verdict may be founded on. */
export interface Evidence {
  readonly stored: StoredBlocks;
  readonly use: BlockUse;
  readonly claims: Claims;
  readonly history: JournalHistory | undefined;
  readonly deleted: DeletedInodes;
  /** Of the file as it is now, where it is still there. */
  readonly livingSurvey: Survey | undefined;
}

/** How sure it is that what can be read of a candidate is its own. What speaks against it is asked before what speaks for it. */
export async function assess(surveyed: Surveyed, evidence: Evidence, options?: ReadOptions): Promise<Verdict> {
  const { candidate, survey } = surveyed;
  const { inode } = candidate;
  if (isSelfContained(inode)) return ofItself(surveyed);
  if (survey.contradiction !== undefined) return { certainty: 'damaged', reason: survey.contradiction };
  if (survey.blocks === 0) return ofNothing(surveyed);
  const { set, total } = await evidence.use.tally(survey.runs, options);
  const content = survey.runs.slice(0, survey.contentRuns);
  if (candidate.source === 'orphan') {
    if (set === total)
      return { certainty: 'intact', reason: 'it has no name any more, but its blocks are still its own' };
    return {
      certainty: 'damaged',
      reason: `${total - set} of its ${total} blocks are free, though it still has its inode`,
    };
  }
  const own = evidence.livingSurvey === undefined ? 0 : sharedBlocks(survey, evidence.livingSurvey);
  if (set > own) return { certainty: 'damaged', reason: `${set - own} of its ${total} blocks are in use by others` };
  const claimed = evidence.claims.countOthers(surveyed);
  if (claimed > 0)
    return { certainty: 'damaged', reason: `${claimed} of its ${total} blocks were another deleted file's as well` };
  if (own > 0)
    return { certainty: 'likely', reason: 'blocks of it are still its own, and may have been written since' };
  if (evidence.claims.isSharedWithOwn(surveyed))
    return { certainty: 'likely', reason: 'a later version of the file has had blocks of it' };
  if (!(await evidence.stored.hasAll(content, options)))
    return {
      certainty: 'likely',
      reason: 'the image stores nothing at some of its blocks: they may have been discarded',
    };
  return freedVerdict(surveyed, evidence, options);
}

/** All blocks are free, and nobody is known to have had them since: is it known that nobody had? */
async function freedVerdict(
  { candidate, survey }: Surveyed,
  { history, use, deleted, claims }: Evidence,
  options?: ReadOptions,
): Promise<Verdict> {
  const { order, endOrder, inode } = candidate;
  if (history !== undefined && endOrder !== undefined && (await use.wasReused(survey.runs, endOrder, options)))
    return { certainty: 'damaged', reason: 'others had blocks of it in the meantime' };
  if (claims.isFull)
    return { certainty: 'likely', reason: 'its blocks are free; too many files were deleted to compare' };
  const isKnown = order !== undefined && endOrder !== undefined && history?.isGaplessFrom(order) === true;
  if (isKnown) return { certainty: 'intact', reason: 'its blocks are free, and were all the time by the journal' };
  const { lastWrite, lastWriteOfOthers } = deleted;
  const written = lastWrite.id === inode.id ? lastWriteOfOthers : lastWrite.second;
  const ended = inode.times.deleted?.seconds;
  if (ended !== undefined && written < ended)
    return { certainty: 'intact', reason: 'its blocks are free, and no file was written since' };
  return { certainty: 'likely', reason: 'its blocks are free, but files were written since it was deleted' };
}

/** The content is in the inode; the kernel clears it with the inode. */
function ofItself({ candidate: { inode, source, order } }: Surveyed): Verdict {
  const hasContent = inode.kind === 'file' || inode.kind === 'symlink' || inode.kind === 'directory';
  if (order === undefined && source !== 'orphan' && hasContent && inode.size === 0) return cleared;
  if (isClearedLink(inode)) return { certainty: 'lost', reason: 'where it led was cleared when it was deleted' };
  return { certainty: 'intact', reason: 'its inode has all of it' };
}

/** The kernel leaves the size of a link that is in its inode, and clears what the inode had in it. */
function isClearedLink(inode: Inode): boolean {
  if (inode.kind !== 'symlink' || hasFlag(inode, 'inlineData')) return false;
  return inode.iBlock.subarray(0, inode.size).includes(0);
}

const cleared: Verdict = {
  certainty: 'lost',
  reason: 'its size and the place of its content were cleared when it was deleted',
};

/** No blocks: an empty file, one of holes alone, or one whose map was cleared. */
function ofNothing({ candidate: { inode, source, order } }: Surveyed): Verdict {
  if (order === undefined && source !== 'orphan') {
    if (inode.size === 0) return cleared;
    return { certainty: 'likely', reason: 'it has no blocks: all of it is a hole, or its map was cleared' };
  }
  return { certainty: 'intact', reason: inode.size === 0 ? 'it was empty' : 'all of it is a hole' };
}

/** Blocks of an earlier version that the file still has, wherever in it. */
function sharedBlocks(older: Survey, living: Survey): number {
  let shared = 0;
  for (const run of older.runs) {
    for (const { physical, count } of living.runs) {
      const from = Math.max(run.physical, physical);
      shared += Math.max(0, Math.min(run.physical + run.count, physical + count) - from);
    }
  }
  return shared;
}

/** Whether a later state of the file has all of this one at the same places, as after an append. */
export function isContinuedBy(older: Surveyed, newer: Surveyed): boolean {
  const [one, other] = [older.candidate.inode, newer.candidate.inode];
  if (one.kind !== other.kind || one.size > other.size || isSelfContained(one) !== isSelfContained(other)) return false;
  if (isSelfContained(one)) return one.size === other.size && hasSameData(one, other);
  const content = ({ survey }: Surveyed) => survey.runs.slice(0, survey.contentRuns);
  return isWithin(content(older), content(newer));
}

/** Inline data begins in the place of the map and goes on behind all fields. */
function hasSameData(one: Inode, other: Inode): boolean {
  const rest = ({ bytes }: Inode): Uint8Array => bytes.subarray(INODE.size);
  return Buffer.compare(one.iBlock, other.iBlock) === 0 && Buffer.compare(rest(one), rest(other)) === 0;
}
