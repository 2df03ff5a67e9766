import { hasBit } from '../../../bytes/bits.ts';
import { divideUp } from '../../../bytes/rounding.ts';
import { backupDescriptorOffsets, descriptorOffset } from '../geometry.ts';
import { GROUP_FLAG, type GroupDescriptor, parseDescriptor } from '../group-descriptor.ts';
import { descriptorSum } from '../group-sums.ts';
import type { CheckState } from './state.ts';

/** The descriptors of all groups; one number of each kind a group. */
export class GroupTable {
  readonly blockBitmap: Float64Array;
  readonly inodeBitmap: Float64Array;
  readonly inodeTable: Float64Array;
  readonly freeBlockCount: Uint32Array;
  readonly freeInodeCount: Uint32Array;
  readonly usedDirectoryCount: Uint32Array;
  readonly unusedInodeCount: Uint32Array;
  readonly flags: Uint16Array;
  readonly blockBitmapSum: Uint32Array;
  readonly inodeBitmapSum: Uint32Array;

  constructor(count: number) {
    this.blockBitmap = new Float64Array(count);
    this.inodeBitmap = new Float64Array(count);
    this.inodeTable = new Float64Array(count);
    this.freeBlockCount = new Uint32Array(count);
    this.freeInodeCount = new Uint32Array(count);
    this.usedDirectoryCount = new Uint32Array(count);
    this.unusedInodeCount = new Uint32Array(count);
    this.flags = new Uint16Array(count);
    this.blockBitmapSum = new Uint32Array(count);
    this.inodeBitmapSum = new Uint32Array(count);
  }

  set(group: number, descriptor: GroupDescriptor): void {
    this.blockBitmap[group] = descriptor.blockBitmap;
    this.inodeBitmap[group] = descriptor.inodeBitmap;
    this.inodeTable[group] = descriptor.inodeTable;
    this.freeBlockCount[group] = descriptor.freeBlockCount;
    this.freeInodeCount[group] = descriptor.freeInodeCount;
    this.usedDirectoryCount[group] = descriptor.usedDirectoryCount;
    this.unusedInodeCount[group] = descriptor.unusedInodeCount;
    this.flags[group] = descriptor.flags;
    this.blockBitmapSum[group] = descriptor.bitmapSums[0];
    this.inodeBitmapSum[group] = descriptor.bitmapSums[1];
  }

  has(group: number, flag: keyof typeof GROUP_FLAG): boolean {
    return hasBit(this.flags[group]!, GROUP_FLAG[flag]);
  }
}

/** Reads and checks every group descriptor; where one makes no sense, its copy is taken for the rest of the check. */
export async function readGroups(state: CheckState): Promise<void> {
  const { geometry } = state;
  const groups = new GroupTable(geometry.groupCount);
  state.setGroups(groups);
  for (let group = 0; group < geometry.groupCount; group++) {
    if (group % 1024 === 0) state.options.signal?.throwIfAborted();
    const offset = descriptorOffset(geometry, group);
    const structure = `group descriptor ${group}`;
    const bytes = await state.readAt(offset, geometry.descriptorSize, structure);
    if (bytes === undefined) continue;
    const isSummed = checkSum(state, group, bytes, offset);
    const descriptor = parseDescriptor(bytes, offset);
    const isPlaced = checkPlaces(state, group, descriptor, offset, true);
    checkCounts(state, group, descriptor, offset);
    groups.set(group, isSummed && isPlaced ? descriptor : ((await copyOf(state, group)) ?? descriptor));
  }
  checkTotals(state);
}

/**
 * Where there is a copy, e2fsck goes by all the copies, whose counts are old, and calls that not clean; where there is none it
 * is put right in passing.
 */
function checkSum(state: CheckState, group: number, bytes: Uint8Array, offset: number): boolean {
  const { geometry, device } = state;
  const hasCopy = backupDescriptorOffsets(geometry, group).some((copy) => copy < device.size);
  const sum = descriptorSum(geometry, bytes, group);
  const structure = `group descriptor ${group}`;
  return hasCopy ? state.sum(structure, offset, sum) : state.warnSum(structure, offset, sum);
}

/** The descriptor's first copy that is in order. */
async function copyOf(state: CheckState, group: number): Promise<GroupDescriptor | undefined> {
  const { geometry, device } = state;
  for (const offset of backupDescriptorOffsets(geometry, group)) {
    if (offset + geometry.descriptorSize > device.size) continue;
    const bytes = await state.readAt(offset, geometry.descriptorSize, `copy of group descriptor ${group}`);
    if (bytes === undefined) continue;
    const sum = descriptorSum(geometry, bytes, group);
    const descriptor = parseDescriptor(bytes, offset);
    const isRight = sum === undefined || sum.stored === sum.computed;
    if (!isRight || !checkPlaces(state, group, descriptor, offset, false)) continue;
    const message = `the copy at offset 0x${offset.toString(16)} is in order: the rest of the check goes by it`;
    state.add({
      severity: 'note',
      code: 'group-descriptor-copy',
      structure: `group descriptor ${group}`,
      offset,
      message,
    });
    return descriptor;
  }
  return undefined;
}

/** Whether bitmaps and inode table lie where the group may have them. */
function checkPlaces(
  state: CheckState,
  group: number,
  descriptor: GroupDescriptor,
  offset: number,
  tells: boolean,
): boolean {
  const { geometry } = state;
  const isFlexible = state.has('flex_bg');
  const start = geometry.firstDataBlock + group * geometry.blocksPerGroup;
  const first = isFlexible ? geometry.firstDataBlock : start;
  const end = isFlexible ? geometry.blockCount : Math.min(start + geometry.blocksPerGroup, geometry.blockCount);
  const tableBlocks = inodeTableBlocks(state);
  let isRight = true;
  const check = (what: string, block: number, count: number): void => {
    if (block >= first && block + count <= end && block > 0) return;
    isRight = false;
    const message = `the ${what} is at block ${block}, which is not inside ${first} to ${end - 1}`;
    if (tells) state.error('group-descriptor-block', `group descriptor ${group}`, offset, message);
  };
  check('block bitmap', descriptor.blockBitmap, 1);
  check('inode bitmap', descriptor.inodeBitmap, 1);
  check('inode table', descriptor.inodeTable, tableBlocks);
  return isRight;
}

export function inodeTableBlocks({ geometry }: CheckState): number {
  return divideUp(geometry.inodesPerGroup * geometry.inodeSize, geometry.blockSize);
}

function checkCounts(state: CheckState, group: number, descriptor: GroupDescriptor, offset: number): void {
  const { geometry } = state;
  const structure = `group descriptor ${group}`;
  const { inodesPerGroup, blocksPerGroup, groupCount } = geometry;
  const error = (message: string): void => state.warn('group-descriptor-count', structure, offset, message);
  if (descriptor.freeBlockCount > blocksPerGroup) error(`it tells ${descriptor.freeBlockCount} free blocks`);
  if (descriptor.freeInodeCount > inodesPerGroup) error(`it tells ${descriptor.freeInodeCount} free inodes`);
  if (descriptor.usedDirectoryCount > inodesPerGroup) error(`it tells ${descriptor.usedDirectoryCount} directories`);
  const isUnwritten = hasBit(descriptor.flags, GROUP_FLAG.blocksUnwritten);
  const hasUnwritten = isUnwritten || hasBit(descriptor.flags, GROUP_FLAG.inodesUnwritten);
  const unused = descriptor.unusedInodeCount;
  if (!state.hasGroupSums) {
    if (hasUnwritten || unused !== 0)
      state.warn('group-uninitialized', structure, offset, 'it is marked as never written, without checksums');
    return;
  }
  if (isUnwritten && group === groupCount - 1)
    state.warn(
      'group-uninitialized',
      structure,
      offset,
      'the block bitmap of the last group is marked as never written',
    );
  if (unused > descriptor.freeInodeCount || unused > inodesPerGroup)
    error(`it tells ${unused} inodes never used, and only ${descriptor.freeInodeCount} free`);
}

function checkTotals(state: CheckState): void {
  const { superblock, geometry } = state;
  const told = geometry.freeBlockCount;
  if (told > geometry.blockCount || superblock.freeInodeCount > geometry.inodeCount)
    state.warn(
      'superblock-count',
      'superblock',
      undefined,
      `it tells ${told} free blocks and ${superblock.freeInodeCount} free inodes: more than there are`,
    );
}
