import {
  type BlockDevice,
  type ByteRange,
  checkRange,
  type ReadOptions,
  type ResizableBlockDevice,
} from '../device/block-device.ts';
import { type Extent, extentsOf } from '../device/extent.ts';
import { writeZeroBytes } from '../device/write-zero-bytes.ts';
import { outOfRange } from '../errors.ts';
import type { Property } from '../format.ts';
import type { Container, ContainerFormat, WritableContainer } from './container.ts';

/** A raw image: the file is the disk. */
export class RawContainer implements Container {
  readonly format = 'raw';
  readonly file: BlockDevice;
  readonly backing = undefined;
  readonly properties: readonly Property[];

  constructor(file: BlockDevice, properties: readonly Property[] = []) {
    this.file = file;
    this.properties = properties;
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

/** A raw image that may be written: what is written to the disk is written to the file. */
export class WritableRawContainer extends RawContainer implements WritableContainer {
  readonly #file: ResizableBlockDevice;

  constructor(file: ResizableBlockDevice) {
    super(file);
    this.#file = file;
  }

  writeFrom(source: Uint8Array, offset: number, options?: ReadOptions): Promise<void> {
    return this.#file.writeFrom(source, offset, options);
  }

  /** Holes are zeros already and stay holes; the rest is overwritten. */
  async writeZeros(range: ByteRange, options?: ReadOptions): Promise<void> {
    checkRange(this, 'raw', range.start, range.length);
    for await (const { kind, start, length } of extentsOf(this.#file, range, options))
      if (kind !== 'zero') await writeZeroBytes(this.#file, start, length, options);
  }

  discard(range: ByteRange, options?: ReadOptions): Promise<void> {
    return this.writeZeros(range, options);
  }

  async resize(size: number): Promise<void> {
    if (size < this.size) {
      const expected = `at least ${this.size} bytes: a disk is only made larger`;
      throw outOfRange({ layer: 'raw', structure: 'virtual size', expected, found: size });
    }
    await this.#file.resize(size);
  }

  flush(): Promise<void> {
    return this.#file.flush();
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await this.flush();
  }
}

/** Raw has no magic: it matches everything, and stands last. */
export const rawFormat: ContainerFormat = {
  name: 'raw',
  options: [],
  probe: async () => true,
  open: async (device) => new RawContainer(device),
  openWritable: async (device) => new WritableRawContainer(device),
};
