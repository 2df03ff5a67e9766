import { bitField, joinHalves } from '../../bytes/bits.ts';
import { divideDown, divideUp } from '../../bytes/rounding.ts';
import { MIB } from './header.ts';

/** Bytes of one entry of the block allocation table (BAT, MS-VHDX 2.5). */
export const BAT_ENTRY_BYTES = 8;
/** A sector bitmap block: one bit for each sector of a chunk. */
export const SECTOR_BITMAP_BYTES = MIB;
/** Logical sectors that one chunk, and so one sector bitmap block, covers (MS-VHDX 2.5). */
export const CHUNK_SECTORS = 2 ** 23;

/** States of a payload block (MS-VHDX 2.5.1.1). */
export const PAYLOAD_BLOCK = {
  notPresent: 0,
  undefined: 1,
  zero: 2,
  unmapped: 3,
  fullyPresent: 6,
  partiallyPresent: 7,
} as const;

/** States of a sector bitmap block (MS-VHDX 2.5.1.2). */
export const SECTOR_BITMAP_BLOCK = { notPresent: 0, present: 6 } as const;

/** One entry: bits 0 to 2 the state, 3 to 19 reserved, 20 to 63 the offset in MiB. */
export interface BatEntry {
  readonly state: number;
  /** Where the block stands in the file, in bytes; 0 when it has no place. */
  readonly fileOffset: number;
  /** Bits 3 to 19, which must be 0. */
  readonly reserved: number;
}

/** Unpacks an entry from its two 32-bit halves: a BAT of a large disk has millions. Offsets above 2^53 come out above it. */
export function unpackBatEntry(high: number, low: number): BatEntry {
  return {
    state: bitField(low, 0, 3),
    reserved: bitField(low, 3, 17),
    fileOffset: joinHalves(high, low - bitField(low, 0, 20)),
  };
}

/** The 64-bit word of an entry. */
export function packBatEntry(state: number, fileOffset: number): bigint {
  return BigInt(fileOffset) + BigInt(state);
}

/** How the entries of payload blocks and of sector bitmap blocks are interleaved (MS-VHDX 2.5). */
export interface BatGeometry {
  /** Bytes. */
  readonly blockSize: number;
  /** Payload blocks in one chunk; each chunk's entries are followed by that of its sector bitmap block. */
  readonly chunkRatio: number;
  readonly payloadBlockCount: number;
  readonly sectorBitmapBlockCount: number;
  /** All entries; of a disk without parent, the last chunk's sector bitmap entry is not there. */
  readonly entryCount: number;
}

/** All sizes in bytes. */
export function batGeometry(
  virtualSize: number,
  blockSize: number,
  logicalSectorSize: number,
  hasParent: boolean,
): BatGeometry {
  const chunkRatio = (CHUNK_SECTORS * logicalSectorSize) / blockSize;
  const payloadBlockCount = divideUp(virtualSize, blockSize);
  const sectorBitmapBlockCount = divideUp(payloadBlockCount, chunkRatio);
  const entryCount = hasParent
    ? sectorBitmapBlockCount * (chunkRatio + 1)
    : payloadBlockCount + divideDown(Math.max(0, payloadBlockCount - 1), chunkRatio);
  return { blockSize, chunkRatio, payloadBlockCount, sectorBitmapBlockCount, entryCount };
}

/** Which entry of the table is that of a payload block. */
export function payloadEntryIndex(block: number, { chunkRatio }: BatGeometry): number {
  return block + divideDown(block, chunkRatio);
}

/** Which entry is that of the sector bitmap block of chunk `chunk`. */
export function bitmapEntryIndex(chunk: number, { chunkRatio }: BatGeometry): number {
  return (chunk + 1) * (chunkRatio + 1) - 1;
}
