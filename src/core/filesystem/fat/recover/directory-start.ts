import { hasBit } from '../../../bytes/bits.ts';
import { type BlockDevice, type ReadOptions, readBytes } from '../../../device/block-device.ts';
import { dotFault, isNamed } from '../check/dot-entries.ts';
import { firstClusterAt } from '../check/scanned-entry.ts';
import { ATTRIBUTE_BITS, directoryEntry, SLOT_BYTES } from '../directory-entry.ts';
import { clusterOffset, type FatGeometry, isDataCluster } from '../geometry.ts';

/** Whether a directory begins in that cluster: `.` leads to it, and `..` follows. */
export async function isDirectoryStart(
  device: BlockDevice,
  geometry: FatGeometry,
  cluster: number,
  options?: ReadOptions,
): Promise<boolean> {
  if (!isDataCluster(geometry, cluster)) return false;
  const offset = clusterOffset(geometry, cluster);
  if (offset + 2 * SLOT_BYTES > device.size) return false;
  const slots = await readBytes(device, offset, 2 * SLOT_BYTES, options);
  if (dotFault(slots, 0, '.', cluster, geometry) !== undefined || !isNamed(slots, SLOT_BYTES, '..')) return false;
  const parent = firstClusterAt(slots, SLOT_BYTES, geometry);
  const { attributes } = directoryEntry.parse(slots, SLOT_BYTES);
  return hasBit(attributes, ATTRIBUTE_BITS.directory) && (parent === 0 || isDataCluster(geometry, parent));
}
