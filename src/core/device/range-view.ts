import { type BlockDevice, type ByteRange, checkRange, type ReadOptions } from './block-device.ts';
import { type Extent, extentsOf } from './extent.ts';

/** A window on another device: a partition of a disk. Disposing it leaves the device open. */
export class RangeView implements BlockDevice {
  readonly size: number;
  readonly sectorSize: number;
  readonly base: BlockDevice;
  /** Where the window begins in `base`, in bytes. */
  readonly start: number;

  constructor(base: BlockDevice, range: ByteRange, sectorSize: number = base.sectorSize) {
    checkRange(base, 'range view', range.start, range.length);
    this.base = base;
    this.start = range.start;
    this.size = range.length;
    this.sectorSize = sectorSize;
  }

  async readInto(target: Uint8Array, offset: number, options?: ReadOptions): Promise<void> {
    checkRange(this, 'range view', offset, target.length);
    return this.base.readInto(target, this.start + offset, options);
  }

  /** Where the window's bytes live, as far as the device below can tell. */
  async *extents(range: ByteRange, options?: ReadOptions): AsyncGenerator<Extent, void> {
    checkRange(this, 'range view', range.start, range.length);
    const below = { start: this.start + range.start, length: range.length };
    for await (const extent of extentsOf(this.base, below, options))
      yield { ...extent, start: extent.start - this.start };
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
