import { LRUCache } from 'lru-cache';
import { divideDown } from '../bytes/rounding.ts';
import { assert } from '../errors.ts';
import { type BlockDevice, type ByteRange, checkRange, type ReadOptions } from './block-device.ts';
import { type Extent, extentsOf } from './extent.ts';

export interface CacheOptions {
  /** Bytes read and kept at once, a power of two. */
  readonly blockBytes?: number;
  /** The most the cache holds, in bytes. */
  readonly limitBytes?: number;
}

const DEFAULT_BLOCK_BYTES = 64 * 1024;
const DEFAULT_LIMIT_BYTES = 32 * 1024 * 1024;

/**
 * A read cache of bounded size over a device that does not change while it is open. Requests of two blocks and more go
 * straight to the device, so bulk reads neither pay for the cache nor empty it. Disposing it leaves the device open.
 */
export class CachedDevice implements BlockDevice {
  readonly size: number;
  readonly sectorSize: number;
  readonly #base: BlockDevice;
  readonly #blockBytes: number;
  readonly #blocks: LRUCache<number, Uint8Array>;
  readonly #pending = new Map<number, Promise<Uint8Array>>();

  constructor(base: BlockDevice, options: CacheOptions = {}) {
    this.#base = base;
    this.size = base.size;
    this.sectorSize = base.sectorSize;
    this.#blockBytes = options.blockBytes ?? DEFAULT_BLOCK_BYTES;
    const limit = divideDown(options.limitBytes ?? DEFAULT_LIMIT_BYTES, this.#blockBytes);
    assert(limit >= 1, 'a cache holds at least one block');
    this.#blocks = new LRUCache({ max: limit });
  }

  async readInto(target: Uint8Array, offset: number, options?: ReadOptions): Promise<void> {
    checkRange(this, 'cache', offset, target.length);
    if (target.length >= 2 * this.#blockBytes) return this.#base.readInto(target, offset, options);
    let done = 0;
    while (done < target.length) {
      const at = offset + done;
      const within = at % this.#blockBytes;
      const index = divideDown(at, this.#blockBytes);
      const block = this.#blocks.get(index) ?? (await this.#load(index, options));
      const part = block.subarray(within, within + target.length - done);
      target.set(part, done);
      done += part.length;
    }
  }

  /** One read per block, however many wait for it. A reader's abort must not fail the others: it stops waiting, the read goes on. */
  async #load(index: number, options?: ReadOptions): Promise<Uint8Array> {
    options?.signal?.throwIfAborted();
    let pending = this.#pending.get(index);
    if (pending === undefined) {
      pending = this.#read(index).finally(() => this.#pending.delete(index));
      this.#pending.set(index, pending);
    }
    return options?.signal === undefined ? pending : untilAborted(pending, options.signal);
  }

  async #read(index: number): Promise<Uint8Array> {
    const start = index * this.#blockBytes;
    // Filled by the read, or thrown away: to clear it first would cost as much as the read.
    const block = Buffer.allocUnsafeSlow(Math.min(this.#blockBytes, this.size - start));
    await this.#base.readInto(block, start);
    this.#blocks.set(index, block);
    return block;
  }

  extents(range: ByteRange, options?: ReadOptions): AsyncIterable<Extent> {
    return extentsOf(this.#base, range, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#blocks.clear();
  }
}

/** What `pending` gives, or the signal's reason as soon as it is aborted. */
function untilAborted<Value>(pending: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    pending.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
