import { hasBit } from '../../../bytes/bits.ts';
import { ATTRIBUTE_BITS, directoryEntry } from '../directory-entry.ts';
import type { FatGeometry } from '../geometry.ts';

/** What the check needs of a short entry. */
export interface ScannedEntry {
  readonly path: string;
  /** Of the slot, in bytes of the device; undefined for the root of FAT32, which has none. */
  readonly offset: number | undefined;
  readonly firstCluster: number;
  readonly size: number;
  readonly isDirectory: boolean;
  readonly isLabel: boolean;
}

/** The first cluster that the slot at `at` tells; its upper half counts on FAT32 only. */
export function firstClusterAt(bytes: Uint8Array, at: number, { entryBits }: FatGeometry): number {
  const { firstClusterHigh, firstClusterLow } = directoryEntry.parse(bytes, at);
  return firstClusterLow + (entryBits === 32 ? firstClusterHigh * 0x1_0000 : 0);
}

export function scannedEntry(
  bytes: Uint8Array,
  at: number,
  place: { readonly path: string; readonly offset: number },
  geometry: FatGeometry,
): ScannedEntry {
  const { attributes, size } = directoryEntry.parse(bytes, at);
  return {
    ...place,
    firstCluster: firstClusterAt(bytes, at, geometry),
    size,
    isDirectory: hasBit(attributes, ATTRIBUTE_BITS.directory),
    isLabel: hasBit(attributes, ATTRIBUTE_BITS.label),
  };
}
