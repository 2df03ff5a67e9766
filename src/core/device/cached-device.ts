import { LRUCache } from 'lru-cache';
import { divideDown, roundDown, roundUp } from '../bytes/rounding.ts';
import { assert, DiskError } from '../errors.ts';
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
/** What is read of a block that was not asked for before, if no more is wanted: of scattered structures the rest would be in vain. */
const PART_BYTES = 4096;

/** A block, or the part of it that was asked for. */
interface Block {
  readonly bytes: Uint8Array;
  /** Of `bytes`, from the start of the block. */
  readonly start: number;
}

/**
 * A read cache of bounded size over a device that does not change while it is open. Of a block only the pages around the first
 * request are read, and all of it at the second. Requests of two blocks and more go straight to the device, so bulk reads
 * neither pay for the cache nor empty it. Disposing it leaves the device open.
 */
export class CachedDevice implements BlockDevice {
  readonly size: number;
  readonly sectorSize: number;
  readonly #base: BlockDevice;
  readonly #blockBytes: number;
  readonly #blocks: LRUCache<number, Block>;
  readonly #pending = new Map<number, Promise<Block>>();

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
      const from = at % this.#blockBytes;
      const index = divideDown(at, this.#blockBytes);
      const to = Math.min(from + target.length - done, this.#blockBytes);
      const part = target.subarray(done, done + to - from);
      const known = this.#blocks.get(index);
      const isHeld = known !== undefined && covers(known, from, to);
      const block = isHeld ? known : await this.#blockWith(index, from, to, options);
      // A block with a sector that cannot be read has others that can.
      if (block instanceof DiskError) await this.#base.readInto(part, at, options);
      else part.set(block.bytes.subarray(from - block.start, to - block.start));
      done += to - from;
    }
  }

  /** A block that has those bytes, or why the device below did not give it. */
  async #blockWith(index: number, from: number, to: number, options?: ReadOptions): Promise<Block | DiskError> {
    let block = this.#blocks.get(index);
    try {
      while (block === undefined || !covers(block, from, to)) block = await this.#load(index, from, to, options);
      return block;
    } catch (error) {
      if (error instanceof DiskError) return error;
      throw error;
    }
  }

  /**
   * One read of a block at a time, however many wait for it; what it gives may be another's part of the block. A reader's abort
   * must not fail the others: it stops waiting, the read goes on.
   */
  async #load(index: number, from: number, to: number, options?: ReadOptions): Promise<Block> {
    options?.signal?.throwIfAborted();
    let pending = this.#pending.get(index);
    if (pending === undefined) {
      pending = this.#read(index, from, to).finally(() => this.#pending.delete(index));
      this.#pending.set(index, pending);
    }
    return options?.signal === undefined ? pending : untilAborted(pending, options.signal);
  }

  async #read(index: number, from: number, to: number): Promise<Block> {
    const origin = index * this.#blockBytes;
    const whole = Math.min(this.#blockBytes, this.size - origin);
    const isKnown = this.#blocks.has(index);
    const start = isKnown ? 0 : roundDown(from, PART_BYTES);
    const end = isKnown ? whole : Math.min(roundUp(to, PART_BYTES), whole);
    // Filled by the read, or thrown away: to clear it first would cost as much as the read.
    const bytes = Buffer.allocUnsafeSlow(end - start);
    await this.#base.readInto(bytes, origin + start);
    const block = { bytes, start };
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

function covers({ bytes, start }: Block, from: number, to: number): boolean {
  return from >= start && to <= start + bytes.length;
}

/** What `pending` gives, or the signal's reason as soon as it is aborted. */
function untilAborted<Value>(pending: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    pending.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
