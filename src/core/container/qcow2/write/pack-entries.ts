import { clearMask, hasBit } from '../../../bytes/bits.ts';
import { divideDown } from '../../../bytes/rounding.ts';
import type { MappingTable } from '../mapping-table.ts';

/** A 64-bit entry in two halves. */
export interface EntryHalves {
  readonly high: number;
  readonly low: number;
}

/** Bit 63 (of the high half 31): the reference count of what the entry points to is exactly one. */
const COPIED_BIT = 31;
const COPIED = 2 ** COPIED_BIT;
const HALF = 2 ** 32;

export const UNALLOCATED_ENTRY: EntryHalves = { high: 0, low: 0 };
/** Reads as zeros and has no cluster (version 3 only). */
export const ZERO_ENTRY: EntryHalves = { high: 0, low: 1 };

/** An L1 entry for a table, or an L2 entry for a data cluster, that nothing else points to. */
export function ownEntry(hostOffset: number): EntryHalves {
  return { high: divideDown(hostOffset, HALF) + COPIED, low: hostOffset % HALF };
}

/** Whether entry `index` says that nothing else points to the same cluster, so that it may be written in place. */
export function isCopied(table: MappingTable, index: number): boolean {
  return hasBit(table.high(index), COPIED_BIT);
}

/** Clears the COPIED flag of every entry: what they point to has another owner too. */
export function clearCopied(table: MappingTable): void {
  for (let index = 0; index < table.entryCount; index++) {
    table.set(index, clearMask(table.high(index), COPIED), table.low(index));
  }
}
