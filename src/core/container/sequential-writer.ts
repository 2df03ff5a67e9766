import type { ReadOptions } from '../device/block-device.ts';

/**
 * Writes a new container from its disk's first byte to its last: each range is given once, in ascending order, and what is
 * never given reads as zeros. The file is no image before `finish`. Disposing waits for what is being written, no more.
 */
export interface SequentialWriter extends AsyncDisposable {
  /** What is allocated at once, in bytes; ranges begin at multiples of it and are whole units, past the disk's end too. */
  readonly unitBytes: number;
  /** `bytes` may be reused when this returns. */
  write(bytes: Uint8Array, guestOffset: number, options?: ReadOptions): Promise<void>;
  finish(options?: ReadOptions): Promise<void>;
}
