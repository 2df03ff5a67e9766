import { SparseBitSet } from '../../../bytes/sparse-bit-set.ts';
import { INODE_FLAG } from '../inode-flags.ts';
import { walkBlockMap } from './block-map.ts';
import { walkExtents } from './extent-map.ts';
import { inodeTableBlocks } from './groups.ts';
import type { RawInode } from './raw-inode.ts';
import type { CheckState } from './state.ts';

/** The list of bad blocks: none of them may be metadata, but those of inode tables, which are passed over. */
export async function checkBadBlocks(state: CheckState, inode: RawInode): Promise<void> {
  const structure = `inode ${inode.id}`;
  const problem = (code: string, offset: number | undefined, message: string): void =>
    state.error(code, structure, offset, `the list of bad blocks: ${message}`, [inode.id]);
  const take = (block: number, isMap: boolean): void => {
    const cluster = state.clusterOf(block);
    const isMetadata = state.metadataBlocks.has(block) && (isMap || !isInInodeTable(state, block));
    if (isMetadata) problem('bad-block-in-metadata', state.blockOffset(block), `block ${block} is metadata`);
    else if (isMap && state.usedClusters.has(cluster))
      problem('bad-block-in-metadata', undefined, `block ${block} is its own`);
    state.usedClusters.add(cluster);
  };
  const seen = new SparseBitSet();
  const sink = {
    problem,
    mapBlock: (block: number): boolean => {
      take(block, true);
      return seen.add(block);
    },
    run: (_logical: number, block: number, count: number): void => {
      for (let index = 0; index < count; index++) take(block + index, false);
    },
  };
  const isExtents = state.has('extent') && inode.has(INODE_FLAG.extents);
  await (isExtents ? walkExtents(state, inode, sink) : walkBlockMap(state, inode, sink));
}

function isInInodeTable(state: CheckState, block: number): boolean {
  const count = inodeTableBlocks(state);
  return state.groups.inodeTable.some((first) => block >= first && block < first + count);
}
