import { divideDown, divideUp } from '../../../bytes/rounding.ts';
import type { ReadOptions } from '../../../device/block-device.ts';
import { backupDescriptorOffsets, descriptorOffset } from '../geometry.ts';
import { type GroupDescriptor, parseDescriptor } from '../group-descriptor.ts';
import { descriptorSum } from '../group-sums.ts';
import type { ExtVolume } from '../volume.ts';

export interface Group extends GroupDescriptor {
  readonly index: number;
}

/** How many groups the device has a part of: a truncated image has fewer than its superblock says. */
export function presentGroups({ geometry, device }: ExtVolume): number {
  const { groupCount, blocksPerGroup, blockSize, firstDataBlock } = geometry;
  const blocks = divideUp(device.size, blockSize) - firstDataBlock;
  return Math.max(0, Math.min(groupCount, divideUp(Math.max(blocks, 0), blocksPerGroup)));
}

/**
 * A group's descriptor, through the cache of metadata; where that is damaged, one of its copies, which says where things are and
 * not what is in use. Undefined when the device ends before it.
 */
export async function readGroup(volume: ExtVolume, index: number, options?: ReadOptions): Promise<Group | undefined> {
  const { geometry } = volume;
  const first = await readDescriptor(volume, index, descriptorOffset(geometry, index), options);
  if (first === undefined || isSound(volume, first)) return first?.group;
  for (const offset of backupDescriptorOffsets(geometry, index)) {
    const copy = await readDescriptor(volume, index, offset, options);
    if (copy !== undefined && isSound(volume, copy)) return { ...copy.group, flags: 0, unusedInodeCount: 0 };
  }
  return first.group;
}

interface ReadDescriptor {
  readonly group: Group;
  readonly isSummed: boolean;
}

async function readDescriptor(
  volume: ExtVolume,
  index: number,
  offset: number,
  options?: ReadOptions,
): Promise<ReadDescriptor | undefined> {
  const { geometry, device } = volume;
  const block = divideDown(offset, geometry.blockSize);
  if ((block + 1) * geometry.blockSize > device.size) return undefined;
  const bytes = await volume.readMetadata(block, `group descriptor ${index}`, options);
  const at = offset % geometry.blockSize;
  const own = bytes.subarray(at, at + geometry.descriptorSize);
  const sum = descriptorSum(geometry, own, index);
  const isSummed = sum === undefined || sum.stored === sum.computed;
  return { group: { index, ...parseDescriptor(own, offset) }, isSummed };
}

function isSound(volume: ExtVolume, { group, isSummed }: ReadDescriptor): boolean {
  const { inodesPerGroup, inodeSize, blockSize } = volume.geometry;
  return isSummed && volume.hasDataBlocks(group.inodeTable, divideUp(inodesPerGroup * inodeSize, blockSize));
}

/** Whether a group's flags mean something: they come with the checksums of descriptors. */
export function hasGroupFlags({ geometry }: ExtVolume): boolean {
  const { readOnlyCompatible } = geometry.features;
  return readOnlyCompatible.has('metadata_csum') || readOnlyCompatible.has('uninit_bg');
}
