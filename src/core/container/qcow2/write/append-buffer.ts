import { roundUp } from '../../../bytes/rounding.ts';
import type { ReadOptions, ResizableBlockDevice } from '../../../device/block-device.ts';

const BLOCK_BYTES = 2 * 1024 * 1024;
/** The file grows by this much at once. */
const GROWTH_BYTES = 16 * 1024 * 1024;

/**
 * Collects small pieces of a file that grows at its end into large writes, of which one goes on while the next is collected.
 * What lies between pieces, and was never written, is zeros.
 */
export class AppendBuffer implements AsyncDisposable {
  readonly #file: ResizableBlockDevice;
  /** Zeros wherever nothing was put. */
  #block = new Uint8Array(BLOCK_BYTES);
  #spare = new Uint8Array(BLOCK_BYTES);
  /** Where the block begins in the file; everything below is written, or being written. */
  #start = 0;
  #used = 0;
  #writing: Promise<void> = Promise.resolve();

  constructor(file: ResizableBlockDevice) {
    this.#file = file;
  }

  /** Takes a copy of `bytes`. */
  async put(bytes: Uint8Array, offset: number, options?: ReadOptions): Promise<void> {
    const fits = offset >= this.#start && offset + bytes.length <= this.#start + BLOCK_BYTES;
    if (!fits) {
      if (offset < this.#start || bytes.length > BLOCK_BYTES) return this.writeThrough(bytes, offset, options);
      await this.#hand(options);
    }
    if (this.#used === 0) this.#start = offset;
    this.#block.set(bytes, offset - this.#start);
    this.#used = Math.max(this.#used, offset - this.#start + bytes.length);
  }

  /** Writes large `bytes` as they are, without a copy; they may be reused afterwards. */
  async writeThrough(bytes: Uint8Array, offset: number, options?: ReadOptions): Promise<void> {
    // The block writes zeros between its pieces: it must not begin below, and end behind, what is written past it. And two
    // that write at once would both set the size.
    await this.#hand(options);
    await this.#writing;
    await this.#write(bytes, offset, options);
    this.#start = Math.max(this.#start, offset + bytes.length);
  }

  /** Returns when all that was put is written, and the file has `size` bytes. */
  async finish(size: number, options?: ReadOptions): Promise<void> {
    await this.#hand(options);
    await this.#writing;
    await this.#file.resize(size);
  }

  /** Waits for what is being written, whether it succeeds or not: the file may be closed then. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing.catch(() => undefined);
  }

  /** Hands the block to a write in the background, once the one before is done. */
  async #hand(options?: ReadOptions): Promise<void> {
    if (this.#used === 0) return;
    await this.#writing;
    const [block, used, start] = [this.#block, this.#used, this.#start];
    this.#block = this.#spare;
    this.#spare = block;
    this.#start = start + used;
    this.#used = 0;
    this.#writing = this.#write(block.subarray(0, used), start, options).then(() => {
      block.fill(0, 0, used);
    });
    // Awaited before the next; until then a failure must not count as unhandled.
    this.#writing.catch(() => undefined);
  }

  async #write(bytes: Uint8Array, offset: number, options?: ReadOptions): Promise<void> {
    const end = offset + bytes.length;
    if (end > this.#file.size) await this.#file.resize(roundUp(end, GROWTH_BYTES));
    await this.#file.writeFrom(bytes, offset, options);
  }
}
