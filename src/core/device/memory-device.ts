import { checkRange, DEFAULT_SECTOR_SIZE, type ResizableBlockDevice } from './block-device.ts';

/** A device over bytes in memory. */
export class MemoryDevice implements ResizableBlockDevice {
  readonly sectorSize: number;
  #bytes: Uint8Array;

  constructor(bytes: Uint8Array, sectorSize: number = DEFAULT_SECTOR_SIZE) {
    this.#bytes = bytes;
    this.sectorSize = sectorSize;
  }

  /** The memory itself, not a copy; other memory after `resize`. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  get size(): number {
    return this.bytes.length;
  }

  async resize(size: number): Promise<void> {
    const bytes = new Uint8Array(size);
    bytes.set(this.bytes.subarray(0, size));
    this.#bytes = bytes;
  }

  async readInto(target: Uint8Array, offset: number): Promise<void> {
    checkRange(this, 'memory', offset, target.length);
    target.set(this.bytes.subarray(offset, offset + target.length));
  }

  async writeFrom(source: Uint8Array, offset: number): Promise<void> {
    checkRange(this, 'memory', offset, source.length);
    this.bytes.set(source, offset);
  }

  async flush(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {}
}
