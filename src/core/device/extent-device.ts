import { type BlockDevice, type ByteRange, checkRange, type ReadOptions } from './block-device.ts';
import { type Extent, type ExtentSource, readExtents } from './extent.ts';

/** A mapped thing (a regular file) seen as a device: reads derive from its extents. Disposing it closes nothing. */
export class ExtentDevice implements BlockDevice {
  readonly size: number;
  readonly sectorSize: number;
  readonly #mapped: ExtentSource;

  constructor(mapped: ExtentSource, sectorSize: number) {
    this.#mapped = mapped;
    this.size = mapped.size;
    this.sectorSize = sectorSize;
  }

  async readInto(target: Uint8Array, offset: number, options?: ReadOptions): Promise<void> {
    checkRange(this, 'file', offset, target.length);
    if (target.length > 0) await readExtents(this.#mapped, target, offset, options);
  }

  extents(range: ByteRange, options?: ReadOptions): AsyncIterable<Extent> {
    return this.#mapped.extents(range, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
