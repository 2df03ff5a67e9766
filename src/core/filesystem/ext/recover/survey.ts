import type { ReadOptions } from '../../../device/block-device.ts';
import type { BlockRun } from '../block-run.ts';
import { hasFlag, type Inode } from '../inode.ts';
import { blockRuns } from '../mapping.ts';
import type { ExtVolume } from '../volume.ts';
import type { JournalHistory } from './journal-history.ts';
import { SurveyedVolume } from './past-volume.ts';

/** What an inode that is no more says of its blocks. */
export interface Survey {
  /** Of the content, ascending in the file; and behind them each block that only told where they are. */
  readonly runs: readonly BlockRun[];
  /** How many of `runs` are of the content. */
  readonly contentRuns: number;
  /** Blocks of all runs. */
  readonly blocks: number;
  /** Whether blocks beside the inode had to be read to know. */
  readonly isIndirect: boolean;
  /** What speaks against it, in words: it cannot be whole then. */
  readonly contradiction: string | undefined;
}

/** The runs of one file that are kept. */
const MAX_RUNS = 2 ** 20;
/** The farthest that a file reaches, in blocks. */
const MAX_FILE_BLOCKS = 2 ** 32;

/** Whether an inode keeps its content, if it has any, in itself. */
export function isSelfContained(inode: Inode): boolean {
  if (hasFlag(inode, 'inlineData')) return true;
  if (inode.kind === 'file' || inode.kind === 'directory') return false;
  return inode.kind !== 'symlink' || inode.sectors === 0 || (inode.attributeBlock !== 0 && inode.size < 60);
}

/** Follows an inode's map of blocks, as it was after the transaction at `order` where a history is given. */
export async function surveyBlocks(
  present: ExtVolume,
  inode: Inode,
  history: JournalHistory | undefined,
  order: number | undefined,
  options?: ReadOptions,
): Promise<Survey> {
  const volume = new SurveyedVolume(present, history, order);
  const runs: BlockRun[] = [];
  let blocks = 0;
  let contradiction: string | undefined;
  if (!isSelfContained(inode)) {
    try {
      for await (const batch of blockRuns(volume, inode, { first: 0, end: MAX_FILE_BLOCKS }, options)) {
        for (const run of batch) {
          runs.push(run);
          blocks += run.count;
        }
        if (blocks > present.geometry.blockCount || runs.length > MAX_RUNS) {
          contradiction = 'it has more blocks than can be';
          break;
        }
      }
    } catch (error) {
      options?.signal?.throwIfAborted();
      contradiction = `its map of blocks is damaged (${(error as Error).message})`;
    }
  }
  const contentRuns = runs.length;
  for (const physical of volume.readBlockNumbers) runs.push({ logical: 0, physical, count: 1, unwritten: false });
  blocks += volume.readBlockNumbers.length;
  const isIndirect = volume.readBlockNumbers.length > 0;
  if (contradiction === undefined && volume.wrongSums > 0) contradiction = 'a checksum of its map of blocks is wrong';
  contradiction ??= countContradiction(present, inode, blocks);
  return { runs, contentRuns, blocks, isIndirect, contradiction };
}

/** The inode counts its blocks; where clusters are larger than blocks, the unit is another. */
function countContradiction({ geometry }: ExtVolume, inode: Inode, blocks: number): string | undefined {
  const { blockSize, clusterSize } = geometry;
  if (clusterSize !== blockSize || isSelfContained(inode)) return undefined;
  const counted = (inode.sectors * 512) / blockSize - (inode.attributeBlock === 0 ? 0 : 1);
  return counted === blocks ? undefined : `it counts ${counted} blocks, and its map has ${blocks}`;
}

/** Whether `older` says of each of its blocks what `newer` does: the newer one only has more behind. */
export function isWithin(older: readonly BlockRun[], newer: readonly BlockRun[]): boolean {
  let at = 0;
  for (const run of older) {
    for (let done = 0; done < run.count; ) {
      const logical = run.logical + done;
      while (at < newer.length && newer[at]!.logical + newer[at]!.count <= logical) at++;
      const other = newer[at];
      if (other === undefined || other.logical > logical) return false;
      if (other.physical - other.logical !== run.physical - run.logical) return false;
      done = other.logical + other.count - run.logical;
    }
  }
  return true;
}
