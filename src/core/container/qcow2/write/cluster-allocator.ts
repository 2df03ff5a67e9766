import { divideDown, divideUp } from '../../../bytes/rounding.ts';
import type { ResizableBlockDevice } from '../../../device/block-device.ts';
import { assert, corrupt, type DiskError, unsupported } from '../../../errors.ts';
import { ENTRY_BYTES } from '../table-entries.ts';
import type { MetadataMap } from './metadata-map.ts';
import type { RefcountBlock } from './refcount-block.ts';
import { MAX_REFCOUNT_TABLE_BYTES, type Refcounts } from './refcounts.ts';

/**
 * How far behind the file's end a new cluster may lie, in bytes. Counts of clusters that the file does not have may be left over
 * from a crash; a block of nonsense would make the file jump by gigabytes.
 */
const MAX_GAP_BYTES = 64 * 1024 * 1024;

/** Clusters that lie together in the file. */
export interface ClusterSpan {
  readonly hostOffset: number;
  readonly count: number;
}

/** New clusters with a reference count of 1. `isFresh`: the file did not reach so far before, and they are zeros. */
export interface NewClusters extends ClusterSpan {
  readonly isFresh: boolean;
}

/** What an allocator works on. */
export interface AllocatorParts {
  readonly file: ResizableBlockDevice;
  readonly clusterSize: number;
  readonly refcounts: Refcounts;
  readonly metadata: MetadataMap;
  /** Puts a larger refcount table, all of whose blocks are in memory, at `hostOffset` of the file. */
  moveRefcountTable(hostOffset: number): Promise<void>;
  /** Runs what must not fail halfway: if it does, nothing is written any more. */
  orFail(task: () => Promise<void>): Promise<void>;
}

/** Clusters after a search: inside what the blocks count, or `beyond` it, where all that follow are free. */
interface Found {
  readonly cluster: number;
  readonly count: number;
  readonly beyond: boolean;
}

/** Finds free clusters by their reference counts, the lowest first, and makes the file longer when there is none. */
export class ClusterAllocator {
  readonly #parts: AllocatorParts;
  /** No cluster below is free. The header's own never is, whatever its count says. */
  #hint = 1;
  /** References that go once the file no longer has them, by cluster. */
  readonly #leaving = new Map<number, number>();

  constructor(parts: AllocatorParts) {
    this.#parts = parts;
  }

  /** How many clusters wait to be free. */
  get leavingCount(): number {
    return this.#leaving.size;
  }

  /** 1 to `limit` new clusters. */
  async allocate(limit: number): Promise<NewClusters> {
    const { cluster, count, beyond } = await this.#find(limit, 1);
    const taken = await (beyond ? this.#extend(cluster, limit) : this.#take(cluster, count));
    this.#hint = divideDown(taken.hostOffset, this.#parts.clusterSize) + taken.count;
    return taken;
  }

  /** Exactly `count` new clusters. */
  async allocateTogether(count: number): Promise<NewClusters> {
    const found = await this.#find(count, count);
    return found.beyond ? this.#extend(found.cluster, count) : this.#take(found.cluster, count);
  }

  /** The first free clusters from the hint up: at most `limit`, at least `minimum` unless they are beyond all blocks. */
  async #find(limit: number, minimum: number): Promise<Found> {
    const { refcounts } = this.#parts;
    const perBlock = refcounts.clustersPerBlock;
    let start = this.#hint;
    let count = 0;
    for (;;) {
      const at = start + count;
      const index = divideDown(at, perBlock);
      if (index > refcounts.lastBlock) return { cluster: start, count, beyond: true };
      const block = (await refcounts.block(index)) ?? (await this.#fillGap(index));
      // One step per cluster, none of which waits.
      for (let within = at % perBlock; within < perBlock && count < limit; within++) {
        if (block.get(within) === 0) count++;
        else if (count >= minimum) return { cluster: start, count, beyond: false };
        else {
          start = index * perBlock + within + 1;
          count = 0;
        }
      }
      if (count >= minimum) return { cluster: start, count, beyond: false };
    }
  }

  /** A block where the table has none although later ones exist: it is the first cluster that it counts. */
  async #fillGap(index: number): Promise<RefcountBlock> {
    const { refcounts, clusterSize, metadata } = this.#parts;
    const cluster = index * refcounts.clustersPerBlock;
    metadata.refuseOverlap(cluster * clusterSize, 1);
    await this.#reach(cluster * clusterSize, (cluster + 1) * clusterSize);
    const block = refcounts.addBlock(index, cluster * clusterSize);
    refcounts.set(index, block, 0, 1);
    return block;
  }

  /** Makes the file long enough for clusters from `start` to `end`. */
  async #reach(start: number, end: number): Promise<void> {
    const { file, clusterSize } = this.#parts;
    if (start > file.size + MAX_GAP_BYTES) {
      throw corrupt({
        layer: 'qcow2',
        structure: 'reference counts (qemu-img check -r all repairs them)',
        offset: file.size,
        expected: 'clusters in use to lie inside the file',
        found: `none free up to cluster ${start / clusterSize}`,
      });
    }
    if (end > file.size) await file.resize(end);
  }

  async #take(cluster: number, count: number): Promise<NewClusters> {
    const { clusterSize, metadata, file } = this.#parts;
    const hostOffset = cluster * clusterSize;
    const end = hostOffset + count * clusterSize;
    metadata.refuseOverlap(hostOffset, count);
    const isFresh = hostOffset >= file.size;
    await this.#reach(hostOffset, end);
    await this.#raise(cluster, count);
    return { hostOffset, count, isFresh };
  }

  /**
   * `count` clusters from `cluster` on, where nothing behind is in use: the blocks that count them come first, then a larger
   * refcount table if those have no entries in the present one, then the clusters themselves.
   */
  async #extend(cluster: number, count: number): Promise<NewClusters> {
    const { refcounts, clusterSize, metadata, file } = this.#parts;
    const { blocks, tableClusters } = this.#planExtension(cluster, count);
    const first = refcounts.lastBlock + 1;
    const hostOffset = (cluster + blocks + tableClusters) * clusterSize;
    const total = blocks + tableClusters + count;
    metadata.refuseOverlap(cluster * clusterSize, total);
    const isFresh = hostOffset >= file.size;
    const end = (cluster + total) * clusterSize;
    // The block that counts the first of them may have room left; read before anything is changed.
    await refcounts.block(refcounts.lastBlock);
    await this.#reach(cluster * clusterSize, end);
    const old: ClusterSpan = { hostOffset: refcounts.tableOffset, count: refcounts.tableClusters };
    if (tableClusters > 0) refcounts.enlargeTable((tableClusters * clusterSize) / ENTRY_BYTES);
    for (let index = 0; index < blocks; index++) refcounts.addBlock(first + index, (cluster + index) * clusterSize);
    // New blocks that do not count themselves must never be written.
    await this.#parts.orFail(() => this.#raise(cluster, total));
    if (tableClusters > 0) {
      await this.#parts.moveRefcountTable(hostOffset - tableClusters * clusterSize);
      await this.release(old);
    }
    return { hostOffset, count, isFresh };
  }

  /** How many blocks and, if they need a larger table, clusters of table an extension brings with it; they count each other. */
  #planExtension(cluster: number, count: number): { blocks: number; tableClusters: number } {
    const { refcounts, clusterSize } = this.#parts;
    const entriesPerCluster = clusterSize / ENTRY_BYTES;
    const first = refcounts.lastBlock + 1;
    const present = refcounts.tableEntryCount;
    let blocks = 0;
    let tableClusters = 0;
    // Both only rise, and each step asks for less than the one before.
    for (;;) {
      const end = cluster + blocks + tableClusters + count;
      const blocksNeeded = Math.max(blocks, divideUp(end, refcounts.clustersPerBlock) - first);
      const entries = first + blocksNeeded;
      // By half, so that the table moves seldom.
      const larger = entries > present ? divideUp(Math.max(entries, present * 1.5), entriesPerCluster) : 0;
      if (blocksNeeded === blocks && larger <= tableClusters) break;
      blocks = blocksNeeded;
      tableClusters = Math.max(tableClusters, larger);
    }
    if (tableClusters * clusterSize > MAX_REFCOUNT_TABLE_BYTES) {
      throw unsupported({
        layer: 'qcow2',
        structure: 'refcount table',
        expected: `at most ${MAX_REFCOUNT_TABLE_BYTES} bytes: the image cannot grow further`,
        found: tableClusters * clusterSize,
      });
    }
    return { blocks, tableClusters };
  }

  /** Gives back clusters that nothing in the file points to, not even what is written there already. */
  async release({ hostOffset, count }: ClusterSpan): Promise<void> {
    const first = hostOffset / this.#parts.clusterSize;
    for (let cluster = first; cluster < first + count; cluster++) await this.#lower(cluster, 1);
  }

  /** Refuses to write clusters in place that are not in use, or that have another owner too. */
  async checkOwned({ hostOffset, count }: ClusterSpan): Promise<void> {
    const { refcounts, clusterSize } = this.#parts;
    const first = divideDown(hostOffset, clusterSize);
    for (let cluster = first; cluster < first + count; cluster++) {
      const references = await refcounts.get(cluster);
      if (references !== 1) throw this.#badCount(cluster, '1, as the COPIED flag says', references);
    }
  }

  #badCount(cluster: number, expected: string, found: number): DiskError {
    return corrupt({
      layer: 'qcow2',
      structure: `reference count of cluster ${cluster} (qemu-img check -r all repairs it)`,
      offset: cluster * this.#parts.clusterSize,
      expected,
      found,
    });
  }

  /**
   * One reference to each of the clusters goes; their counts fall when the file has it too. CORRUPT, and nothing changed, when
   * one has no reference to lose.
   */
  async leave({ hostOffset, count }: ClusterSpan): Promise<void> {
    const first = divideDown(hostOffset, this.#parts.clusterSize);
    for (let done = 0; done < count; done++) {
      const references = await this.#references(first + done);
      if (references < 1 || !Number.isSafeInteger(references)) {
        this.stay([{ hostOffset, count: done }]);
        throw this.#badCount(first + done, 'a count for each reference to it', references);
      }
      this.#leaving.set(first + done, (this.#leaving.get(first + done) ?? 0) + 1);
    }
  }

  /** Takes `leave` back. */
  stay(spans: readonly (ClusterSpan | undefined)[]): void {
    for (const { hostOffset, count } of spans.filter((span) => span !== undefined)) {
      const first = divideDown(hostOffset, this.#parts.clusterSize);
      for (let cluster = first; cluster < first + count; cluster++) {
        const leaving = this.#leaving.get(cluster)! - 1;
        if (leaving > 0) this.#leaving.set(cluster, leaving);
        else this.#leaving.delete(cluster);
      }
    }
  }

  /** Whether the cluster at `hostOffset` has more than one reference. */
  async isShared(hostOffset: number): Promise<boolean> {
    return (await this.#references(hostOffset / this.#parts.clusterSize)) > 1;
  }

  /** The references that a cluster has in memory. */
  async #references(cluster: number): Promise<number> {
    return (await this.#parts.refcounts.get(cluster)) - (this.#leaving.get(cluster) ?? 0);
  }

  /** Lowers the counts of what has left, in memory. What pointed to it must durably do so no more. */
  async settle(): Promise<void> {
    for (const [cluster, references] of this.#leaving) {
      await this.#lower(cluster, references);
      this.#leaving.delete(cluster);
    }
  }

  async #raise(cluster: number, count: number): Promise<void> {
    const { refcounts } = this.#parts;
    const perBlock = refcounts.clustersPerBlock;
    for (let at = cluster; at < cluster + count; ) {
      const index = divideDown(at, perBlock);
      const block = await refcounts.block(index);
      assert(block !== undefined, 'an allocated cluster is counted');
      const stop = Math.min(cluster + count, (index + 1) * perBlock);
      for (; at < stop; at++) refcounts.set(index, block, at % perBlock, 1);
    }
  }

  async #lower(cluster: number, references: number): Promise<void> {
    const { refcounts } = this.#parts;
    const index = divideDown(cluster, refcounts.clustersPerBlock);
    const block = await refcounts.block(index);
    // Only a damaged image has tables that nothing counts.
    if (block === undefined) return;
    const within = cluster % refcounts.clustersPerBlock;
    const count = Math.max(0, block.get(within) - references);
    refcounts.set(index, block, within, count);
    if (count === 0) this.#hint = Math.min(this.#hint, cluster);
  }
}
