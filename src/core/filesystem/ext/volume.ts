import { LRUCache } from 'lru-cache';
import { divideDown } from '../../bytes/rounding.ts';
import { type BlockDevice, type ReadOptions, readBytes } from '../../device/block-device.ts';
import { CachedDevice } from '../../device/cached-device.ts';
import { corrupt, DiskError, ioError, notFound, outOfRange } from '../../errors.ts';
import type { OpenContext } from '../../format.ts';
import { BoundedReporter } from '../bounded-reporter.ts';
import type { BlockRange } from './block-run.ts';
import { type Checksum, inodeChecksum, inodeSeed } from './checksums.ts';
import { backupDescriptorOffsets, descriptorOffset, type Geometry } from './geometry.ts';
import { GROUP_DESCRIPTOR, parseDescriptor } from './group-descriptor.ts';
import { descriptorSum } from './group-sums.ts';
import { type Inode, parseInode } from './inode.ts';

/** Inode tables and mapping blocks are read and kept in pieces of this size. */
const METADATA_PIECE_BYTES = 64 * 1024;
const METADATA_CACHE_BYTES = 8 * 1024 * 1024;
/** Groups whose inode table's place is remembered. */
const MAX_REMEMBERED_GROUPS = 4096;

/** An ext filesystem below the level of files: blocks, groups, inodes. */
export class ExtVolume {
  readonly device: BlockDevice;
  readonly geometry: Geometry;
  /** The blocks that a file may own: behind the superblock, before the end. */
  readonly dataBlocks: BlockRange;
  readonly #reporter: BoundedReporter;
  readonly #strict: boolean;
  readonly #metadata: BlockDevice;
  readonly #inodeTables: LRUCache<number, number>;

  /** `sibling`: another view of the same device, whose caches are used. */
  constructor(
    device: BlockDevice,
    geometry: Geometry,
    context: Pick<OpenContext, 'report' | 'strict'>,
    sibling?: ExtVolume | undefined,
  ) {
    this.device = device;
    this.geometry = geometry;
    this.dataBlocks = { first: geometry.firstDataBlock + 1, end: geometry.blockCount };
    this.#strict = context.strict === true;
    this.#reporter = new BoundedReporter((diagnostic) => context.report(diagnostic));
    const cache = { blockBytes: METADATA_PIECE_BYTES, limitBytes: METADATA_CACHE_BYTES };
    this.#inodeTables = sibling === undefined ? new LRUCache({ max: MAX_REMEMBERED_GROUPS }) : sibling.#inodeTables;
    this.#metadata = sibling === undefined ? new CachedDevice(device, cache) : sibling.#metadata;
  }

  /** Says what is odd but readable, each thing once. */
  report(structure: string, offset: number | undefined, message: string): void {
    this.#reporter.report({ layer: 'ext', structure, offset, message });
  }

  /**
   * Says where a checksum is not that of its bytes, on a filesystem that has them; the structure lies at `offset`. What was read
   * is used all the same, but where the context is strict: there it is CORRUPT.
   */
  verify(structure: string, offset: number, checksumOf: (seed: number) => Checksum | undefined): void {
    const { checksumSeed } = this.geometry;
    this.#tell(structure, offset, checksumSeed === undefined ? undefined : checksumOf(checksumSeed));
  }

  #tell(structure: string, offset: number, checksum: Checksum | undefined): boolean {
    if (checksum === undefined || checksum.stored === checksum.computed) return true;
    const at = offset + checksum.at;
    const [found, expected] = [checksum.stored, checksum.computed].map((sum) => `0x${sum.toString(16)}`);
    if (this.#strict) throw corrupt({ layer: 'ext', structure: `${structure} checksum`, offset: at, expected, found });
    this.report(structure, at, `the checksum is ${found}, that of its bytes ${expected}`);
    return false;
  }

  blockOffset(block: number): number {
    return block * this.geometry.blockSize;
  }

  hasDataBlocks(block: number, count: number): boolean {
    return block >= this.dataBlocks.first && block + count <= this.dataBlocks.end;
  }

  /** A block of metadata, through the cache; `structure` names it in errors. The block number has been checked. */
  async readMetadata(block: number, structure: string, options?: ReadOptions): Promise<Uint8Array> {
    return this.#read(structure, this.blockOffset(block), this.geometry.blockSize, options);
  }

  /** Bulk bytes (directory blocks) straight from the device into new memory. */
  async readBlocks(block: number, count: number, structure: string, options?: ReadOptions): Promise<Uint8Array> {
    const offset = this.blockOffset(block);
    const length = count * this.geometry.blockSize;
    this.#requirePresent(structure, offset, length);
    return readBytes(this.device, offset, length, options);
  }

  /** The inode with that number; one that was never used is NOT_FOUND. */
  async inode(id: number, options?: ReadOptions): Promise<Inode> {
    const { inodeCount, inodesPerGroup, inodeSize } = this.geometry;
    if (!Number.isInteger(id) || id < 1 || id > inodeCount) {
      throw outOfRange({ layer: 'ext', structure: 'inode number', expected: `1 to ${inodeCount}`, found: id });
    }
    const group = divideDown(id - 1, inodesPerGroup);
    const table = this.#inodeTables.get(group) ?? (await this.#locateInodeTable(group, options));
    const offset = this.blockOffset(table) + ((id - 1) % inodesPerGroup) * inodeSize;
    const inode = parseInode(await this.#read(`inode ${id}`, offset, inodeSize, options), id, offset, this.geometry);
    if (inode === undefined) {
      throw notFound({
        layer: 'ext',
        structure: `inode ${id}`,
        offset,
        expected: 'an inode in use',
        found: 'a free one',
      });
    }
    this.verify(`inode ${id}`, offset, (seed) => inodeChecksum(inode.bytes, inodeSeed(inode, seed)));
    if (inode.hasBadExtraSize) {
      this.report(`inode ${id}`, offset, 'i_extra_isize does not fit the inode: its fields past byte 128 are ignored');
    }
    return inode;
  }

  async #locateInodeTable(group: number, options?: ReadOptions): Promise<number> {
    const table = await this.#inodeTableOf(group, options);
    this.#inodeTables.set(group, table);
    return table;
  }

  /** By the group's descriptor; by a copy of it where that is damaged and the copy is not. */
  async #inodeTableOf(group: number, options?: ReadOptions): Promise<number> {
    const structure = `group descriptor ${group}`;
    const offset = descriptorOffset(this.geometry, group);
    const first = await this.#readDescriptor(group, offset, true, options).catch((error: unknown) => {
      if (!(error instanceof DiskError) || this.#strict) throw error;
      return error;
    });
    if (!(first instanceof DiskError) && first.isSummed && this.#fits(first.table)) return first.table;
    for (const copyOffset of backupDescriptorOffsets(this.geometry, group)) {
      if (copyOffset + this.geometry.descriptorSize > this.device.size) continue;
      const copy = await this.#readDescriptor(group, copyOffset, false, options);
      if (!copy.isSummed || !this.#fits(copy.table)) continue;
      const isSame = !(first instanceof DiskError) && first.table === copy.table;
      if (!isSame)
        this.report(structure, offset, `it is damaged: its copy at offset 0x${copyOffset.toString(16)} is used`);
      return copy.table;
    }
    if (first instanceof DiskError) throw first;
    if (this.#fits(first.table)) return first.table;
    const { first: low, end } = this.dataBlocks;
    throw corrupt({
      layer: 'ext',
      structure: `${structure} inodeTable`,
      offset: offset + GROUP_DESCRIPTOR.fields.inodeTableLow.offset,
      expected: `${this.#tableBlocks} blocks inside ${low} to ${end - 1}`,
      found: first.table,
    });
  }

  get #tableBlocks(): number {
    const { inodesPerGroup, inodeSize, blockSize } = this.geometry;
    return Math.ceil((inodesPerGroup * inodeSize) / blockSize);
  }

  #fits(table: number): boolean {
    return this.hasDataBlocks(table, this.#tableBlocks);
  }

  /** Where a descriptor says that the inode table is, and whether its checksum, if it has one, is right; a wrong one is told when asked for. */
  async #readDescriptor(
    group: number,
    offset: number,
    tells: boolean,
    options?: ReadOptions,
  ): Promise<{ readonly table: number; readonly isSummed: boolean }> {
    const structure = `group descriptor ${group}`;
    const bytes = await this.#read(structure, offset, this.geometry.descriptorSize, options);
    const sum = descriptorSum(this.geometry, bytes, group);
    const isSummed = tells ? this.#tell(structure, offset, sum) : sum === undefined || sum.stored === sum.computed;
    return { table: parseDescriptor(bytes, offset).inodeTable, isSummed };
  }

  async #read(structure: string, offset: number, length: number, options?: ReadOptions): Promise<Uint8Array> {
    this.#requirePresent(structure, offset, length);
    // From the pool of Node.js: memory of its own for each inode would cost as much as all that is read in it.
    const bytes = Buffer.allocUnsafe(length);
    await this.#metadata.readInto(bytes, offset, options);
    return bytes;
  }

  /** The filesystem may be larger than what is there of it: a truncated image. */
  #requirePresent(structure: string, offset: number, length: number): void {
    if (offset + length <= this.device.size) return;
    throw ioError({
      layer: 'ext',
      structure,
      offset,
      expected: `a device of at least ${offset + length} bytes`,
      found: `${this.device.size} bytes: the image is truncated`,
    });
  }
}
