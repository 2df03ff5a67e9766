import { crc16 } from '../../bytes/crc16.ts';
import { crc32c, crc32cWithoutField } from '../../bytes/crc32c.ts';
import { viewOf } from '../../bytes/struct.ts';

/** A checksum as it stands in a structure, and where, and as its bytes give it. */
export interface Checksum {
  /** From the start of the structure, in bytes. */
  readonly at: number;
  readonly stored: number;
  readonly computed: number;
}

const SUPERBLOCK_CHECKSUM = 0x3fc;
const DESCRIPTOR_CHECKSUM = 0x1e;
const DESCRIPTOR_CHECKSUM_BYTES = 2;
const INODE_CHECKSUM_LOW = 0x7c;
const INODE_CHECKSUM_HIGH = 0x82;
const INODE_BASE_BYTES = 128;
const ATTRIBUTE_CHECKSUM = 0x10;
const MMP_CHECKSUM = 0x3fc;
const EXTENT_HEADER_BYTES = 12;
const EXTENT_BYTES = 12;

/** `struct ext4_dir_entry_tail`: an empty record with a type of its own, and the checksum. */
const LEAF_TAIL_BYTES = 12;
const LEAF_TAIL_WORD = 0xde00_000c;
/** `struct dx_countlimit` behind what a root of a hash tree begins with, and behind the empty record of another node. */
const INDEX_ROOT_COUNTS = 32;
const INDEX_NODE_COUNTS = 8;
const INDEX_ENTRY_BYTES = 8;
const INDEX_TAIL_BYTES = 8;

const ZEROS = new Uint8Array(4);

/** A sum as ext4 and its journal store it: CRC-32C without the inversion at the end that it has elsewhere; and back. */
export function storedSum(sum: number): number {
  return 0xffff_ffff - sum;
}

/** What the sums of a filesystem begin with: that of its UUID, or the seed that was kept of an earlier one. */
export function checksumSeed(uuid: Uint8Array, kept: number | undefined): number {
  return kept === undefined ? crc32c(uuid) : storedSum(kept);
}

/** The sum of a superblock (kernel documentation, ext4 "Checksums"): the only one without a seed. */
export function superblockChecksum(bytes: Uint8Array): Checksum {
  const computed = storedSum(crc32c(bytes.subarray(0, SUPERBLOCK_CHECKSUM)));
  return { at: SUPERBLOCK_CHECKSUM, stored: viewOf(bytes).getUint32(SUPERBLOCK_CHECKSUM, true), computed };
}

/** Of a group descriptor with the number of its group: the lower 16 bits. */
export function descriptorChecksum(bytes: Uint8Array, group: number, seed: number): Checksum {
  const number = new Uint8Array(4);
  viewOf(number).setUint32(0, group, true);
  const head = crc32c(bytes.subarray(0, DESCRIPTOR_CHECKSUM), crc32c(number, seed));
  const zeroed = crc32c(ZEROS.subarray(0, DESCRIPTOR_CHECKSUM_BYTES), head);
  const sum = crc32c(bytes.subarray(DESCRIPTOR_CHECKSUM + DESCRIPTOR_CHECKSUM_BYTES), zeroed);
  const kept = viewOf(bytes).getUint16(DESCRIPTOR_CHECKSUM, true);
  return { at: DESCRIPTOR_CHECKSUM, stored: kept, computed: storedSum(sum) % 2 ** 16 };
}

/** The same of a filesystem with the older sums (uninit_bg): CRC-16 of its UUID, the number and the descriptor. */
export function descriptorCrc16(bytes: Uint8Array, group: number, uuid: Uint8Array): Checksum {
  const number = new Uint8Array(4);
  viewOf(number).setUint32(0, group, true);
  const head = crc16(bytes.subarray(0, DESCRIPTOR_CHECKSUM), crc16(number, crc16(uuid, 0xffff)));
  const computed = crc16(bytes.subarray(DESCRIPTOR_CHECKSUM + DESCRIPTOR_CHECKSUM_BYTES), head);
  return { at: DESCRIPTOR_CHECKSUM, stored: viewOf(bytes).getUint16(DESCRIPTOR_CHECKSUM, true), computed };
}

/** Of a bitmap, which its group's descriptor keeps: all of it, or the lower half in a descriptor of 32 bytes. */
export function bitmapChecksum(bytes: Uint8Array, isWide: boolean, seed: number): number {
  const sum = storedSum(crc32c(bytes, seed));
  return isWide ? sum : sum % 2 ** 16;
}

/** What the sums of an inode, its extents and its directory blocks begin with: its number and its generation. */
export function inodeSeed(
  { id, generation }: { readonly id: number; readonly generation: number },
  seed: number,
): number {
  seedView.setUint32(0, id, true);
  seedView.setUint32(4, generation, true);
  return crc32c(seedBytes, seed);
}

// Not made anew for each of the inodes of a listing; nor is a view of their bytes, which takes longer than their sum.
const seedBytes = new Uint8Array(8);
const seedView = viewOf(seedBytes);

function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! + bytes[at + 1]! * 256;
}

/** Of an inode, whose upper half is there only when `i_extra_isize` reaches so far. */
export function inodeChecksum(bytes: Uint8Array, seed: number): Checksum {
  const low = wordAt(bytes, INODE_CHECKSUM_LOW);
  const hasHigh =
    bytes.length > INODE_BASE_BYTES && wordAt(bytes, INODE_BASE_BYTES) >= INODE_CHECKSUM_HIGH + 2 - INODE_BASE_BYTES;
  // A copy in which the sum itself is zero: one sum over all of it is quicker than one of each part.
  if (scratch.length !== bytes.length) scratch = new Uint8Array(bytes.length);
  scratch.set(bytes);
  scratch.fill(0, INODE_CHECKSUM_LOW, INODE_CHECKSUM_LOW + 2);
  if (hasHigh) scratch.fill(0, INODE_CHECKSUM_HIGH, INODE_CHECKSUM_HIGH + 2);
  const sum = storedSum(crc32c(scratch, seed));
  if (!hasHigh) return { at: INODE_CHECKSUM_LOW, stored: low, computed: sum % 2 ** 16 };
  return { at: INODE_CHECKSUM_LOW, stored: wordAt(bytes, INODE_CHECKSUM_HIGH) * 2 ** 16 + low, computed: sum };
}

/** Of the size of the inodes of the filesystem that was read last. */
let scratch = new Uint8Array(0);

/** Of a block of an extent tree: behind the room for its entries; undefined when that leaves no place for it. */
export function extentBlockChecksum(bytes: Uint8Array, seed: number): Checksum | undefined {
  const view = viewOf(bytes);
  const at = EXTENT_HEADER_BYTES + view.getUint16(4, true) * EXTENT_BYTES;
  if (at + 4 > bytes.length) return undefined;
  return { at, stored: view.getUint32(at, true), computed: storedSum(crc32c(bytes.subarray(0, at), seed)) };
}

/** Of a directory block: a leaf with its tail, or a node of a hash tree; undefined for one that has none. */
export function directoryBlockChecksum(bytes: Uint8Array, isIndexRoot: boolean, seed: number): Checksum | undefined {
  const view = viewOf(bytes);
  const tail = bytes.length - LEAF_TAIL_BYTES;
  const isLeaf = view.getUint32(tail, true) === 0 && view.getUint32(tail + 4, true) === LEAF_TAIL_WORD;
  if (isLeaf && !isIndexRoot) {
    const at = tail + 8;
    return { at, stored: view.getUint32(at, true), computed: storedSum(crc32c(bytes.subarray(0, tail), seed)) };
  }
  // A node of a hash tree looks like one empty record as long as the block.
  const isNode = view.getUint32(0, true) === 0 && [bytes.length, 0, 0xffff].includes(view.getUint16(4, true));
  if (!isIndexRoot && !isNode) return undefined;
  return indexChecksum(bytes, isIndexRoot ? INDEX_ROOT_COUNTS : INDEX_NODE_COUNTS, seed);
}

function indexChecksum(bytes: Uint8Array, counts: number, seed: number): Checksum | undefined {
  const view = viewOf(bytes);
  const [limit, count] = [view.getUint16(counts, true), view.getUint16(counts + 2, true)];
  const tail = counts + limit * INDEX_ENTRY_BYTES;
  if (count > limit || tail + INDEX_TAIL_BYTES > bytes.length) return undefined;
  const entries = crc32c(bytes.subarray(0, counts + count * INDEX_ENTRY_BYTES), seed);
  const sum = crc32c(ZEROS, crc32c(bytes.subarray(tail, tail + 4), entries));
  return { at: tail + 4, stored: view.getUint32(tail + 4, true), computed: storedSum(sum) };
}

/** Of a block of extended attributes, with its number. */
export function attributeBlockChecksum(bytes: Uint8Array, block: number, seed: number): Checksum {
  const number = new Uint8Array(8);
  viewOf(number).setBigUint64(0, BigInt(block), true);
  const computed = storedSum(crc32cWithoutField(bytes, ATTRIBUTE_CHECKSUM, crc32c(number, seed)));
  return { at: ATTRIBUTE_CHECKSUM, stored: viewOf(bytes).getUint32(ATTRIBUTE_CHECKSUM, true), computed };
}

/** `struct mmp_struct`, multiple mount protection: the sum is its last word. */
export function mmpChecksum(bytes: Uint8Array, seed: number): Checksum {
  const at = MMP_CHECKSUM;
  return { at, stored: viewOf(bytes).getUint32(at, true), computed: storedSum(crc32c(bytes.subarray(0, at), seed)) };
}

/** Of a block of the orphan file, with its number in the filesystem; `seed` is that of the file's inode. */
export function orphanBlockChecksum(bytes: Uint8Array, block: number, seed: number): Checksum {
  const number = new Uint8Array(8);
  viewOf(number).setBigUint64(0, BigInt(block), true);
  const at = bytes.length - 4;
  const computed = storedSum(crc32c(bytes.subarray(0, at - 4), crc32c(number, seed)));
  return { at, stored: viewOf(bytes).getUint32(at, true), computed };
}
