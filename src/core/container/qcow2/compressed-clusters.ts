import { LRUCache } from 'lru-cache';
import { clamp, divideDown } from '../../bytes/rounding.ts';
import type { DecodeAnswer, DecodeJob } from '../../codec/decode-job.ts';
import { decodeInWorker } from '../../codec/decode-pool.ts';
import { giveShared, takeShared } from '../../codec/shared-buffers.ts';
import { type BlockDevice, type ReadOptions, readBytes } from '../../device/block-device.ts';
import type { EncodedExtent, RunDecoder } from '../../device/extent.ts';
import { corrupt } from '../../errors.ts';
import { type CompressionType, inflateCluster } from './inflate-cluster.ts';

/** Memory for decompressed clusters per image, in bytes. */
const DECODED_CACHE_BYTES = 8 * 1024 * 1024;
const MAX_DECODED_CLUSTERS = 1024;

/** Fewer clusters than this are not worth a worker's while. */
const MIN_RUN = 4;
/** The most that is read at once for a run, in bytes: for clusters that lie far apart, or barely compress. */
const MAX_RUN_SOURCE_BYTES = 4 * 1024 * 1024;

/** Where one cluster's compressed bytes stand in the image file, in bytes. */
export interface CompressedRange {
  readonly hostOffset: number;
  readonly length: number;
}

/** The compressed clusters of one image, with the last decompressed ones kept. */
export class CompressedClusters implements RunDecoder {
  readonly type: CompressionType;
  readonly unitBytes: number;
  readonly #file: BlockDevice;
  readonly #decoded: LRUCache<number, Uint8Array>;
  readonly #pending = new Map<number, Promise<Uint8Array>>();

  constructor(file: BlockDevice, type: CompressionType, clusterSize: number) {
    this.#file = file;
    this.type = type;
    this.unitBytes = clusterSize;
    const limit = clamp(divideDown(DECODED_CACHE_BYTES, clusterSize), 1, MAX_DECODED_CLUSTERS);
    this.#decoded = new LRUCache({ max: limit });
  }

  /** Fills `target` from byte `within` of the decompressed cluster. */
  async readInto(range: CompressedRange, target: Uint8Array, within: number, options?: ReadOptions): Promise<void> {
    options?.signal?.throwIfAborted();
    // Whoever takes the whole cluster seldom comes back for it: bulk reads do not empty the cache.
    const keep = target.length < this.unitBytes;
    const cluster = this.#decoded.get(range.hostOffset) ?? (await this.#decode(range, keep));
    target.set(cluster.subarray(within, within + target.length));
  }

  /** Bulk reading: clusters that lie together in the file are read at once and decoded in another thread. */
  async decodeRun(extents: readonly EncodedExtent[], target: Uint8Array, options?: ReadOptions): Promise<void> {
    const span = spanOf(extents);
    const failed =
      extents.length < MIN_RUN || span === undefined
        ? extents.keys()
        : await this.#decodeTogether(extents, span, target).catch(() => extents.keys());
    // One by one what does not go together: this way also tells what is wrong with it.
    for (const index of failed) {
      const part = target.subarray(index * this.unitBytes, (index + 1) * this.unitBytes);
      await extents[index]!.decodeInto(part, 0, options);
    }
  }

  /** Returns the numbers of the extents that are still to be decoded. */
  async #decodeTogether(
    extents: readonly EncodedExtent[],
    span: CompressedRange,
    target: Uint8Array,
  ): Promise<Iterable<number>> {
    const source = takeShared(span.length);
    await this.#file.readInto(new Uint8Array(source, 0, span.length), span.hostOffset);
    const parts = Float64Array.from(
      extents.flatMap(({ sourceOffset, sourceLength }) => [sourceOffset - span.hostOffset, sourceLength]),
    );
    const job = { encoding: this.type, clusterSize: this.unitBytes, source, parts };
    const failed = await decodeInto(target, job);
    giveShared(source);
    return failed;
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
      return await inflateCluster(source, this.type, this.unitBytes);
    } catch (cause) {
      throw corrupt({
        layer: 'qcow2',
        structure: 'compressed cluster',
        offset: hostOffset,
        expected: `${length} bytes of ${this.type} that give a cluster of ${this.unitBytes}`,
        found: cause instanceof Error ? cause.message : String(cause),
        cause,
      });
    }
  }

  clear(): void {
    this.#decoded.clear();
  }
}

/** The range of the file that holds all of a run; undefined when it would mean reading much that is not wanted. */
function spanOf(extents: readonly EncodedExtent[]): CompressedRange | undefined {
  let start = Number.POSITIVE_INFINITY;
  let end = 0;
  let wanted = 0;
  for (const { sourceOffset, sourceLength } of extents) {
    start = Math.min(start, sourceOffset);
    end = Math.max(end, sourceOffset + sourceLength);
    wanted += sourceLength;
  }
  const length = end - start;
  return length <= Math.min(2 * wanted, MAX_RUN_SOURCE_BYTES) ? { hostOffset: start, length } : undefined;
}

/** Decodes straight into memory that threads can share, and by way of such memory into any other. */
async function decodeInto(target: Uint8Array, job: Omit<DecodeJob, 'target' | 'targetOffset'>): Promise<DecodeAnswer> {
  const { buffer, byteOffset, length } = target;
  if (buffer instanceof SharedArrayBuffer) return decodeInWorker({ ...job, target: buffer, targetOffset: byteOffset });
  const shared = takeShared(length);
  const failed = await decodeInWorker({ ...job, target: shared, targetOffset: 0 });
  target.set(new Uint8Array(shared, 0, length));
  giveShared(shared);
  return failed;
}
