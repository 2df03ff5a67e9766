import type { RecoverySource } from '../../recoverable-file.ts';
import type { Inode } from '../inode.ts';
import type { Survey } from './survey.ts';

/** A file that may be recovered, before it is known how sure that is. */
export interface Candidate {
  readonly key: string;
  readonly inode: Inode;
  readonly source: RecoverySource;
  /** A number for its file that all versions of it have; undefined for one that is met only once. */
  readonly file: number | undefined;
  /** The place in the history of the transaction that the inode is of; undefined for the filesystem as it is. */
  readonly order: number | undefined;
  /** Of the transaction that ended that content, where the journal has it. */
  readonly endOrder: number | undefined;
  /**
   * When it was deleted or replaced, for comparison: what is later has the better claim to a block. The place of a transaction in
   * the history; without a history the second.
   */
  readonly ended: number;
  /** The inode as it is now, when it is the same file and still there. */
  readonly living: Inode | undefined;
  /** Whether the inode is now another file's. */
  readonly isReused: boolean;
}

/** A candidate with what its inode says of its blocks. */
export interface Surveyed {
  readonly candidate: Candidate;
  readonly survey: Survey;
}
