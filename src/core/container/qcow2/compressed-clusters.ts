import { LRUCache } from 'lru-cache';
import { clamp, divideDown } from '../../bytes/rounding.ts';
import { type BlockDevice, type ReadOptions, readBytes } from '../../device/block-device.ts';
import { corrupt } from '../../errors.ts';
import { type CompressionType, inflateCluster } from './inflate-cluster.ts';

/** Memory for decompressed clusters per image, in bytes. */
const DECODED_CACHE_BYTES = 8 * 1024 * 1024;
const MAX_DECODED_CLUSTERS = 1024;

/** Where one cluster's compressed bytes stand in the image file, in bytes. */
export interface CompressedRange {
  readonly hostOffset: number;
  readonly length: number;
}

/** The compressed clusters of one image, with the last decompressed ones kept. */
export class CompressedClusters {
  readonly type: CompressionType;
  readonly #file: BlockDevice;
  readonly #clusterSize: number;
  readonly #decoded: LRUCache<number, Uint8Array>;
  readonly #pending = new Map<number, Promise<Uint8Array>>();

  constructor(file: BlockDevice, type: CompressionType, clusterSize: number) {
    this.#file = file;
    this.type = type;
    this.#clusterSize = clusterSize;
    const limit = clamp(divideDown(DECODED_CACHE_BYTES, clusterSize), 1, MAX_DECODED_CLUSTERS);
    this.#decoded = new LRUCache({ max: limit });
  }

  /** Fills `target` from byte `within` of the decompressed cluster. */
  async readInto(range: CompressedRange, target: Uint8Array, within: number, options?: ReadOptions): Promise<void> {
    options?.signal?.throwIfAborted();
    // Whoever takes the whole cluster seldom comes back for it: bulk reads do not empty the cache.
    const keep = target.length < this.#clusterSize;
    const cluster = this.#decoded.get(range.hostOffset) ?? (await this.#decode(range, keep));
    target.set(cluster.subarray(within, within + target.length));
  }

  #decode(range: CompressedRange, keep: boolean): Promise<Uint8Array> {
    const { hostOffset } = range;
    let pending = this.#pending.get(hostOffset);
    if (pending === undefined) {
      pending = this.#inflate(range).finally(() => this.#pending.delete(hostOffset));
      this.#pending.set(hostOffset, pending);
    }
    if (!keep) return pending;
    return pending.then((cluster) => {
      this.#decoded.set(hostOffset, cluster);
      return cluster;
    });
  }

  async #inflate({ hostOffset, length }: CompressedRange): Promise<Uint8Array> {
    const source = await readBytes(this.#file, hostOffset, length);
    try {
      return await inflateCluster(source, this.type, this.#clusterSize);
    } catch (cause) {
      throw corrupt({
        layer: 'qcow2',
        structure: 'compressed cluster',
        offset: hostOffset,
        expected: `${length} bytes of ${this.type} that give a cluster of ${this.#clusterSize}`,
        found: cause instanceof Error ? cause.message : String(cause),
        cause,
      });
    }
  }

  clear(): void {
    this.#decoded.clear();
  }
}
