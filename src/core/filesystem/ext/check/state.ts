import { PagedNumbers } from '../../../bytes/paged-numbers.ts';
import { divideDown } from '../../../bytes/rounding.ts';
import { SparseBitSet } from '../../../bytes/sparse-bit-set.ts';
import type { BlockDevice, ReadOptions } from '../../../device/block-device.ts';
import { readBytes } from '../../../device/block-device.ts';
import { CachedDevice } from '../../../device/cached-device.ts';
import type { CheckOptions, Severity } from '../../finding.ts';
import type { Checksum } from '../checksums.ts';
import type { Geometry } from '../geometry.ts';
import type { Superblock } from '../superblock.ts';
import { DirectoryRuns } from './directory-runs.ts';
import { Findings, type Problem } from './findings.ts';
import type { GroupTable } from './groups.ts';

/** Metadata that lies here and there (maps, directories) is read and kept in pieces of this size. */
const PIECE_BYTES = 256 * 1024;
const CACHE_BYTES = 16 * 1024 * 1024;

/** What a check knows so far: numbers of blocks, clusters and inodes in bitmaps, nothing of files in objects. */
export class CheckState {
  readonly device: BlockDevice;
  readonly geometry: Geometry;
  readonly superblock: Superblock;
  readonly options: CheckOptions;
  readonly findings = new Findings();
  readonly ratio: number;
  /** Clusters that belong to something, and those that belong to more than one thing. */
  readonly usedClusters = new SparseBitSet();
  readonly sharedClusters = new SparseBitSet();
  /** Blocks of superblocks, descriptors, bitmaps and inode tables. */
  readonly metadataBlocks = new SparseBitSet();
  /** Groups whose inode table lies on other metadata. */
  readonly lostTables = new SparseBitSet();
  readonly usedInodes = new SparseBitSet();
  readonly directories = new SparseBitSet();
  readonly files = new SparseBitSet();
  /** Inodes whose mode makes no sense: they have no file type that an entry could tell. */
  readonly badInodes = new SparseBitSet();
  /** By inode in use that is neither: its type of file, as entries tell it. */
  readonly otherKinds = new PagedNumbers();
  readonly casefolded = new SparseBitSet();
  readonly imagic = new SparseBitSet();
  /** By inode: the link count that it has, and how many entries name it. */
  readonly storedLinks = new PagedNumbers();
  readonly countedLinks = new PagedNumbers();
  /** By directory: the directory that has an entry for it, and what its `..` says. */
  readonly parents = new PagedNumbers();
  readonly dotDots = new PagedNumbers();
  /** Attribute blocks that were looked at; of those that more than one inode may have, how many are still to come. */
  readonly seenAttributeBlocks = new SparseBitSet();
  readonly attributeReferences = new Map<number, number>();
  /** Clusters that an attribute block counts for, where that is not 1: values of it are elsewhere. */
  readonly attributeClusters = new Map<number, number>();
  /** By inode that holds a value: attributes that name it. */
  readonly valueReferences = new PagedNumbers();
  /** By encrypted inode the number of its policy. */
  readonly policies = new PagedNumbers();
  readonly policyNumbers = new Map<string, number>();
  readonly directoryRuns = new DirectoryRuns();
  readonly indexed = new Set<number>();
  readonly inlineDirectories = new SparseBitSet();
  /** By directory, where its blocks have checksums: what those begin with. */
  readonly generations = new PagedNumbers();
  /** Blocks that directories claim, together. */
  listedBlocks = 0;
  hasShared = false;
  hasLargeFile = false;
  hasLargeDirectory = false;
  readonly #metadata: CachedDevice;
  /** Of all three kinds: no name is of two. */
  readonly #features: ReadonlySet<string>;
  #groups: GroupTable | undefined;

  constructor(device: BlockDevice, geometry: Geometry, superblock: Superblock, options: CheckOptions) {
    this.device = device;
    this.geometry = geometry;
    this.superblock = superblock;
    this.options = options;
    const { compatible, incompatible, readOnlyCompatible } = geometry.features;
    this.#features = new Set([...compatible, ...incompatible, ...readOnlyCompatible]);
    this.ratio = geometry.clusterSize / geometry.blockSize;
    this.#metadata = new CachedDevice(device, { blockBytes: PIECE_BYTES, limitBytes: CACHE_BYTES });
  }

  get groups(): GroupTable {
    return this.#groups!;
  }

  setGroups(groups: GroupTable): void {
    this.#groups = groups;
  }

  has(feature: string): boolean {
    return this.#features.has(feature);
  }

  /** Whether descriptors have checksums, and with them flags that say what was never written. */
  get hasGroupSums(): boolean {
    return this.has('metadata_csum') || this.has('uninit_bg');
  }

  add(problem: Problem): void {
    this.findings.add(problem);
  }

  error(
    code: string,
    structure: string,
    offset: number | undefined,
    message: string,
    inodes?: readonly number[],
  ): void {
    this.findings.add({ code, structure, offset, message, ...(inodes === undefined ? {} : { inodes }) });
  }

  /** What e2fsck mends before its first pass and does not count: the filesystem's content is whole without it. */
  warn(code: string, structure: string, offset: number | undefined, message: string): void {
    this.findings.add({ severity: 'warning', code, structure, offset, message });
  }

  /** Tells a wrong checksum; true when it is right, or there is none. */
  sum(structure: string, offset: number, checksum: Checksum | undefined, inodes?: readonly number[]): boolean {
    return this.#sum('error', structure, offset, checksum, inodes);
  }

  /** The same, as a warning. */
  warnSum(structure: string, offset: number, checksum: Checksum | undefined): boolean {
    return this.#sum('warning', structure, offset, checksum);
  }

  #sum(
    severity: Severity,
    structure: string,
    offset: number,
    checksum: Checksum | undefined,
    inodes?: readonly number[],
  ): boolean {
    if (checksum === undefined || checksum.stored === checksum.computed) return true;
    const [found, expected] = [checksum.stored, checksum.computed].map((sum) => `0x${sum.toString(16)}`);
    this.add({
      severity,
      code: 'checksum-wrong',
      structure,
      offset: offset + checksum.at,
      message: `the checksum is ${found}, that of its bytes ${expected}`,
      ...(inodes === undefined ? {} : { inodes }),
    });
    return false;
  }

  blockOffset(block: number): number {
    return block * this.geometry.blockSize;
  }

  clusterOf(block: number): number {
    return this.ratio === 1 ? block : divideDown(block, this.ratio);
  }

  /** Whether the filesystem has that block at all. */
  hasBlock(block: number): boolean {
    return block >= this.geometry.firstDataBlock && block < this.geometry.blockCount;
  }

  /** Takes clusters for something; those that were taken already are shared. */
  claim(firstBlock: number, blockCount: number): void {
    const first = this.clusterOf(firstBlock);
    const count = this.clusterOf(firstBlock + blockCount - 1) - first + 1;
    if (this.usedClusters.addNew(first, count)) return;
    // However often the same is claimed again.
    if (this.sharedClusters.hasAll(first, count)) return;
    // Files of such a filesystem, which is never written, share what is alike.
    const mayShare = this.has('shared_blocks');
    for (let cluster = first; cluster < first + count; cluster++)
      if (!this.usedClusters.add(cluster) && !mayShare) this.addShared(cluster);
  }

  private addShared(cluster: number): void {
    this.sharedClusters.add(cluster);
    this.hasShared = true;
  }

  /** A block in memory of its own; undefined, and told, when the device does not have it or fails. */
  async read(block: number, structure: string, inodes?: readonly number[]): Promise<Uint8Array | undefined> {
    return this.readAt(this.blockOffset(block), this.geometry.blockSize, structure, inodes);
  }

  async readBlocks(
    first: number,
    count: number,
    structure: string,
    inodes?: readonly number[],
  ): Promise<Uint8Array | undefined> {
    return this.readAt(this.blockOffset(first), count * this.geometry.blockSize, structure, inodes);
  }

  async readAt(
    offset: number,
    length: number,
    structure: string,
    inodes?: readonly number[],
  ): Promise<Uint8Array | undefined> {
    if (offset + length > this.device.size) {
      const message = `it would lie behind the end of the device, which has ${this.device.size} bytes`;
      this.error('outside-device', structure, offset, message, inodes);
      return undefined;
    }
    try {
      return await readBytes(this.#metadata, offset, length, this.readOptions);
    } catch (error) {
      this.options.signal?.throwIfAborted();
      this.error('unreadable', structure, offset, error instanceof Error ? error.message : String(error), inodes);
      return undefined;
    }
  }

  get readOptions(): ReadOptions {
    return { signal: this.options.signal };
  }
}
