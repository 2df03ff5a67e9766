import { divideUp, isPowerOfTwo } from '../../../bytes/rounding.ts';
import type { ResizableBlockDevice } from '../../../device/block-device.ts';
import { outOfRange, unsupported } from '../../../errors.ts';
import { headerV2, MAX_CLUSTER_BITS, MAX_L1_ENTRIES, MIN_CLUSTER_BITS } from '../header.ts';
import type { CompressionType } from '../inflate-cluster.ts';
import { ENTRY_BYTES, l2TableSpan, type TableGeometry } from '../table-entries.ts';
import { buildHeader, type HeaderDescription } from './build-header.ts';
import { RefcountBlock } from './refcount-block.ts';

/** QEMU wants disks in whole sectors of this many bytes. */
const SIZE_UNIT = 512;

export interface CreateOptions {
  /** Bytes of the disk, a multiple of 512. */
  readonly virtualSize: number;
  /** Bytes, a power of two from 512 to 2 MiB; 64 KiB unless given. */
  readonly clusterSize?: number | undefined;
  /** A power of two from 1 to 64; 16 unless given. */
  readonly refcountBits?: number | undefined;
  /** 3 unless given; 2 has reference counts of 16 bits and zlib only. */
  readonly version?: 2 | 3 | undefined;
  readonly backing?: { readonly name: string; readonly format: string } | undefined;
  readonly compressionType?: CompressionType | undefined;
}

/**
 * Makes `device` a whole empty image, whatever it held before. The magic comes last, behind a flush: a crash leaves a file that
 * is no QCOW2 at all. OUT_OF_RANGE for sizes that the format does not have, before anything is written.
 */
export async function createQcow2(device: ResizableBlockDevice, options: CreateOptions): Promise<void> {
  const { header, blocks, blocksOffset, refcountTable, fileSize } = layOut(options);
  const cluster = buildHeader(header);
  await device.resize(0);
  await device.resize(fileSize);
  await device.writeFrom(refcountTable, header.refcountTableOffset);
  for (const [index, block] of blocks.entries()) {
    await device.writeFrom(block.bytes, blocksOffset + index * header.clusterSize);
  }
  const sector = cluster.slice(0, SIZE_UNIT);
  headerV2.write(cluster, { magic: 0 });
  await device.writeFrom(cluster, 0);
  await device.flush();
  await device.writeFrom(sector, 0);
  await device.flush();
}

interface Layout {
  readonly header: HeaderDescription;
  readonly refcountTable: Uint8Array;
  readonly blocks: readonly RefcountBlock[];
  readonly blocksOffset: number;
  readonly fileSize: number;
}

/** Header, refcount table, refcount blocks and L1 table one after another from the file's beginning. */
function layOut(options: CreateOptions): Layout {
  const { virtualSize, clusterSize = 65536, refcountBits = 16, version = 3, compressionType = 'zlib' } = options;
  checkOptions({ ...options, clusterSize, refcountBits, version, compressionType });
  const entriesPerTable = clusterSize / ENTRY_BYTES;
  const countsPerBlock = (clusterSize * 8) / refcountBits;
  const l1EntryCount = divideUp(virtualSize, clusterSize * entriesPerTable);
  const l1Clusters = divideUp(l1EntryCount, entriesPerTable);
  let tableClusters = 1;
  let blockCount = 1;
  // Grows until the counts cover their own clusters too; both only rise, and by less each time.
  for (;;) {
    const total = 1 + tableClusters + blockCount + l1Clusters;
    const blocksNeeded = divideUp(total, countsPerBlock);
    const tableNeeded = divideUp(blocksNeeded, entriesPerTable);
    if (blocksNeeded <= blockCount && tableNeeded <= tableClusters) break;
    blockCount = Math.max(blockCount, blocksNeeded);
    tableClusters = Math.max(tableClusters, tableNeeded);
  }
  const blocksOffset = (1 + tableClusters) * clusterSize;
  const clusters = 1 + tableClusters + blockCount + l1Clusters;
  const refcountTable = new Uint8Array(tableClusters * clusterSize);
  const view = new DataView(refcountTable.buffer);
  const blocks = Array.from({ length: blockCount }, (_, index) => {
    view.setBigUint64(index * ENTRY_BYTES, BigInt(blocksOffset + index * clusterSize));
    const block = new RefcountBlock(new Uint8Array(clusterSize), refcountBits);
    const used = Math.min(countsPerBlock, clusters - index * countsPerBlock);
    for (let at = 0; at < used; at++) block.set(at, 1);
    return block;
  });
  const header: HeaderDescription = {
    version,
    clusterSize,
    virtualSize,
    l1TableOffset: l1EntryCount === 0 ? 0 : blocksOffset + blockCount * clusterSize,
    l1EntryCount,
    refcountTableOffset: clusterSize,
    refcountTableClusters: tableClusters,
    refcountBits,
    compressionType,
    backing: options.backing,
  };
  return { header, refcountTable, blocks, blocksOffset, fileSize: clusters * clusterSize };
}

function checkOptions(options: CreateOptions & { readonly clusterSize: number; readonly refcountBits: number }): void {
  const { virtualSize, clusterSize, refcountBits, version, compressionType } = options;
  checkGeometry(virtualSize, clusterSize);
  if (!isPowerOfTwo(refcountBits) || refcountBits > 64) {
    throw outOfRange({
      layer: 'qcow2',
      structure: 'refcount bits',
      expected: 'a power of two from 1 to 64',
      found: refcountBits,
    });
  }
  if (version === 2 && (refcountBits !== 16 || compressionType !== 'zlib')) {
    throw unsupported({
      layer: 'qcow2',
      structure: 'version 2',
      expected: 'reference counts of 16 bits and zlib, which is all that it has',
      found: `${refcountBits} bits and ${compressionType}`,
    });
  }
}

/** Refuses a cluster size that the format does not have, and a disk that is too large for it; both in bytes. */
export function checkGeometry(virtualSize: number, clusterSize: number): void {
  const [smallest, largest] = [2 ** MIN_CLUSTER_BITS, 2 ** MAX_CLUSTER_BITS];
  if (!isPowerOfTwo(clusterSize) || clusterSize < smallest || clusterSize > largest) {
    throw outOfRange({
      layer: 'qcow2',
      structure: 'cluster size',
      expected: `a power of two from ${smallest} to ${largest}`,
      found: clusterSize,
    });
  }
  checkVirtualSize(virtualSize, { clusterSize, hasExtendedL2: false });
}

/** Refuses a size that an L1 table of QEMU's limit cannot map, or that is no whole sectors. */
export function checkVirtualSize(virtualSize: number, geometry: TableGeometry): void {
  const largest = MAX_L1_ENTRIES * l2TableSpan(geometry);
  const isWhole = Number.isSafeInteger(virtualSize) && virtualSize >= 0 && virtualSize % SIZE_UNIT === 0;
  if (isWhole && virtualSize <= largest) return;
  throw outOfRange({
    layer: 'qcow2',
    structure: 'virtual size',
    expected: `a multiple of ${SIZE_UNIT}, at most ${largest} with clusters of ${geometry.clusterSize}`,
    found: virtualSize,
  });
}
