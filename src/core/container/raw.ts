import { type BlockDevice, type ByteRange, checkRange, type ReadOptions } from '../device/block-device.ts';
import { type Extent, extentsOf } from '../device/extent.ts';
import type { Property } from '../format.ts';
import type { Container, ContainerFormat } from './container.ts';

/** A raw image: the file is the disk. */
export class RawContainer implements Container {
  readonly format = 'raw';
  readonly file: BlockDevice;
  readonly backing = undefined;
  readonly properties: readonly Property[] = [];

  constructor(file: BlockDevice) {
    this.file = file;
  }

  get size(): number {
    return this.file.size;
  }

  get sectorSize(): number {
    return this.file.sectorSize;
  }

  readInto(target: Uint8Array, offset: number, options?: ReadOptions): Promise<void> {
    return this.file.readInto(target, offset, options);
  }

  /** The file's own data and holes. */
  async *extents(range: ByteRange, options?: ReadOptions): AsyncGenerator<Extent, void> {
    checkRange(this, 'raw', range.start, range.length);
    yield* extentsOf(this.file, range, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** Raw has no magic: it matches everything, and stands last. */
export const rawFormat: ContainerFormat = {
  name: 'raw',
  options: [],
  probe: async () => true,
  open: async (device) => new RawContainer(device),
};
