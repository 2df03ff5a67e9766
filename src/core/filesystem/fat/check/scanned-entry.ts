import { hasBit } from '../../../bytes/bits.ts';
import { viewOf } from '../../../bytes/struct.ts';
import { ATTRIBUTE_BITS, directoryEntry } from '../directory-entry.ts';
import type { FatGeometry } from '../geometry.ts';

// Field by field: to parse a whole slot takes longer than all else that is done with it.
const FIELDS = directoryEntry.fields;

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
  const view = viewOf(bytes);
  const high = entryBits === 32 ? FIELDS.firstClusterHigh.get(view, at) : 0;
  return high * 0x1_0000 + FIELDS.firstClusterLow.get(view, at);
}

export function scannedEntry(
  bytes: Uint8Array,
  at: number,
  place: { readonly path: string; readonly offset: number },
  geometry: FatGeometry,
): ScannedEntry {
  const attributes = bytes[at + FIELDS.attributes.offset]!;
  return {
    ...place,
    firstCluster: firstClusterAt(bytes, at, geometry),
    size: FIELDS.size.get(viewOf(bytes), at),
    isDirectory: hasBit(attributes, ATTRIBUTE_BITS.directory),
    isLabel: hasBit(attributes, ATTRIBUTE_BITS.label),
  };
}
