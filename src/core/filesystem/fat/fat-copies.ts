import { divideDown, divideUp } from '../../bytes/rounding.ts';
import { type BlockDevice, type ReadOptions, readBytes } from '../../device/block-device.ts';
import type { FatGeometry } from './geometry.ts';

/** Entries compared at once: 1 MiB of FAT32, and an even number, so that pairs of 12-bit entries stay together. */
const ENTRIES_PER_STEP = 262_144;

/** How a copy of the FAT differs from the active one. */
export interface FatDifference {
  /** The number of the copy, counted from 0. */
  readonly copy: number;
  /** Entries that differ, reserved bits and those of clusters 0 and 1 too. */
  readonly entries: number;
  /** The cluster of the first of them, and where its entry lies in the copy. */
  readonly firstCluster: number;
  readonly offset: number;
}

/** Where a copy of the FAT begins. */
export function fatCopyOffset(geometry: FatGeometry, copy: number): number {
  return geometry.fatOffset + (copy - geometry.activeFat) * geometry.fatBytes;
}

/** The bytes of one FAT that say something: those of the clusters that there are. */
export function usedFatBytes({ maxCluster, entryBits }: FatGeometry): number {
  return divideUp((maxCluster + 1) * entryBits, 8);
}

/** Compares a copy with the active FAT; undefined when they say the same, as far as the device has them. */
export async function compareFatCopy(
  device: BlockDevice,
  geometry: FatGeometry,
  copy: number,
  options?: ReadOptions,
): Promise<FatDifference | undefined> {
  const { entryBits, fatOffset } = geometry;
  const copyOffset = fatCopyOffset(geometry, copy);
  const step = divideDown(ENTRIES_PER_STEP * entryBits, 8);
  const there = Math.max(0, device.size - Math.max(fatOffset, copyOffset));
  const used = Math.min(usedFatBytes(geometry), there);
  let entries = 0;
  let firstCluster = 0;
  for (let done = 0; done < used; done += step) {
    options?.signal?.throwIfAborted();
    const length = Math.min(step, used - done);
    const [active, other] = await Promise.all([
      readBytes(device, fatOffset + done, length, options),
      readBytes(device, copyOffset + done, length, options),
    ]);
    if (Buffer.compare(active, other) === 0) continue;
    for (const entry of differingEntries(active, other, entryBits)) {
      if (entries++ === 0) firstCluster = divideDown(done, step) * ENTRIES_PER_STEP + entry;
    }
  }
  if (entries === 0) return undefined;
  return { copy, entries, firstCluster, offset: copyOffset + divideDown(firstCluster * entryBits, 8) };
}

/** In words: `FAT 2 differs from FAT 1 in 3 entries, the first that of cluster 77`. */
export function differenceText(geometry: FatGeometry, { copy, entries, firstCluster }: FatDifference): string {
  const count = entries === 1 ? 'one entry' : `${entries} entries`;
  return `FAT ${copy + 1} differs from FAT ${geometry.activeFat + 1} in ${count}, the first that of cluster ${firstCluster}`;
}

/** The places of the entries that have a differing byte, or half of one. */
function* differingEntries(left: Uint8Array, right: Uint8Array, entryBits: number): Generator<number, void> {
  let last = -1;
  for (let at = 0; at < left.length; at++) {
    if (left[at] === right[at]) continue;
    // A byte in the middle of a pair of 12-bit entries has the end of the first and the start of the second.
    const isLowSame = entryBits === 12 && at % 3 === 1 && left[at]! % 16 === right[at]! % 16;
    const entry = divideDown(at * 8, entryBits) + (isLowSame ? 1 : 0);
    if (entry > last) yield entry;
    last = Math.max(last, entry);
    const isHighSame = divideDown(left[at]!, 16) === divideDown(right[at]!, 16);
    if (entryBits !== 12 || at % 3 !== 1 || isLowSame || isHighSame) continue;
    last = entry + 1;
    yield last;
  }
}
