import { bitField, hasBit, joinHalves } from '../../bytes/bits.ts';

/**
 * L1 and L2 table entries: 64-bit words, handled as two 32-bit halves because tables are walked entry by entry and a
 * bigint for each would be many times slower (qcow2 specification, section "Cluster mapping table").
 */

/** Bytes of one entry; an extended L2 entry is one of them and a subcluster bitmap of as many. */
export const ENTRY_BYTES = 8;
/** Extended L2 entries divide a cluster into so many subclusters (section "Extended L2 Entries"). */
export const SUBCLUSTERS = 32;
/** Compressed clusters are counted in units of this many bytes. */
const COMPRESSED_SECTOR_BYTES = 512;

/** Bit 63 (of the high half 31): the reference count is exactly one. Says nothing about where the bytes are. */
const COPIED_BIT = 31;
/** Bit 62 (of the high half 30). */
const COMPRESSED_BIT = 30;
/** Bits 0 to 8 of an entry lie below the smallest cluster's offset. */
const LOW_FLAG_BITS = 9;
/** Bits 9 to 55 hold the offset: of the high half bits 0 to 23. */
const HIGH_OFFSET_BITS = 24;

/** What the shape of L2 tables depends on. */
export interface TableGeometry {
  /** Bytes. */
  readonly clusterSize: number;
  /** L2 entries have 16 bytes, the second 8 of which say what each subcluster is. */
  readonly hasExtendedL2: boolean;
}

export interface EntryGeometry extends TableGeometry {
  readonly version: 2 | 3;
  readonly clusterBits: number;
  /** Data lies in an external file, each cluster at its guest offset. */
  readonly hasDataFile: boolean;
}

/** Bytes of the disk that one L2 table maps: a table is one cluster. */
export function l2TableSpan({ clusterSize, hasExtendedL2 }: TableGeometry): number {
  return clusterSize * (clusterSize / (hasExtendedL2 ? 2 * ENTRY_BYTES : ENTRY_BYTES));
}

/** `invalid` carries what the specification wants instead. */
export interface InvalidEntry {
  readonly kind: 'invalid';
  readonly expected: string;
}

export type L1Entry =
  | { readonly kind: 'unallocated' }
  | { readonly kind: 'table'; readonly hostOffset: number }
  | InvalidEntry;

export type L2Entry =
  | { readonly kind: 'unallocated' }
  /** Reads as zeros; `hostOffset` is a cluster kept for it (preallocated), 0 when there is none. */
  | { readonly kind: 'zero'; readonly hostOffset: number }
  | { readonly kind: 'data'; readonly hostOffset: number }
  /** Compressed bytes begin at `hostOffset` and end within `length` bytes, the last sector's rest being padding or the next cluster's. */
  | { readonly kind: 'compressed'; readonly hostOffset: number; readonly length: number }
  | InvalidEntry;

const UNALLOCATED = { kind: 'unallocated' } as const;

/**
 * What of the high half does not count when two entries are compared: the COPIED flag, which plays no part in reading. With an
 * external data file it does: there it tells the cluster at offset 0 from none.
 */
export function ignoredMask(geometry: EntryGeometry): number {
  return geometry.hasDataFile ? 0 : 2 ** COPIED_BIT;
}

function hostOffsetOf(high: number, low: number): number {
  return joinHalves(bitField(high, 0, HIGH_OFFSET_BITS), low - bitField(low, 0, LOW_FLAG_BITS));
}

/** An L1 entry: bits 9 to 55 the L2 table's offset, 63 COPIED, the others reserved. */
export function unpackL1Entry(high: number, low: number, geometry: EntryGeometry): L1Entry {
  if (bitField(high, HIGH_OFFSET_BITS, 7) !== 0 || bitField(low, 0, LOW_FLAG_BITS) !== 0)
    return { kind: 'invalid', expected: 'reserved bits 0 to 8 and 56 to 62 clear' };
  const hostOffset = hostOffsetOf(high, low);
  if (hostOffset === 0) return UNALLOCATED;
  return aligned(hostOffset, geometry) ?? { kind: 'table', hostOffset };
}

/**
 * An L2 entry, or the first half of an extended one: a standard cluster (bit 0 the zero flag, 9 to 55 the offset) or, with
 * bit 62, a compressed cluster's descriptor.
 */
export function unpackL2Entry(high: number, low: number, geometry: EntryGeometry): L2Entry {
  if (hasBit(high, COMPRESSED_BIT)) return unpackCompressed(high, low, geometry);
  if (bitField(high, HIGH_OFFSET_BITS, 6) !== 0 || bitField(low, 1, LOW_FLAG_BITS - 1) !== 0)
    return { kind: 'invalid', expected: 'reserved bits 1 to 8 and 56 to 61 clear' };
  const isZero = hasBit(low, 0);
  if (isZero && geometry.version === 2) return { kind: 'invalid', expected: 'bit 0 clear in a version 2 image' };
  if (isZero && geometry.hasExtendedL2) return { kind: 'invalid', expected: 'bit 0 clear in an extended L2 entry' };
  const hostOffset = hostOffsetOf(high, low);
  // Only in an external data file there may be a data cluster at offset 0.
  const isPlaced = hostOffset !== 0 || (geometry.hasDataFile && hasBit(high, COPIED_BIT));
  if (!isPlaced) return isZero ? { kind: 'zero', hostOffset } : UNALLOCATED;
  return aligned(hostOffset, geometry) ?? { kind: isZero ? 'zero' : 'data', hostOffset };
}

function aligned(hostOffset: number, geometry: EntryGeometry): InvalidEntry | undefined {
  if (hostOffset % geometry.clusterSize === 0) return undefined;
  return { kind: 'invalid', expected: `an offset that is a multiple of ${geometry.clusterSize}` };
}

/** Section "Compressed Clusters Descriptor": bits 0 to x-1 the offset, x to 61 the number of further sectors, x = 62 - (cluster_bits - 8). */
function unpackCompressed(high: number, low: number, { clusterBits, hasDataFile }: EntryGeometry): L2Entry {
  if (hasDataFile)
    return { kind: 'invalid', expected: 'no compressed cluster, as the image has an external data file' };
  const offsetBits = 62 - (clusterBits - 8);
  const hostOffset = joinHalves(bitField(high, 0, offsetBits - 32), low);
  const furtherSectors = bitField(high, offsetBits - 32, 62 - offsetBits);
  const length = (furtherSectors + 1) * COMPRESSED_SECTOR_BYTES - (hostOffset % COMPRESSED_SECTOR_BYTES);
  return { kind: 'compressed', hostOffset, length };
}
