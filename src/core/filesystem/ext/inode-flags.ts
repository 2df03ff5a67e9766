import { bitNumbers } from '../../bytes/bits.ts';

/** `i_flags` (kernel documentation, ext4 "Index Nodes", i_flags), bit number to word; lsattr's meaning. */
const WORDS: Readonly<Record<number, string>> = {
  0: 'secure-deletion',
  1: 'undeletable',
  2: 'compressed',
  3: 'synchronous',
  4: 'immutable',
  5: 'append-only',
  6: 'no-dump',
  7: 'no-atime',
  8: 'dirty',
  9: 'compressed-clusters',
  10: 'no-compression',
  11: 'encrypted',
  12: 'indexed',
  13: 'afs-directory',
  14: 'journal-data',
  15: 'no-tail-merging',
  16: 'synchronous-directory',
  17: 'top-of-hierarchy',
  18: 'huge-file',
  19: 'extents',
  20: 'verity',
  21: 'attribute-inode',
  22: 'eof-blocks',
  24: 'snapshot',
  25: 'dax',
  26: 'snapshot-deleted',
  27: 'snapshot-shrunk',
  28: 'inline-data',
  29: 'project-inherit',
  30: 'casefold',
};

/** The bit numbers that the reader itself acts on. */
export const INODE_FLAG = {
  immutable: 4,
  appendOnly: 5,
  encrypted: 11,
  indexed: 12,
  imagic: 13,
  hugeFile: 18,
  extents: 19,
  verity: 20,
  attributeInode: 21,
  inlineData: 28,
  casefold: 30,
} as const;

export function inodeFlagWords(flags: number): string[] {
  return bitNumbers(flags).map((bit) => WORDS[bit] ?? `flag-${bit}`);
}
