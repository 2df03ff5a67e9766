import { divideDown } from '../../../bytes/rounding.ts';
import { descriptorBlockCount, hasSuperblock } from '../geometry.ts';
import { inodeTableBlocks } from './groups.ts';
import type { CheckState } from './state.ts';

/** Takes the blocks of superblocks, descriptors, bitmaps and inode tables; two of them in one place are told. */
export function reserveBlocks(state: CheckState): void {
  const { geometry, groups } = state;
  const tableBlocks = inodeTableBlocks(state);
  const take = (group: number, what: string, first: number, count: number): void => {
    if (!state.hasBlock(first) || first + count > geometry.blockCount) return;
    if (!state.metadataBlocks.addNew(first, count)) {
      state.error('metadata-overlap', `group ${group}`, state.blockOffset(first), `its ${what} lies on other metadata`);
      state.metadataBlocks.fill(first, count);
      // What lies on something else is no table, and many of them in one place would be read again and again.
      if (what === 'inode table') state.lostTables.add(group);
    }
    markUsed(state, first, count);
  };
  if (geometry.blockSize === 1024 && geometry.firstDataBlock === 0) {
    state.metadataBlocks.fill(0, 1);
    markUsed(state, 0, 1);
  }
  // All copies first: a bitmap that lies on one is what is wrong.
  for (let group = 0; group < geometry.groupCount; group++) reserveCopies(state, group);
  for (let group = 0; group < geometry.groupCount; group++) {
    take(group, 'inode table', groups.inodeTable[group]!, tableBlocks);
    take(group, 'block bitmap', groups.blockBitmap[group]!, 1);
    take(group, 'inode bitmap', groups.inodeBitmap[group]!, 1);
  }
}

function reserveCopies(state: CheckState, group: number): void {
  for (const [first, count] of copyBlocks(state, group)) {
    const inside = Math.min(count, state.geometry.blockCount - first);
    if (inside <= 0) continue;
    state.metadataBlocks.fill(first, inside);
    markUsed(state, first, inside);
  }
}

/** The blocks of a group that hold a copy of the superblock and of descriptors (ext2fs_super_and_bgd_loc2). */
function copyBlocks(state: CheckState, group: number): [number, number][] {
  const { geometry, superblock } = state;
  const { blockSize, firstDataBlock, blocksPerGroup } = geometry;
  const isShifted = group === 0 && blockSize === 1024 && firstDataBlock === 0;
  const start = firstDataBlock + group * blocksPerGroup + (isShifted ? 1 : 0);
  const perBlock = blockSize / geometry.descriptorSize;
  const index = divideDown(group, perBlock);
  const hasCopy = hasSuperblock(geometry, group);
  const blocks: [number, number][] = hasCopy ? [[start, 1]] : [];
  if (index < geometry.firstMetaDescriptorBlock) {
    const whole = Number.isFinite(geometry.firstMetaDescriptorBlock)
      ? geometry.firstMetaDescriptorBlock
      : descriptorBlockCount(geometry) + superblock.reservedDescriptorBlocks;
    if (hasCopy && whole > 0) blocks.push([start + 1, whole]);
    return blocks;
  }
  const within = group % perBlock;
  if (within === 0 || within === 1 || within === perBlock - 1) blocks.push([start + (hasCopy ? 1 : 0), 1]);
  return blocks;
}

function markUsed(state: CheckState, first: number, count: number): void {
  const cluster = state.clusterOf(first);
  state.usedClusters.fill(cluster, state.clusterOf(first + count - 1) - cluster + 1);
}
