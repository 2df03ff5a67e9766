import { allSet, countCommonBits, differingBits } from '../../../bytes/bitmap.ts';
import { countBits } from '../../../bytes/bits.ts';
import { SparseBitSet } from '../../../bytes/sparse-bit-set.ts';
import { bitmapChecksum } from '../checksums.ts';
import { GROUP_DESCRIPTOR_HIGH } from '../group-descriptor.ts';
import type { CheckState } from './state.ts';

interface Bitmap {
  readonly what: 'block' | 'inode';
  readonly group: number;
  /** The block that it is in. */
  readonly block: number;
  readonly isUnwritten: boolean;
  /** Bits of a whole group, and of this one. */
  readonly perGroup: number;
  readonly count: number;
  readonly sum: number;
}

/** The bitmaps and the counts of free blocks, inodes and directories against what is in use (e2fsck's pass 5). */
export async function checkBitmaps(state: CheckState, onGroup: () => void): Promise<void> {
  const { geometry } = state;
  let freeClusters = 0;
  let freeInodes = 0;
  for (let group = 0; group < geometry.groupCount; group++) {
    state.options.signal?.throwIfAborted();
    freeClusters += await checkBlockBitmap(state, group);
    freeInodes += await checkInodeBitmap(state, group);
    onGroup();
  }
  const warn = (what: string, stored: number, counted: number): void => {
    if (stored === counted) return;
    // What e2fsck mends in passing: the kernel counts anew when it mounts.
    const message = `it counts ${stored} free ${what}, and there are ${counted}`;
    state.add({ severity: 'warning', code: 'free-count', structure: 'superblock', message });
  };
  warn('blocks', geometry.freeBlockCount, freeClusters * state.ratio);
  warn('inodes', state.superblock.freeInodeCount, freeInodes);
}

async function checkBlockBitmap(state: CheckState, group: number): Promise<number> {
  const { geometry, groups } = state;
  const perGroup = geometry.blocksPerGroup / state.ratio;
  const first = state.clusterOf(geometry.firstDataBlock) + group * perGroup;
  const end = state.clusterOf(geometry.blockCount - 1) + 1;
  const bitmap: Bitmap = {
    what: 'block',
    group,
    block: groups.blockBitmap[group]!,
    isUnwritten: state.hasGroupSums && groups.has(group, 'blocksUnwritten'),
    perGroup,
    count: Math.min(perGroup, end - first),
    sum: groups.blockBitmapSum[group]!,
  };
  const stored = bitmap.isUnwritten ? metadataBits(state, group, bitmap.count) : await readBitmap(state, bitmap);
  if (stored === undefined) return 0;
  compare(state, bitmap, stored, state.usedClusters, first);
  const free = bitmap.count - countBits(stored, 0, bitmap.count);
  tellCount(state, group, 'blocks', groups.freeBlockCount[group]!, free);
  return free;
}

/** What a bitmap that was never written has: the metadata. */
function metadataBits(state: CheckState, group: number, count: number): Uint8Array {
  const { geometry, ratio } = state;
  const bits = new Uint8Array(Math.ceil(count / 8));
  const first = geometry.firstDataBlock + group * geometry.blocksPerGroup;
  if (ratio === 1) {
    state.metadataBlocks.copyTo(bits, first, count);
    return bits;
  }
  const clusters = new SparseBitSet();
  for (let cluster = 0; cluster < count; cluster++)
    if (state.metadataBlocks.hasAny(first + cluster * ratio, ratio)) clusters.add(cluster);
  clusters.copyTo(bits, 0, count);
  return bits;
}

async function checkInodeBitmap(state: CheckState, group: number): Promise<number> {
  const { geometry, groups } = state;
  const perGroup = geometry.inodesPerGroup;
  const first = group * perGroup + 1;
  const bitmap: Bitmap = {
    what: 'inode',
    group,
    block: groups.inodeBitmap[group]!,
    isUnwritten: state.hasGroupSums && groups.has(group, 'inodesUnwritten'),
    perGroup,
    count: perGroup,
    sum: groups.inodeBitmapSum[group]!,
  };
  const stored = bitmap.isUnwritten ? new Uint8Array(Math.ceil(perGroup / 8)) : await readBitmap(state, bitmap);
  if (stored === undefined) return 0;
  compare(state, bitmap, stored, state.usedInodes, first);
  const free = perGroup - countBits(stored, 0, perGroup);
  tellCount(state, group, 'inodes', groups.freeInodeCount[group]!, free);
  const directories = new Uint8Array(Math.ceil(perGroup / 8));
  state.directories.copyTo(directories, first, perGroup);
  const count = countCommonBits(directories, stored);
  const told = groups.usedDirectoryCount[group]!;
  if (told !== count)
    state.error(
      'directory-count',
      `group descriptor ${group}`,
      undefined,
      `it counts ${told} directories, and there are ${count}`,
    );
  return free;
}

async function readBitmap(state: CheckState, bitmap: Bitmap): Promise<Uint8Array | undefined> {
  const structure = `${bitmap.what} bitmap of group ${bitmap.group}`;
  if (!state.hasBlock(bitmap.block)) return undefined;
  const bytes = await state.read(bitmap.block, structure);
  if (bytes === undefined) return undefined;
  const offset = state.blockOffset(bitmap.block);
  const { checksumSeed, descriptorSize } = state.geometry;
  if (checksumSeed !== undefined) {
    const computed = bitmapChecksum(
      bytes.subarray(0, Math.floor(bitmap.perGroup / 8)),
      descriptorSize >= GROUP_DESCRIPTOR_HIGH.size,
      checksumSeed,
    );
    state.sum(structure, offset, { at: 0, stored: bitmap.sum, computed });
  }
  if (!allSet(bytes, bitmap.count, bytes.length * 8))
    state.error('bitmap-padding', structure, offset, 'the bits behind its end are not set');
  return bytes;
}

function compare(state: CheckState, bitmap: Bitmap, stored: Uint8Array, used: SparseBitSet, first: number): void {
  const actual = new Uint8Array(Math.ceil(bitmap.count / 8));
  used.copyTo(actual, first, bitmap.count);
  const structure = `${bitmap.what} bitmap of group ${bitmap.group}`;
  const unit = bitmap.what === 'block' ? state.ratio : 1;
  const name = bitmap.what === 'block' ? 'blocks' : 'inodes';
  for (const [from, length, isStored] of differingBits(stored, actual, bitmap.count)) {
    const start = (first + from) * unit;
    const range =
      length * unit === 1 ? `${bitmap.what} ${start} is` : `${name} ${start} to ${start + length * unit - 1} are`;
    const message = isStored ? `${range} marked as used, and not in use` : `${range} in use, and not marked so`;
    const offset = bitmap.isUnwritten ? undefined : state.blockOffset(bitmap.block) + Math.floor(from / 8);
    state.error(isStored ? `${bitmap.what}-leaked` : `${bitmap.what}-not-marked`, structure, offset, message);
  }
}

function tellCount(state: CheckState, group: number, what: string, stored: number, counted: number): void {
  if (stored === counted) return;
  const message = `it counts ${stored} free ${what}, and there are ${counted}`;
  state.error('group-free-count', `group descriptor ${group}`, undefined, message);
}
