import { constants, createDeflateRaw, createZstdCompress, type DeflateRaw, type ZstdCompress } from 'node:zlib';
import type { CompressionType } from '../inflate-cluster.ts';

/** QEMU inflates with a window of 4 KiB (2 to this power): a reader need not look further back. */
const DEFLATE_WINDOW_BITS = 12;
const DEFLATE_MEMORY_LEVEL = 9;

/**
 * Compresses clusters, each by itself, at the level that QEMU takes. The work is done in libuv's thread pool, so several
 * compressors work at once. One that lives as long as the image costs half of what a call of zlib's own for each cluster does.
 */
class ClusterCompressor {
  readonly #stream: DeflateRaw | ZstdCompress;
  readonly #finish: number;
  #collected: Uint8Array[] = [];
  #fail: (error: Error) => void = () => undefined;

  constructor(type: CompressionType, clusterSize: number) {
    // Room for what does not compress, so that the output is seldom in two pieces.
    const chunkSize = clusterSize * 2;
    const level = constants.Z_DEFAULT_COMPRESSION;
    this.#stream =
      type === 'zstd'
        ? createZstdCompress({ chunkSize })
        : createDeflateRaw({ chunkSize, level, windowBits: DEFLATE_WINDOW_BITS, memLevel: DEFLATE_MEMORY_LEVEL });
    this.#finish = type === 'zstd' ? constants.ZSTD_e_end : constants.Z_FINISH;
    this.#stream.on('data', (bytes: Uint8Array) => this.#collected.push(bytes));
    this.#stream.on('error', (error: Error) => this.#fail(error));
  }

  /** One cluster at a time. The result is longer than the cluster when it does not compress. */
  compress(cluster: Uint8Array): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      this.#fail = reject;
      this.#stream.write(cluster);
      this.#stream.flush(this.#finish, (error?: Error | null) => {
        if (error) {
          reject(error);
          return;
        }
        const collected = this.#collected;
        this.#collected = [];
        // A zstd frame that has ended is followed by a new one; deflate must be told to begin anew.
        if ('reset' in this.#stream) this.#stream.reset();
        resolve(collected.length === 1 ? collected[0]! : Buffer.concat(collected));
      });
    });
  }

  close(): void {
    this.#stream.destroy();
  }
}

/** A few compressors that share the clusters of one image. */
export class ClusterCompressors implements Disposable {
  readonly #type: CompressionType;
  readonly #clusterSize: number;
  readonly #limit: number;
  readonly #all = new Set<ClusterCompressor>();
  readonly #free: ClusterCompressor[] = [];
  readonly #waiting: ((compressor: ClusterCompressor) => void)[] = [];

  /** `limit`: how many work at once. */
  constructor(type: CompressionType, clusterSize: number, limit: number) {
    this.#type = type;
    this.#clusterSize = clusterSize;
    this.#limit = limit;
  }

  /** The cluster compressed, or longer than it is; `cluster` must not change until then. */
  async compress(cluster: Uint8Array): Promise<Uint8Array> {
    let compressor = await this.#take();
    try {
      return await compressor.compress(cluster);
    } catch (error) {
      // Others may wait for it, and it is of no use any more.
      compressor.close();
      this.#all.delete(compressor);
      compressor = this.#make();
      throw error;
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free.push(compressor);
      else next(compressor);
    }
  }

  #take(): ClusterCompressor | Promise<ClusterCompressor> {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#all.size < this.#limit) return this.#make();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #make(): ClusterCompressor {
    const compressor = new ClusterCompressor(this.#type, this.#clusterSize);
    this.#all.add(compressor);
    return compressor;
  }

  [Symbol.dispose](): void {
    for (const compressor of this.#all) compressor.close();
  }
}
