import { bitNumbers } from '../../bytes/bits.ts';
import { unsupported } from '../../errors.ts';
import type { FileSystemType } from '../filesystem.ts';

/** Feature names by bit number, as dumpe2fs prints them (kernel documentation, ext4 "Super Block", feature flags). */
const COMPATIBLE: Readonly<Record<number, string>> = {
  0: 'dir_prealloc',
  1: 'imagic_inodes',
  2: 'has_journal',
  3: 'ext_attr',
  4: 'resize_inode',
  5: 'dir_index',
  6: 'lazy_bg',
  8: 'snapshot_bitmap',
  9: 'sparse_super2',
  10: 'fast_commit',
  11: 'stable_inodes',
  12: 'orphan_file',
};
const INCOMPATIBLE: Readonly<Record<number, string>> = {
  0: 'compression',
  1: 'filetype',
  2: 'needs_recovery',
  3: 'journal_dev',
  4: 'meta_bg',
  6: 'extent',
  7: '64bit',
  8: 'mmp',
  9: 'flex_bg',
  10: 'ea_inode',
  12: 'dirdata',
  13: 'metadata_csum_seed',
  14: 'large_dir',
  15: 'inline_data',
  16: 'encrypt',
  17: 'casefold',
};
const READ_ONLY_COMPATIBLE: Readonly<Record<number, string>> = {
  0: 'sparse_super',
  1: 'large_file',
  2: 'btree_dir',
  3: 'huge_file',
  4: 'uninit_bg',
  5: 'dir_nlink',
  6: 'extra_isize',
  7: 'snapshot',
  8: 'quota',
  9: 'bigalloc',
  10: 'metadata_csum',
  11: 'replica',
  12: 'read-only',
  13: 'project',
  14: 'shared_blocks',
  15: 'verity',
  16: 'orphan_present',
};

/** What a reader must understand, and this one does. */
const READABLE_INCOMPATIBLE: ReadonlySet<string> = new Set([
  'filetype',
  'needs_recovery',
  'meta_bg',
  'extent',
  '64bit',
  'mmp',
  'flex_bg',
  'ea_inode',
  'metadata_csum_seed',
  'large_dir',
  'inline_data',
  'encrypt',
  'casefold',
]);

/** The rule of blkid: what the ext2 and the ext3 driver of Linux can mount is called so, everything beyond is ext4. */
const EXT3_INCOMPATIBLE: ReadonlySet<string> = new Set(['filetype', 'needs_recovery', 'meta_bg']);
const EXT2_INCOMPATIBLE: ReadonlySet<string> = new Set(['filetype', 'meta_bg']);
const EXT23_READ_ONLY: ReadonlySet<string> = new Set(['sparse_super', 'large_file', 'btree_dir']);

export interface Features {
  readonly compatible: ReadonlySet<string>;
  readonly incompatible: ReadonlySet<string>;
  readonly readOnlyCompatible: ReadonlySet<string>;
}

/** The three feature words as names; an unknown bit is named as dumpe2fs does: `FEATURE_I31`. */
export function featuresOf(compatible: number, incompatible: number, readOnlyCompatible: number): Features {
  return {
    compatible: namesOf(compatible, COMPATIBLE, 'C'),
    incompatible: namesOf(incompatible, INCOMPATIBLE, 'I'),
    readOnlyCompatible: namesOf(readOnlyCompatible, READ_ONLY_COMPATIBLE, 'R'),
  };
}

function namesOf(word: number, names: Readonly<Record<number, string>>, letter: string): ReadonlySet<string> {
  return new Set(bitNumbers(word).map((bit) => names[bit] ?? `FEATURE_${letter}${bit}`));
}

/** Refuses, by name, every incompatible feature that this reader does not know; `offset` is the feature word's place. */
export function requireReadable(features: Features, offset: number): void {
  const unknown = [...features.incompatible].filter((name) => !READABLE_INCOMPATIBLE.has(name));
  if (unknown.length === 0) return;
  throw unsupported({
    layer: 'ext',
    structure: 'superblock incompatible features',
    offset,
    expected: `only ${[...READABLE_INCOMPATIBLE].join(', ')}`,
    found: unknown.map((name) => (name === 'journal_dev' ? 'journal_dev (an external journal)' : name)).join(', '),
  });
}

/** `ext2`, `ext3` or `ext4`, by the rule that blkid uses. */
export function typeOf(features: Features): FileSystemType {
  const only = (used: ReadonlySet<string>, known: ReadonlySet<string>): boolean =>
    [...used].every((name) => known.has(name));
  if (!only(features.readOnlyCompatible, EXT23_READ_ONLY)) return 'ext4';
  const journal = features.compatible.has('has_journal');
  if (journal) return only(features.incompatible, EXT3_INCOMPATIBLE) ? 'ext3' : 'ext4';
  return only(features.incompatible, EXT2_INCOMPATIBLE) ? 'ext2' : 'ext4';
}
