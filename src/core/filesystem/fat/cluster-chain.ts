import { divideDown } from '../../bytes/rounding.ts';
import { SparseBitSet } from '../../bytes/sparse-bit-set.ts';
import type { ReadOptions } from '../../device/block-device.ts';
import { corrupt, type DiskError } from '../../errors.ts';
import type { FatTable } from './fat-table.ts';
import { isDataCluster } from './geometry.ts';
import { linkKind } from './link-kind.ts';

/** Clusters that follow each other on the disk too. */
export interface ClusterRun {
  readonly cluster: number;
  readonly count: number;
}

/** What tells the first cluster of a chain, for errors: a directory entry, the boot sector. */
export interface ChainOrigin {
  readonly structure: string;
  readonly offset: number;
}

/** The most places of a chain that are remembered; a random read follows at most length / this many links. */
const MAX_CHECKPOINTS = 4096;

/**
 * The clusters of a file or directory, followed through the FAT no further than somebody asked. Memory is bounded: some
 * checkpoints to restart from, and one bit for each cluster met, by which a chain that comes back to itself is found at once.
 */
export class ClusterChain {
  readonly #table: FatTable;
  readonly #first: number;
  readonly #origin: ChainOrigin;
  /** The cluster with index `i * #stride` at place `i`. */
  #checkpoints: number[] = [];
  #stride = 1;
  /** The furthest cluster reached so far, counted from 0. */
  #frontier = 0;
  #frontierCluster: number;
  readonly #visited = new SparseBitSet();

  constructor(table: FatTable, first: number, origin: ChainOrigin) {
    this.#table = table;
    this.#first = first;
    this.#origin = origin;
    this.#frontierCluster = first;
    this.#visited.add(first);
    this.#checkpoints.push(first);
  }

  /**
   * `count` clusters from the one with index `from`, as runs in the order of the file. With `toEnd` the end of the chain
   * may come sooner; otherwise that is CORRUPT, as is every link to what is no cluster of this chain.
   */
  async *runs(
    from: number,
    count: number,
    options: ReadOptions & { readonly toEnd?: boolean } = {},
  ): AsyncGenerator<ClusterRun, void> {
    if (count <= 0) return;
    this.#requireFirst();
    const end = from + count;
    let { index, cluster } = this.#nearest(from);
    let run = { cluster: 0, count: 0 };
    let stop: DiskError | 'end' | undefined;
    for (;;) {
      if (index >= from) {
        if (run.count > 0 && cluster === run.cluster + run.count) run.count++;
        else {
          if (run.count > 0) yield run;
          run = { cluster, count: 1 };
        }
        if (index + 1 === end) break;
      }
      const value = this.#table.peek(cluster) ?? (await this.#table.entry(cluster, options));
      stop = this.#follow(index, cluster, value);
      if (stop !== undefined) break;
      cluster = value;
      index++;
    }
    if (run.count > 0) yield run;
    if (stop === undefined || (stop === 'end' && options.toEnd === true)) return;
    throw stop === 'end' ? this.#tooShort(index, cluster, end) : stop;
  }

  /** Why the link from a cluster leads nowhere; undefined when `value` is the next one. */
  #follow(index: number, cluster: number, value: number): DiskError | 'end' | undefined {
    const { geometry } = this.#table;
    const kind = linkKind(geometry, value);
    if (kind === 'next') {
      if (index !== this.#frontier) return undefined;
      if (!this.#visited.add(value)) return this.#badLink(cluster, 'a cluster not met before in this chain', value);
      this.#advance(value);
      return undefined;
    }
    if (kind === 'end') return 'end';
    const expected = `a cluster from 2 to ${geometry.maxCluster} or an end mark`;
    if (kind === 'bad') return this.#badLink(cluster, expected, 'the mark of a bad cluster');
    return this.#badLink(cluster, expected, kind === 'free' ? '0, the mark of a free cluster' : value);
  }

  #advance(cluster: number): void {
    this.#frontier++;
    this.#frontierCluster = cluster;
    if (this.#frontier % this.#stride !== 0) return;
    this.#checkpoints.push(cluster);
    if (this.#checkpoints.length <= MAX_CHECKPOINTS) return;
    this.#checkpoints = this.#checkpoints.filter((_, at) => at % 2 === 0);
    this.#stride *= 2;
  }

  #nearest(index: number): { index: number; cluster: number } {
    if (index >= this.#frontier) return { index: this.#frontier, cluster: this.#frontierCluster };
    const place = Math.min(divideDown(index, this.#stride), this.#checkpoints.length - 1);
    return { index: place * this.#stride, cluster: this.#checkpoints[place]! };
  }

  #requireFirst(): void {
    const { geometry } = this.#table;
    if (isDataCluster(geometry, this.#first)) return;
    throw corrupt({
      layer: 'fat',
      ...this.#origin,
      expected: `a first cluster from 2 to ${geometry.maxCluster}`,
      found: this.#first,
    });
  }

  #badLink(cluster: number, expected: string, found: string | number): DiskError {
    return corrupt({
      layer: 'fat',
      structure: `FAT entry of cluster ${cluster}`,
      offset: this.#table.entryOffset(cluster),
      expected,
      found,
    });
  }

  #tooShort(lastIndex: number, cluster: number, wanted: number): DiskError {
    return this.#badLink(cluster, `a chain of at least ${wanted} clusters`, `its end after ${lastIndex + 1}`);
  }
}
