import { hasBit } from '../../bytes/bits.ts';
import { divideDown, divideUp } from '../../bytes/rounding.ts';
import { type BlockDevice, type ByteRange, type ReadOptions, readBytes } from '../../device/block-device.ts';
import { notFound } from '../../errors.ts';
import type { Property } from '../../format.ts';
import type { BoundedReporter } from '../bounded-reporter.ts';
import type { FileSystem, NodeOptions } from '../filesystem.ts';
import type { CheckOptions, Finding } from '../finding.ts';
import type { RecoverableFile, RecoverableOptions } from '../recoverable-file.ts';
import { bootSector32 } from './boot-sector-32.ts';
import { checkFat } from './check/check-fat.ts';
import { type ChainOrigin, ClusterChain } from './cluster-chain.ts';
import type { CodePage } from './code-page.ts';
import { ATTRIBUTE_BITS, DELETED_MARK, directoryEntry, END_OF_DIRECTORY, SLOT_BYTES } from './directory-entry.ts';
import { FatTable } from './fat-table.ts';
import { FormerClusters } from './former-clusters.ts';
import { type FatGeometry, isDataCluster } from './geometry.ts';
import { isLongNameAttribute } from './long-name-entry.ts';
import { attributeWords, FatDirectory, FatFile, type NodeParts } from './nodes.ts';
import { isDirectoryStart } from './recover/directory-start.ts';
import { recoverFat } from './recover/recover-fat.ts';
import { ClusterStorage, FixedStorage } from './storage.ts';
import { decodeTimestamp } from './timestamp.ts';

const ROOT_ID = 0;

/** What opening found out beyond the geometry. */
export interface FatFacts {
  readonly label: string;
  /** Bytes; undefined when nobody counted. */
  readonly free: number | undefined;
  readonly properties: readonly Property[];
}

/** An open FAT12, FAT16 or FAT32. */
export class FatFileSystem implements FileSystem {
  readonly device: BlockDevice;
  readonly geometry: FatGeometry;
  readonly table: FatTable;
  /** In which short names and labels are written. */
  readonly codePage: CodePage;
  readonly rootId: number = ROOT_ID;
  #facts: FatFacts = { label: '', free: undefined, properties: [] };
  readonly #reporter: BoundedReporter;

  constructor(device: BlockDevice, geometry: FatGeometry, codePage: CodePage, reporter: BoundedReporter) {
    this.codePage = codePage;
    this.device = device;
    this.geometry = geometry;
    this.table = new FatTable(device, geometry);
    this.#reporter = reporter;
  }

  get type(): FatGeometry['type'] {
    return this.geometry.type;
  }

  get label(): string {
    return this.#facts.label;
  }

  get blockSize(): number {
    return this.geometry.clusterSize;
  }

  get usage(): { readonly total: number; readonly free: number | undefined } {
    return { total: this.geometry.clusterCount * this.geometry.clusterSize, free: this.#facts.free };
  }

  get properties(): readonly Property[] {
    return this.#facts.properties;
  }

  /** For the opener, which needs the root and the FAT to find them. */
  setFacts(facts: FatFacts): void {
    this.#facts = facts;
  }

  /** A negative number is that of a chain without a name, by its first cluster: see `lostFile`. */
  async node(id: number, options?: NodeOptions): Promise<FatDirectory | FatFile> {
    if (id === ROOT_ID) return this.root(options);
    if (isDataCluster(this.geometry, -id)) return this.#lostNode(-id, options);
    return this.#entryNode(id, options?.deleted === true, options);
  }

  /** The node of an entry that is gone though it may not say so: one in a directory that was deleted. */
  deletedNode(id: number, options?: ReadOptions): Promise<FatDirectory | FatFile> {
    return this.#entryNode(id, true, options);
  }

  async #entryNode(id: number, isKnownDeleted: boolean, options?: ReadOptions): Promise<FatDirectory | FatFile> {
    const offset = this.#entryOffset(id);
    const bytes = await readBytes(this.device, offset, SLOT_BYTES, options);
    const entry = directoryEntry.parse(bytes, 0, offset);
    const first = entry.name[0]!;
    const isNode = !isLongNameAttribute(entry.attributes) && !hasBit(entry.attributes, ATTRIBUTE_BITS.label);
    if (first === END_OF_DIRECTORY || !isNode)
      throw noNode(id, offset, 'the entry of a file or directory', 'another kind of slot');
    const deleted = isKnownDeleted || first === DELETED_MARK;
    const high = this.geometry.entryBits === 32 ? entry.firstClusterHigh : 0;
    const cluster = high * 0x1_0000 + entry.firstClusterLow;
    const origin = { structure: 'directory entry', offset: offset + directoryEntry.fields.firstClusterLow.offset };
    const parts = {
      id,
      times: {
        modified: decodeTimestamp(entry.modifiedDate, entry.modifiedTime),
        accessed: decodeTimestamp(entry.accessedDate),
        created: decodeTimestamp(entry.createdDate, entry.createdTime, entry.createdFine),
      },
      flags: attributeWords(entry.attributes),
      deleted,
      location: { start: offset, length: SLOT_BYTES },
      storage: this.#storage(cluster, deleted, origin),
    };
    if (hasBit(entry.attributes, ATTRIBUTE_BITS.directory))
      return this.#directory(deleted ? { ...parts, formerStart: cluster } : parts, options);
    return new FatFile({ ...parts, size: entry.size }, this.geometry.clusterSize);
  }

  check(options?: CheckOptions): AsyncGenerator<Finding, void> {
    return checkFat(this, options);
  }

  recoverable(options?: RecoverableOptions): AsyncGenerator<RecoverableFile, void> {
    return recoverFat(this, options);
  }

  /** A chain of `count` clusters that no directory leads to, as a file. */
  lostFile(first: number, count: number): FatFile {
    const size = count * this.geometry.clusterSize;
    return new FatFile({ ...this.#lostParts(first, count), size }, this.geometry.clusterSize);
  }

  /** The same as the directory that it is. */
  lostDirectory(first: number, count: number): FatDirectory {
    const size = count * this.geometry.clusterSize;
    return new FatDirectory({ ...this.#lostParts(first, count), size, allocated: size }, this, this.#orphan);
  }

  async #lostNode(first: number, options?: ReadOptions): Promise<FatDirectory | FatFile> {
    if ((await this.table.entry(first, options)) === 0)
      throw noNode(-first, this.table.entryOffset(first), 'a cluster in use', 'one that is free');
    const { storage } = this.#lostParts(first);
    const count = divideDown(await storage.measure(options), this.geometry.clusterSize);
    const isDirectory = await isDirectoryStart(this.device, this.geometry, first, options);
    return isDirectory ? this.lostDirectory(first, count) : this.lostFile(first, count);
  }

  #lostParts(
    first: number,
    count?: number,
  ): Omit<NodeParts, 'size' | 'storage'> & { readonly storage: ClusterStorage } {
    const location = { start: this.table.entryOffset(first), length: divideUp(this.geometry.entryBits, 8) };
    const chain = new ClusterChain(this.table, first, { structure: 'lost chain', offset: location.start });
    const storage = new ClusterStorage(this.device, this.geometry, chain, count);
    return { id: -first, times: {}, flags: [], deleted: true, location, storage };
  }

  async root(options?: ReadOptions): Promise<FatDirectory> {
    const parts = { id: ROOT_ID, times: {}, flags: [], deleted: false };
    const { rootOffset, rootBytes, rootCluster } = this.geometry;
    if (this.geometry.entryBits !== 32) {
      const location = { start: rootOffset, length: rootBytes };
      const storage = new FixedStorage(this.device, location);
      return new FatDirectory({ ...parts, location, storage, size: rootBytes, allocated: 0 }, this, this.#orphan);
    }
    const { offset, length } = bootSector32.fields.rootCluster;
    const storage = this.#storage(rootCluster, false, { structure: 'boot sector rootCluster', offset });
    return this.#directory({ ...parts, location: { start: offset, length }, storage }, options);
  }

  #storage(cluster: number, deleted: boolean, origin: ChainOrigin): ClusterStorage {
    const Clusters = deleted ? FormerClusters : ClusterChain;
    return new ClusterStorage(this.device, this.geometry, new Clusters(this.table, cluster, origin));
  }

  async #directory(
    parts: Omit<NodeParts, 'size' | 'storage'> & { readonly storage: ClusterStorage; readonly formerStart?: number },
    options?: ReadOptions,
  ): Promise<FatDirectory> {
    const size = await parts.storage.measureDirectory(options);
    return new FatDirectory({ ...parts, size, allocated: size }, this, this.#orphan);
  }

  readonly #orphan = (offset: number, message: string): void => {
    this.#reporter.report({ layer: 'fat', structure: 'long name entry', offset, message });
  };

  /** The byte offset that an id stands for; only a fixed root and the clusters hold directory entries. */
  #entryOffset(id: number): number {
    const offset = id * SLOT_BYTES;
    const { rootOffset, rootBytes, dataOffset, clusterCount, clusterSize } = this.geometry;
    const data = { start: dataOffset, length: clusterCount * clusterSize };
    const isInside = contains({ start: rootOffset, length: rootBytes }, offset) || contains(data, offset);
    if (Number.isSafeInteger(id) && isInside && offset + SLOT_BYTES <= this.device.size) return offset;
    throw noNode(id, undefined, 'the number of a directory entry inside the root or the clusters', String(id));
  }
}

function contains(range: ByteRange, offset: number): boolean {
  return offset >= range.start && offset < range.start + range.length;
}

function noNode(id: number, offset: number | undefined, expected: string, found: string): Error {
  return notFound({ layer: 'fat', structure: `node ${id}`, offset, expected, found });
}
