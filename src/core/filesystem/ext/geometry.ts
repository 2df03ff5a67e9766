import { joinHalves } from '../../bytes/bits.ts';
import { divideDown, divideUp, isPowerOfTwo } from '../../bytes/rounding.ts';
import { checksumSeed } from './checksums.ts';
import { type Features, featuresOf, requireReadable } from './features.ts';
import { EXT_MAGIC, SUPERBLOCK, SUPERBLOCK_OFFSET, type Superblock } from './superblock.ts';

/** 64 KiB, the largest block that the format allows: 2^(10+6). */
const MAX_LOG_BLOCK_SIZE = 6;
/** 2^(10+20): e2fsprogs makes clusters of up to 512 MiB. */
const MAX_LOG_CLUSTER_SIZE = 20;
const OLD_INODE_SIZE = 128;
const OLD_FIRST_INODE = 11;
const OLD_DESCRIPTOR_SIZE = 32;
const MIN_64BIT_DESCRIPTOR_SIZE = 64;
const MAX_DESCRIPTOR_SIZE = 1024;

/** Where everything lies, from a superblock that has been checked. Sizes in bytes. */
export interface Geometry {
  readonly blockSize: number;
  readonly clusterSize: number;
  readonly blockCount: number;
  readonly freeBlockCount: number;
  readonly firstDataBlock: number;
  readonly blocksPerGroup: number;
  readonly groupCount: number;
  readonly inodeCount: number;
  readonly inodesPerGroup: number;
  readonly inodeSize: number;
  readonly firstInode: number;
  readonly descriptorSize: number;
  /** Groups from this number on (in descriptor blocks) keep their descriptors with themselves; Infinity without meta_bg. */
  readonly firstMetaDescriptorBlock: number;
  readonly backupGroups: readonly [number, number];
  readonly features: Features;
  /** What checksums of metadata begin with; undefined without the feature. */
  readonly checksumSeed: number | undefined;
  readonly uuid: Uint8Array;
}

/** Checks a superblock against itself; the caller has seen that the magic is there. */
export function geometryOf(superblock: Superblock): Geometry {
  requireValue(superblock.magic === EXT_MAGIC, 'magic', '0xef53', `0x${superblock.magic.toString(16)}`);
  const features = featuresOf(superblock.compatible, superblock.incompatible, superblock.readOnlyCompatible);
  requireReadable(features, SUPERBLOCK_OFFSET + SUPERBLOCK.fields.incompatible.offset);
  const sizes = blockSizes(superblock, features);
  const wide = features.incompatible.has('64bit');
  const blockCount = joinHalves(wide ? superblock.blockCountHigh : 0, superblock.blockCountLow);
  const { firstDataBlock, blocksPerGroup } = superblock;
  const isSane = blockCount > firstDataBlock && Number.isSafeInteger(blockCount * sizes.blockSize);
  requireValue(isSane, 'blockCountLow', 'a count above the first data block and below 2^53 bytes', blockCount);
  const groupCount = divideUp(blockCount - firstDataBlock, blocksPerGroup);
  requireInodes(superblock, groupCount, sizes.blockSize);
  return {
    ...sizes,
    ...inodeSizes(superblock, sizes.blockSize),
    blockCount,
    freeBlockCount: joinHalves(wide ? superblock.freeBlockCountHigh : 0, superblock.freeBlockCountLow),
    firstDataBlock,
    blocksPerGroup,
    groupCount,
    inodeCount: superblock.inodeCount,
    inodesPerGroup: superblock.inodesPerGroup,
    descriptorSize: wide ? wideDescriptorSize(superblock) : OLD_DESCRIPTOR_SIZE,
    firstMetaDescriptorBlock: features.incompatible.has('meta_bg')
      ? superblock.firstMetaGroup
      : Number.POSITIVE_INFINITY,
    backupGroups: [superblock.backupGroup0, superblock.backupGroup1],
    features,
    checksumSeed: seedOf(superblock, features),
    uuid: superblock.uuid,
  };
}

function seedOf({ uuid, checksumSeed: kept }: Superblock, features: Features): number | undefined {
  if (!features.readOnlyCompatible.has('metadata_csum')) return undefined;
  return checksumSeed(uuid, features.incompatible.has('metadata_csum_seed') ? kept : undefined);
}

function blockSizes(superblock: Superblock, features: Features): { blockSize: number; clusterSize: number } {
  const { logBlockSize, logClusterSize, firstDataBlock, blocksPerGroup } = superblock;
  requireValue(logBlockSize <= MAX_LOG_BLOCK_SIZE, 'logBlockSize', `at most ${MAX_LOG_BLOCK_SIZE}`, logBlockSize);
  const blockSize = 1024 * 2 ** logBlockSize;
  const bigalloc = features.readOnlyCompatible.has('bigalloc');
  if (bigalloc) {
    const fits = logClusterSize >= logBlockSize && logClusterSize <= MAX_LOG_CLUSTER_SIZE;
    requireValue(fits, 'logClusterSize', `${logBlockSize} to ${MAX_LOG_CLUSTER_SIZE}`, logClusterSize);
  }
  const clusterSize = bigalloc ? 1024 * 2 ** logClusterSize : blockSize;
  // mke2fs lets a bigalloc filesystem of 1 KiB blocks begin with block 0.
  const firstBlocks = blockSize > 1024 ? [0] : bigalloc ? [0, 1] : [1];
  requireValue(firstBlocks.includes(firstDataBlock), 'firstDataBlock', firstBlocks.join(' or '), firstDataBlock);
  // One bitmap block has a bit for every cluster of a group.
  const maxPerGroup = 8 * blockSize * (clusterSize / blockSize);
  const perGroupFits = blocksPerGroup > 0 && blocksPerGroup <= maxPerGroup;
  requireValue(perGroupFits, 'blocksPerGroup', `1 to ${maxPerGroup}`, blocksPerGroup);
  return { blockSize, clusterSize };
}

function requireInodes(superblock: Superblock, groupCount: number, blockSize: number): void {
  const { inodesPerGroup, inodeCount } = superblock;
  const fits = inodesPerGroup > 0 && inodesPerGroup <= 8 * blockSize;
  requireValue(fits, 'inodesPerGroup', `1 to ${8 * blockSize}`, inodesPerGroup);
  const all = groupCount * inodesPerGroup;
  requireValue(inodeCount === all, 'inodeCount', `${all} (${groupCount} groups of ${inodesPerGroup})`, inodeCount);
}

/** Revision 0 has no field for either size. */
function inodeSizes(superblock: Superblock, blockSize: number): { inodeSize: number; firstInode: number } {
  if (superblock.revision === 0) return { inodeSize: OLD_INODE_SIZE, firstInode: OLD_FIRST_INODE };
  const { inodeSize, firstInode } = superblock;
  const fits = inodeSize >= OLD_INODE_SIZE && inodeSize <= blockSize && isPowerOfTwo(inodeSize);
  requireValue(fits, 'inodeSize', `a power of two, ${OLD_INODE_SIZE} to ${blockSize}`, inodeSize);
  return { inodeSize, firstInode };
}

function wideDescriptorSize(superblock: Superblock): number {
  const size = superblock.descriptorSize;
  const fits = size >= MIN_64BIT_DESCRIPTOR_SIZE && size <= MAX_DESCRIPTOR_SIZE && isPowerOfTwo(size);
  const expected = `a power of two, ${MIN_64BIT_DESCRIPTOR_SIZE} to ${MAX_DESCRIPTOR_SIZE}`;
  requireValue(fits, 'descriptorSize', expected, size);
  return size;
}

type FieldName = keyof Superblock & string;

function requireValue(holds: boolean, field: FieldName, expected: string, found: string | number): void {
  if (!holds) throw SUPERBLOCK.invalid(field, expected, found, SUPERBLOCK_OFFSET);
}

/** The byte offset of a group's descriptor (kernel documentation, ext4 "Block Group Descriptors", "Meta Block Groups"). */
export function descriptorOffset(geometry: Geometry, group: number): number {
  const { blockSize, descriptorSize } = geometry;
  const perBlock = blockSize / descriptorSize;
  const descriptorBlock = divideDown(group, perBlock);
  const within = (group % perBlock) * descriptorSize;
  return descriptorBlockNumber(geometry, descriptorBlock, perBlock) * blockSize + within;
}

function descriptorBlockNumber(geometry: Geometry, descriptorBlock: number, perBlock: number): number {
  const { blockSize, firstDataBlock } = geometry;
  if (descriptorBlock < geometry.firstMetaDescriptorBlock) {
    return divideDown(SUPERBLOCK_OFFSET, blockSize) + 1 + descriptorBlock;
  }
  const firstGroup = descriptorBlock * perBlock;
  const groupStart = firstDataBlock + firstGroup * geometry.blocksPerGroup;
  // With bigalloc and 1 KiB blocks the first data block is 0 and the superblock in block 1.
  const shifted = blockSize === 1024 && firstDataBlock === 0 && descriptorBlock === 0 ? 1 : 0;
  return groupStart + (hasSuperblock(geometry, firstGroup) ? 1 : 0) + shifted;
}

/** Blocks that a whole table of descriptors takes. */
export function descriptorBlockCount({ blockSize, descriptorSize, groupCount }: Geometry): number {
  return divideUp(groupCount, blockSize / descriptorSize);
}

/** Copies of descriptors that are looked at: more groups than that damaged alike are no accident. */
const MAX_COPIES = 8;

/** Where copies of a group's descriptor lie, in bytes, the nearest to the front first. */
export function backupDescriptorOffsets(geometry: Geometry, group: number): number[] {
  const { blockSize, descriptorSize, firstDataBlock, blocksPerGroup, groupCount } = geometry;
  const perBlock = blockSize / descriptorSize;
  const descriptorBlock = divideDown(group, perBlock);
  const within = (group % perBlock) * descriptorSize;
  const start = (number: number): number => firstDataBlock + number * blocksPerGroup;
  if (descriptorBlock >= geometry.firstMetaDescriptorBlock) {
    const first = descriptorBlock * perBlock;
    return [first + 1, first + perBlock - 1]
      .filter((holder) => holder < groupCount && holder > first)
      .map((holder) => (start(holder) + (hasSuperblock(geometry, holder) ? 1 : 0)) * blockSize + within);
  }
  return superblockCopies(geometry)
    .slice(0, MAX_COPIES)
    .map((holder) => (start(holder) + 1 + descriptorBlock) * blockSize + within);
}

/** The groups behind the first that begin with a copy of the superblock, ascending. */
export function superblockCopies(geometry: Geometry): number[] {
  const groups: number[] = [];
  for (let group = 1; group < geometry.groupCount && groups.length < MAX_COPIES; group++)
    if (hasSuperblock(geometry, group)) groups.push(group);
  return groups;
}

/** Whether a group begins with a copy of the superblock: sparse_super keeps them in 0, 1 and the powers of 3, 5 and 7. */
export function hasSuperblock(geometry: Geometry, group: number): boolean {
  if (group === 0) return true;
  if (geometry.features.compatible.has('sparse_super2')) return geometry.backupGroups.includes(group);
  if (group === 1 || !geometry.features.readOnlyCompatible.has('sparse_super')) return true;
  return [3, 5, 7].some((base) => isPowerOf(group, base));
}

function isPowerOf(value: number, base: number): boolean {
  let power = base;
  while (power < value) power *= base;
  return power === value;
}
