import { DiskError, faultText } from '../../../errors.ts';
import type { CheckOptions, Finding } from '../../finding.ts';
import { type Claim, ClusterClaims } from '../cluster-claims.ts';
import { usedFatBytes } from '../fat-copies.ts';
import type { FatFileSystem } from '../fat-file-system.ts';
import { type LostChain, lostChains } from '../lost-chains.ts';
import { checkBootSector, checkFsInfo, checkVolumeState } from './boot-check.ts';
import { clusters, linkPlace } from './chain-check.ts';
import { checkLabels } from './label-check.ts';
import type { ScannedEntry } from './scanned-entry.ts';
import { checkTables, type TableFacts } from './table-check.ts';
import { TreeScan } from './tree-scan.ts';

/** Shared clusters whose first owner is looked for; of more, only the second is told. */
const MAX_SHARED = 10_000;

/** A chain that came to a cluster of another file. */
interface Shared {
  readonly entry: ScannedEntry;
  readonly claim: Claim;
  /** Who had it first, and how many clusters into it; filled by the second scan. */
  owner?: string;
  index?: number;
}

/**
 * The check of a FAT, its verdict that of `fsck.fat -n` (dosfstools 4.2): the boot sector, the FATs, every directory and
 * chain, labels, chains that nobody has, the volume's state and its count of free clusters. It keeps one bit for each
 * cluster in use; who shares a cluster is found by a second scan, which only a damaged volume needs.
 */
export async function* checkFat(filesystem: FatFileSystem, options: CheckOptions = {}): AsyncGenerator<Finding, void> {
  const { device, geometry, table } = filesystem;
  const unit = usedFatBytes(geometry);
  const total = 3 * unit;
  options.onProgress?.({ done: 0, total });
  const facts: TableFacts = { free: 0, used: 0 };
  const part = (findings: AsyncIterable<Finding>): AsyncIterable<Finding> => tolerant(findings);
  yield* part(checkBootSector(device, table, options));
  yield* part(checkTables(device, table, facts, options));
  options.onProgress?.({ done: unit, total });
  const claims = new ClusterClaims(table);
  const shared: Shared[] = [];
  const queue: Finding[] = [];
  const scan = new TreeScan(device, claims, filesystem.codePage, {
    find: (finding) => queue.push(finding),
    shared: (entry, claim) => {
      if (shared.length < MAX_SHARED) shared.push({ entry, claim });
      else queue.push(sharedFinding(filesystem, { entry, claim }));
    },
  });
  for await (const _ of scan.run(options)) {
    yield* queue.splice(0);
    options.onProgress?.({ done: unit + unit * Math.min(1, claims.count / Math.max(1, facts.used)), total });
  }
  yield* queue.splice(0);
  if (shared.length > 0) await findFirstOwners(filesystem, shared, options);
  for (const one of shared) yield sharedFinding(filesystem, one);
  yield* part(checkLabels(filesystem, options));
  options.onProgress?.({ done: 2 * unit, total });
  for await (const chain of lostChains(table, claims, options)) yield lostFinding(filesystem, chain);
  yield* part(checkVolumeState(device, table, options));
  yield* part(checkFsInfo(device, table, facts.free, options));
  options.onProgress?.({ done: total, total });
}

/** What is damaged so that a part cannot go on is a finding too; a failing device is not. */
async function* tolerant(findings: AsyncIterable<Finding>): AsyncGenerator<Finding, void> {
  try {
    yield* findings;
  } catch (error) {
    if (!(error instanceof DiskError) || error.code === 'IO') throw error;
    const { structure = 'filesystem', offset } = error;
    yield { severity: 'error', code: 'unreadable', structure, offset, message: faultText(error) };
  }
}

/** Scans anew, and notes who claims the clusters that were shared. */
async function findFirstOwners(
  filesystem: FatFileSystem,
  shared: readonly Shared[],
  options: CheckOptions,
): Promise<void> {
  const wanted = new Map<number, Shared[]>();
  for (const one of shared) {
    const same = wanted.get(one.claim.at);
    if (same === undefined) wanted.set(one.claim.at, [one]);
    else same.push(one);
  }
  let path = '';
  let index = 0;
  const claims = new ClusterClaims(filesystem.table, (cluster) => {
    for (const one of wanted.get(cluster) ?? []) {
      one.owner = path;
      one.index = index;
    }
    index++;
  });
  const scan = new TreeScan(filesystem.device, claims, filesystem.codePage, {
    find: () => undefined,
    shared: () => undefined,
    claiming: (entry) => {
      path = entry.path;
      index = 0;
    },
  });
  for await (const _ of scan.run(options)) if (options.signal?.aborted === true) break;
  options.signal?.throwIfAborted();
}

function sharedFinding({ table, geometry }: FatFileSystem, { entry, claim, owner, index = 0 }: Shared): Finding {
  const second = `${claim.count * geometry.clusterSize} bytes into the ${owner === undefined ? 'file' : 'second'}`;
  const place = owner === undefined ? second : `${index * geometry.clusterSize} bytes into the first and ${second}`;
  const message = `cluster ${claim.at} and what follows it belong to two files, ${place}`;
  const owners = owner === undefined ? [entry.path] : [owner, entry.path];
  return { severity: 'error', code: 'cross-link', ...linkPlace(entry, claim, table), message, owners };
}

function lostFinding({ table, geometry }: FatFileSystem, { first, count, stop, at }: LostChain): Finding {
  const ends = stop === 'end' ? '' : `; it ${LOST_ENDS[stop]} ${at}`;
  const use = count === 1 ? 'is in use, and no file has it' : 'are in use, and no file has them';
  const message = `${clusters(count)} from ${first} on (${count * geometry.clusterSize} bytes) ${use}${ends}`;
  const structure = `FAT entry of cluster ${first}`;
  return { severity: 'error', code: 'lost-chain', structure, offset: table.entryOffset(first), message };
}

const LOST_ENDS = {
  free: 'leads to the free cluster',
  bad: 'leads to the bad cluster',
  outside: 'leads to a cluster that there is not,',
  loop: 'comes back to its own cluster',
  claimed: "leads to another chain's cluster",
  cut: 'is cut off with the FAT, before the entry of cluster',
} as const;
