import type { ReadOptions } from '../device/block-device.ts';
import type { OnProgress } from '../device/progress.ts';

/** `error`: the filesystem is not consistent; `warning`: odd, and put right in passing or left as it is by the real checker, whose verdict it does not change; `note`: worth knowing. */
export type Severity = 'error' | 'warning' | 'note';

/** One thing that a check of a filesystem found. Its verdict is "clean" when none of them is an error. */
export interface Finding {
  readonly severity: Severity;
  /** What kind of thing it is, the same in every release, in kebab-case: `block-claimed-twice`. */
  readonly code: string;
  /** The structure that it was found in: `inode 12`, `group descriptor 3`, `FAT entry of cluster 77`. */
  readonly structure: string;
  /** Of that structure, or of the field, in bytes of the filesystem's device; undefined for what has no one place. */
  readonly offset?: number | undefined;
  readonly message: string;
  /** Paths of the files that it concerns, where they are known; a block that two files claim has both. Not yet safe for a terminal. */
  readonly owners?: readonly string[] | undefined;
}

export interface CheckOptions extends ReadOptions {
  /** How far the check is, in bytes of the metadata that it reads. */
  readonly onProgress?: OnProgress | undefined;
}
