import { divideUp } from '../../../bytes/rounding.ts';
import type { ReadOptions } from '../../../device/block-device.ts';
import type { Certainty, RecoverableFile } from '../../recoverable-file.ts';
import type { FatFileSystem } from '../fat-file-system.ts';
import { clusterOffset, isDataCluster } from '../geometry.ts';
import { type DeletedEntry, deletedEntries, type SearchStart } from './deleted-entries.ts';
import { FreeCounts } from './free-counts.ts';
import { ClaimedRuns } from './overlaps.ts';

interface Judgement {
  readonly certainty: Certainty;
  readonly reason: string;
}

/**
 * Deleted files and directories. Their content is what the free clusters from the first one on hold (`FormerClusters`), and
 * how sure that is follows from who else lays claim to these clusters. The directories are read twice: all claims must be
 * known before one can be judged.
 */
export async function* deletedFiles(
  filesystem: FatFileSystem,
  starts: readonly SearchStart[],
  options?: ReadOptions,
): AsyncGenerator<RecoverableFile, void> {
  const runs = new ClaimedRuns();
  for await (const entry of deletedEntries(filesystem, starts, options)) {
    const count = clustersOf(filesystem, entry);
    runs.add(entry.firstCluster, entry.firstCluster + count, entry.stamp);
  }
  if (runs.count === 0) return;
  const overwritten = runs.overwritten();
  const free = await FreeCounts.read(filesystem.table, options);
  let index = 0;
  for await (const entry of deletedEntries(filesystem, starts, options)) {
    const isOverwritten = overwritten[index++] === 1;
    const { certainty, reason } = await judge(filesystem, entry, isOverwritten, free, options);
    const node = await filesystem.deletedNode(entry.id, options);
    yield { key: `entry-${entry.id}`, node, path: entry.path, source: 'directory entry', certainty, reason };
  }
}

/** How many clusters it had: of a deleted directory one is known. */
function clustersOf({ geometry }: FatFileSystem, { kind, size, firstCluster }: DeletedEntry): number {
  if (!isDataCluster(geometry, firstCluster)) return 0;
  return kind === 'directory' ? 1 : divideUp(size, geometry.clusterSize);
}

async function judge(
  filesystem: FatFileSystem,
  entry: DeletedEntry,
  isOverwritten: boolean,
  free: FreeCounts,
  options?: ReadOptions,
): Promise<Judgement> {
  const { geometry, device } = filesystem;
  const { firstCluster: first, kind } = entry;
  if (kind === 'file' && entry.size === 0) return { certainty: 'intact', reason: 'an empty file' };
  if (!isDataCluster(geometry, first))
    return { certainty: 'lost', reason: `no cluster has the number ${first} of its first` };
  if ((await free.between(first, first + 1, options)) === 0)
    return { certainty: 'lost', reason: `its first cluster ${first} is in use again` };
  if (kind === 'directory') return judgeDirectory(entry, isOverwritten);
  const count = clustersOf(filesystem, entry);
  const end = Math.min(first + count, geometry.maxCluster + 1);
  const missing = count - (await free.between(first, end, options));
  if (clusterOffset(geometry, end) > device.size)
    return { certainty: 'damaged', reason: 'a part of its place lies behind the end of the device' };
  if (missing > 0 && (await free.between(first, geometry.maxCluster + 1, options)) < count)
    return {
      certainty: 'damaged',
      reason: `${missing} of its ${count} clusters are in use, and too few free ones follow`,
    };
  if (missing > 0) {
    const reason = `${missing} of the ${count} clusters from ${first} on are in use: free ones behind them are taken instead`;
    return { certainty: 'damaged', reason };
  }
  if (isOverwritten)
    return { certainty: 'damaged', reason: 'another deleted file, not older, had a part of the same clusters' };
  const which =
    count === 1
      ? 'its cluster is free'
      : `the ${count} clusters from ${first} on are free, and it is taken to have had them in a row`;
  return { certainty: 'intact', reason: which };
}

function judgeDirectory({ firstCluster, isReadable }: DeletedEntry, isOverwritten: boolean): Judgement {
  if (!isReadable)
    return { certainty: 'lost', reason: `its first cluster ${firstCluster} begins no directory any more` };
  if (isOverwritten) return { certainty: 'damaged', reason: 'another deleted file, not older, had its first cluster' };
  return {
    certainty: 'likely',
    reason: 'its first cluster is free and begins a directory; how long it was is not told',
  };
}
