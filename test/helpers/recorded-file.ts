import type { ReadOptions, ResizableBlockDevice } from '../../src/core/index.ts';
import { seededRandom } from './seeded-random.ts';

/** One thing that was done to a file. */
export type FileOperation =
  | { readonly kind: 'write'; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly kind: 'resize'; readonly size: number }
  | { readonly kind: 'flush' };

/** A file in memory that keeps the trace of what was written to it, so that a crash can be played at any point. */
export class RecordedFile implements ResizableBlockDevice {
  readonly sectorSize = 512;
  readonly operations: FileOperation[] = [];
  readonly #start: Uint8Array;
  #bytes: Uint8Array;
  #size: number;

  constructor(start: Uint8Array) {
    // A Buffer's slice() shares memory.
    this.#start = new Uint8Array(start);
    this.#bytes = new Uint8Array(start);
    this.#size = start.length;
  }

  get size(): number {
    return this.#size;
  }

  /** A copy of what the file holds now. */
  get bytes(): Uint8Array {
    return this.#bytes.slice(0, this.#size);
  }

  async readInto(target: Uint8Array, offset: number, _options?: ReadOptions): Promise<void> {
    if (offset < 0 || offset + target.length > this.#size) throw new RangeError(`read past the end: ${offset}`);
    target.set(this.#bytes.subarray(offset, offset + target.length));
  }

  async writeFrom(source: Uint8Array, offset: number): Promise<void> {
    if (offset < 0 || offset + source.length > this.#size) throw new RangeError(`write past the end: ${offset}`);
    const bytes = source.slice();
    this.operations.push({ kind: 'write', offset, bytes });
    this.#bytes.set(bytes, offset);
  }

  async resize(size: number): Promise<void> {
    this.operations.push({ kind: 'resize', size });
    this.#bytes = resized(this.#bytes, this.#size, size);
    this.#size = size;
  }

  async flush(): Promise<void> {
    this.operations.push({ kind: 'flush' });
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /** The file as a crash after the first `count` operations leaves it, when they reach the disk in order. */
  after(count: number): Uint8Array {
    return replay(this.#start, this.operations.slice(0, count));
  }

  /**
   * The file as a crash after the first `count` operations can leave it on a real disk: what was flushed is there, of what
   * was written since any part may be, and a write may be torn between sectors. Which part is drawn from `seed`.
   */
  afterReordered(count: number, seed: number): Uint8Array {
    const random = seededRandom(seed);
    const done = this.operations.slice(0, count);
    const flushed = done.findLastIndex(({ kind }) => kind === 'flush') + 1;
    const loose = done.slice(flushed).flatMap((operation): FileOperation[] => {
      if (operation.kind !== 'write') return [operation];
      if (random() < 0.4) return [];
      return random() < 0.5 ? [operation] : torn(operation, random);
    });
    return replay(this.#start, [...done.slice(0, flushed), ...loose]);
  }
}

/** The whole sectors of a write that got through: a first part of it, or a last. */
function torn(operation: FileOperation & { kind: 'write' }, random: () => number): FileOperation[] {
  const { offset, bytes } = operation;
  const sectors = Math.floor((offset + bytes.length - 1) / 512) - Math.floor(offset / 512);
  if (sectors === 0) return [operation];
  const cut = (Math.floor(offset / 512) + 1 + Math.floor(random() * sectors)) * 512 - offset;
  if (random() < 0.5) return [{ kind: 'write', offset, bytes: bytes.subarray(0, cut) }];
  return [{ kind: 'write', offset: offset + cut, bytes: bytes.subarray(cut) }];
}

/** In one piece of memory that is large enough at all times: growing by copies would cost most of a long trace. */
function replay(start: Uint8Array, operations: readonly FileOperation[]): Uint8Array {
  const sizes = operations.flatMap((operation) => (operation.kind === 'resize' ? [operation.size] : []));
  const bytes = new Uint8Array(Math.max(start.length, ...sizes));
  bytes.set(start);
  let size = start.length;
  for (const operation of operations) {
    if (operation.kind === 'write') bytes.set(operation.bytes, operation.offset);
    else if (operation.kind === 'resize') {
      if (operation.size < size) bytes.fill(0, operation.size, size);
      size = operation.size;
    }
  }
  return bytes.subarray(0, size);
}

function resized(bytes: Uint8Array, used: number, size: number): Uint8Array<ArrayBuffer> {
  const next = new Uint8Array(size);
  next.set(bytes.subarray(0, Math.min(used, size)));
  return next;
}
