import { divideDown } from '../../../bytes/rounding.ts';

/** A 64-bit entry in two halves. */
export interface EntryHalves {
  readonly high: number;
  readonly low: number;
}

/** Bit 63 (of the high half 31): the reference count of what the entry points to is exactly one. */
export const COPIED_BIT = 31;
const HALF = 2 ** 32;

export const UNALLOCATED_ENTRY: EntryHalves = { high: 0, low: 0 };
/** Reads as zeros and has no cluster (version 3 only). */
export const ZERO_ENTRY: EntryHalves = { high: 0, low: 1 };

/** An L1 entry for a table, or an L2 entry for a data cluster, that nothing else points to. */
export function ownEntry(hostOffset: number): EntryHalves {
  return { high: divideDown(hostOffset, HALF) + 2 ** COPIED_BIT, low: hostOffset % HALF };
}
