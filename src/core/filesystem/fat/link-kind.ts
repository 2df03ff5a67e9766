import { type FatGeometry, isDataCluster } from './geometry.ts';

/** The lowest end-of-chain mark of each entry width; the number before it marks a bad cluster (FAT specification section 4). */
const END_MARKS = { 12: 0xff8, 16: 0xfff8, 32: 0x0ffffff8 } as const;

/** `outside`: 1, or a number that no cluster has. */
export type LinkKind = 'free' | 'next' | 'end' | 'bad' | 'outside';

/** What the entry of a cluster says, by its value of 12, 16 or 28 bits. */
export function linkKind(geometry: FatGeometry, value: number): LinkKind {
  if (value === 0) return 'free';
  if (isDataCluster(geometry, value)) return 'next';
  const endMark = END_MARKS[geometry.entryBits];
  if (value >= endMark) return 'end';
  return value === endMark - 1 ? 'bad' : 'outside';
}
