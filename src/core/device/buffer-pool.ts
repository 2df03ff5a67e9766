/** Memory that other threads can decode into without another copy. */
export function sharedBytes(length: number): Uint8Array {
  return new Uint8Array(new SharedArrayBuffer(length));
}

/** Buffers of one length that are used again: memory that the system must first clear costs as much as the copy into it. */
export class BufferPool {
  readonly #length: number;
  readonly #free: Uint8Array[] = [];

  /** `length` in bytes. */
  constructor(length: number) {
    this.#length = length;
  }

  /** A buffer with whatever its last user left in it. */
  take(): Uint8Array {
    return this.#free.pop() ?? sharedBytes(this.#length);
  }

  /** Nobody else may hold the buffer any more. */
  give(buffer: Uint8Array): void {
    this.#free.push(buffer);
  }
}
