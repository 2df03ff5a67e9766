import { type BlockDevice, readBytes } from '../../device/block-device.ts';
import { DiskError } from '../../errors.ts';
import { superblockChecksum } from './checksums.ts';
import { type Geometry, geometryOf } from './geometry.ts';
import { EXT_MAGIC, SUPERBLOCK, SUPERBLOCK_BYTES, type Superblock } from './superblock.ts';

/** 1 to 64 KiB. */
const LOG_BLOCK_SIZES = [0, 1, 2, 3, 4, 5, 6];
/** Groups that may hold the first copy: 1, where sparse_super2 has not left it out; else the next that sparse_super keeps. */
const GROUPS = [1, 3];

/** Blocks of a cluster: without bigalloc, with it unless mke2fs was told otherwise, and what it may be told. */
const CLUSTER_RATIOS = [1, 16, 2, 4, 8, 32, 64, 128, 256];

export interface SuperblockCopy {
  readonly bytes: Uint8Array;
  readonly superblock: Superblock;
  readonly geometry: Geometry;
  /** Where it lies, in bytes, and which block that is. */
  readonly offset: number;
  readonly block: number;
}

/**
 * A copy of the superblock that is consistent, for a primary one that is not: where mke2fs puts them, at the start of a
 * group of as many blocks as a bitmap block has bits.
 */
export async function findSuperblockCopy(device: BlockDevice): Promise<SuperblockCopy | undefined> {
  for (const logBlockSize of LOG_BLOCK_SIZES) {
    const blockSize = 1024 * 2 ** logBlockSize;
    for (const group of GROUPS) {
      for (const ratio of CLUSTER_RATIOS) {
        // bigalloc begins with block 0 whatever the size.
        const first = blockSize === 1024 && ratio === 1 ? 1 : 0;
        const block = first + group * 8 * blockSize * ratio;
        const copy = await copyAt(device, block, blockSize, group);
        if (copy !== undefined) return copy;
      }
    }
  }
  return undefined;
}

async function copyAt(
  device: BlockDevice,
  block: number,
  blockSize: number,
  group: number,
): Promise<SuperblockCopy | undefined> {
  const offset = block * blockSize;
  if (offset + SUPERBLOCK_BYTES > device.size) return undefined;
  const bytes = await readBytes(device, offset, SUPERBLOCK_BYTES);
  const superblock = SUPERBLOCK.parse(bytes, 0, offset);
  // A file may hold an image of a filesystem: only what names this very place is its copy.
  if (superblock.magic !== EXT_MAGIC) return undefined;
  if (superblock.revision > 0 && superblock.groupNumber !== group) return undefined;
  try {
    const geometry = geometryOf(superblock);
    const isHere = geometry.firstDataBlock + group * geometry.blocksPerGroup === block;
    if (geometry.blockSize !== blockSize || !isHere) return undefined;
    const sum = superblockChecksum(bytes);
    if (geometry.checksumSeed !== undefined && sum.stored !== sum.computed) return undefined;
    return { bytes, superblock, geometry, offset, block };
  } catch (error) {
    if (error instanceof DiskError) return undefined;
    throw error;
  }
}
