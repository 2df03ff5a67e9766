import { checkRange, DEFAULT_SECTOR_SIZE, type WritableBlockDevice } from './block-device.ts';

/** A device over bytes in memory. */
export class MemoryDevice implements WritableBlockDevice {
  readonly sectorSize: number;
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array, sectorSize: number = DEFAULT_SECTOR_SIZE) {
    this.bytes = bytes;
    this.sectorSize = sectorSize;
  }

  get size(): number {
    return this.bytes.length;
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
