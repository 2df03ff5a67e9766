import type { ReadOptions } from '../device/block-device.ts';
import type { OnProgress } from '../device/progress.ts';
import type { FileNode } from './filesystem.ts';

/**
 * How sure it is that the content is the file's own, from the best to the worst. `intact`: its blocks are still free, and all that
 * is known says that nobody had them since. `likely`: nothing speaks against it, but somebody may have had its blocks in between,
 * or their place is inferred by a rule. `damaged`: a part of its blocks has another owner, or is lost. `lost`: only its name and
 * facts are left.
 */
export const CERTAINTIES = ['intact', 'likely', 'damaged', 'lost'] as const;
export type Certainty = (typeof CERTAINTIES)[number];

/** Whether one is at least as sure as the other. */
export function isAtLeast(certainty: Certainty, least: Certainty): boolean {
  return CERTAINTIES.indexOf(certainty) <= CERTAINTIES.indexOf(least);
}

/** Where a deleted file, or an earlier version of one, was found. */
export type RecoverySource = 'inode' | 'directory entry' | 'journal' | 'lost chain' | 'orphan';

/** A file that no directory lists any more, or that is otherwise now, with what can still be said of it. */
export interface RecoverableFile {
  /** What tells it from all others in this filesystem, stable for one image; plain ASCII without blanks: `inode-12`, `journal-7-inode-12`. */
  readonly key: string;
  /** Its own node: kind, size, times and extents as they were. */
  readonly node: FileNode;
  /** Where it was: `/docs/a.txt`; the name alone where its directory is lost too; undefined when no name is left. Not yet safe for a terminal. */
  readonly path: string | undefined;
  readonly source: RecoverySource;
  readonly certainty: Certainty;
  /** Why it is no surer than that, for people. */
  readonly reason: string;
}

export interface RecoverableOptions extends ReadOptions {
  /** How far the search is, in bytes of the metadata that it reads. */
  readonly onProgress?: OnProgress | undefined;
}
