import { INODE_FLAG } from '../inode-flags.ts';
import { walkBlockMap } from './block-map.ts';
import { walkExtents } from './extent-map.ts';
import { inodesOf } from './inode-scan.ts';
import { RESIZE_INODE } from './limits.ts';
import type { RawInode } from './raw-inode.ts';
import type { CheckState } from './state.ts';

/** Clusters whose owners are looked for; of more, only their number is told. */
const MAX_CLUSTERS = 50_000;
const MAX_OWNERS = 8;
/** Clusters looked at, each as often as it is claimed: a hostile map claims the same without end. */
const MAX_VISITS = 20_000_000;

/** Finds the owners of what more than one thing claims: all maps are read again, which only a damaged filesystem costs (e2fsck's pass 1B). */
export async function tellSharedBlocks(state: CheckState): Promise<void> {
  if (!state.hasShared) return;
  const owners = new Map<number, number[]>();
  let visits = 0;
  const note = (block: number, count: number, id: number): void => {
    const first = state.clusterOf(block);
    const length = state.clusterOf(block + count - 1) - first + 1;
    if (visits > MAX_VISITS || !state.sharedClusters.hasAny(first, length)) return;
    visits += length;
    for (let cluster = first; cluster < first + length; cluster++) {
      if (!state.sharedClusters.has(cluster)) continue;
      const here = owners.get(cluster);
      if (here === undefined) {
        if (owners.size < MAX_CLUSTERS) owners.set(cluster, [id]);
      } else if (here.length < MAX_OWNERS && here.at(-1) !== id) here.push(id);
    }
  };
  for await (const inodes of inodesOf(state)) {
    state.options.signal?.throwIfAborted();
    for (const inode of inodes) await noteBlocks(state, inode, note);
  }
  tellRuns(state, owners);
}

async function noteBlocks(
  state: CheckState,
  inode: RawInode,
  note: (block: number, count: number, id: number) => void,
): Promise<void> {
  const { id } = inode;
  if (!state.usedInodes.has(id) || id === RESIZE_INODE) return;
  if (inode.attributeBlock !== 0 && state.hasBlock(inode.attributeBlock)) note(inode.attributeBlock, 1, id);
  if (!inode.mapsBlocks(INODE_FLAG.inlineData)) return;
  const seen = new Set<number>();
  const sink = {
    problem: (): void => undefined,
    mapBlock: (block: number): boolean => {
      note(block, 1, id);
      // A block of another owner was not followed in the first place.
      if (seen.has(block) || state.sharedClusters.has(state.clusterOf(block))) return false;
      seen.add(block);
      return true;
    },
    run: (_logical: number, block: number, count: number): void => note(block, count, id),
  };
  const isExtents = state.has('extent') && inode.has(INODE_FLAG.extents);
  await (isExtents ? walkExtents(state, inode, sink) : walkBlockMap(state, inode, sink));
}

/** Consecutive clusters of the same owners are one finding. */
function tellRuns(state: CheckState, owners: ReadonlyMap<number, readonly number[]>): void {
  const clusters = [...owners.keys()].sort((left, right) => left - right);
  for (let index = 0; index < clusters.length; ) {
    const first = clusters[index]!;
    const key = owners.get(first)!.join();
    let count = 1;
    while (clusters[index + count] === first + count && owners.get(first + count)!.join() === key) count++;
    tell(state, first, count, owners.get(first)!);
    index += count;
  }
  if (owners.size === 0)
    state.error('block-claimed-twice', 'filesystem', undefined, 'blocks are claimed more than once');
}

function tell(state: CheckState, first: number, count: number, ids: readonly number[]): void {
  const block = first * state.ratio;
  const last = (first + count) * state.ratio - 1;
  let isMetadata = false;
  for (let at = block; at <= last && !isMetadata; at++) isMetadata = state.metadataBlocks.has(at);
  const names = ids.map((id) => `inode ${id}`);
  if (isMetadata) names.push('metadata of the filesystem');
  const range = block === last ? `block ${block} is` : `blocks ${block} to ${last} are`;
  const whose = names.length === 1 ? `twice by ${names[0]}` : `by ${names.join(' and by ')}`;
  const structure = block === last ? `block ${block}` : `blocks ${block} to ${last}`;
  state.error('block-claimed-twice', structure, state.blockOffset(block), `${range} claimed ${whose}`, ids);
}
