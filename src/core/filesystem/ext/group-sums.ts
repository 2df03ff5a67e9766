import { type Checksum, descriptorChecksum, descriptorCrc16 } from './checksums.ts';
import type { Geometry } from './geometry.ts';

/** The checksum of a group descriptor, of whichever kind the filesystem has; undefined without one. */
export function descriptorSum(geometry: Geometry, bytes: Uint8Array, group: number): Checksum | undefined {
  if (geometry.checksumSeed !== undefined) return descriptorChecksum(bytes, group, geometry.checksumSeed);
  if (geometry.features.readOnlyCompatible.has('uninit_bg')) return descriptorCrc16(bytes, group, geometry.uuid);
  return undefined;
}
