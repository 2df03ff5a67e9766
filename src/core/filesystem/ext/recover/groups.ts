import { divideDown, divideUp } from '../../../bytes/rounding.ts';
import type { ReadOptions } from '../../../device/block-device.ts';
import { descriptorOffset } from '../geometry.ts';
import { type GroupDescriptor, parseDescriptor } from '../group-descriptor.ts';
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

/** A group's descriptor, through the cache of metadata; undefined when the device ends before it. */
export async function readGroup(volume: ExtVolume, index: number, options?: ReadOptions): Promise<Group | undefined> {
  const { geometry, device } = volume;
  const offset = descriptorOffset(geometry, index);
  const block = divideDown(offset, geometry.blockSize);
  if ((block + 1) * geometry.blockSize > device.size) return undefined;
  const bytes = await volume.readMetadata(block, `group descriptor ${index}`, options);
  const at = offset % geometry.blockSize;
  return { index, ...parseDescriptor(bytes.subarray(at, at + geometry.descriptorSize), offset) };
}

/** Whether a group's flags mean something: they come with the checksums of descriptors. */
export function hasGroupFlags({ geometry }: ExtVolume): boolean {
  const { readOnlyCompatible } = geometry.features;
  return readOnlyCompatible.has('metadata_csum') || readOnlyCompatible.has('uninit_bg');
}
