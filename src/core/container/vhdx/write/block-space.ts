import { roundUp } from '../../../bytes/rounding.ts';
import type { ResizableBlockDevice } from '../../../device/block-device.ts';
import { MIB } from '../header.ts';

/** Places of released blocks that are remembered; the space of any more stays unused until the file is compacted. */
const MAX_RELEASED = 65_536;

/** Room for a block in the file. */
export interface Room {
  /** Bytes of the file, a multiple of 1 MiB. */
  readonly fileOffset: number;
  /** Whether it is known to hold zeros; else it holds anything. */
  readonly isZero: boolean;
}

/**
 * Where new blocks go: places of payload blocks that were given back, else the end of the file. What the file grows by reads
 * as zeros, which is the contract of `ResizableBlockDevice.resize`; nothing was ever there that a new block could show.
 */
export class BlockSpace {
  readonly #file: ResizableBlockDevice;
  readonly #blockSize: number;
  readonly #released: number[] = [];

  /** The file must reach over every block that it has. */
  constructor(file: ResizableBlockDevice, blockSize: number) {
    this.#file = file;
    this.#blockSize = blockSize;
  }

  async payloadRoom(): Promise<Room> {
    const released = this.#released.pop();
    if (released !== undefined) return { fileOffset: released, isZero: false };
    return { fileOffset: await this.extend(this.#blockSize), isZero: true };
  }

  /** Makes the file `length` bytes longer, from a whole MiB on, and gives where. */
  async extend(length: number): Promise<number> {
    const fileOffset = roundUp(this.#file.size, MIB);
    await this.#file.resize(fileOffset + length);
    return fileOffset;
  }

  /**
   * Lets the place of a payload block be taken again. Only when nothing durable points to it any more, and never that of
   * another structure: an entry of the log may still have to be replayed there.
   */
  release(fileOffset: number): void {
    if (this.#released.length < MAX_RELEASED) this.#released.push(fileOffset);
  }
}
