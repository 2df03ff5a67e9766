import { DiskError } from '../errors.ts';
import { sharedBytes } from './buffer-pool.ts';
import { takeTurn } from './take-turn.ts';

/** A contiguous range, in bytes. */
export interface ByteRange {
  readonly start: number;
  readonly length: number;
}

export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Bytes of known size, readable at any offset. The only thing a parser sees. */
export interface BlockDevice extends AsyncDisposable {
  /** Bytes. */
  readonly size: number;
  /** Bytes, a power of two. */
  readonly sectorSize: number;
  /** Fills `target` completely from byte `offset` or throws; never reads short. */
  readInto(target: Uint8Array, offset: number, options?: ReadOptions): Promise<void>;
}

export interface WritableBlockDevice extends BlockDevice {
  /** Writes all of `source` at byte `offset` or throws. */
  writeFrom(source: Uint8Array, offset: number, options?: ReadOptions): Promise<void>;
  /** Returns when everything written before is durable. */
  flush(): Promise<void>;
}

/** A device whose size can change: the file that a container is written to. */
export interface ResizableBlockDevice extends WritableBlockDevice {
  /** Cuts the device or extends it to `size` bytes; what is new reads as zeros. */
  resize(size: number): Promise<void>;
}

/** The sector size of a device that does not tell its own, in bytes. */
export const DEFAULT_SECTOR_SIZE = 512;

/** Refuses an access that is not wholly inside the device: every device calls this first. */
export function checkRange(device: BlockDevice, layer: string, offset: number, length: number): void {
  if (Number.isSafeInteger(offset) && offset >= 0 && length >= 0 && offset + length <= device.size) return;
  throw new DiskError('OUT_OF_RANGE', {
    layer,
    offset,
    expected: `a range inside ${device.size} bytes`,
    found: `${length} bytes at ${offset}`,
  });
}

/** The largest read that `readBytes` allocates for: structures are small; bulk data goes through `streamBytes`. */
const MAX_READ_BYTES = 256 * 1024 * 1024;

/** Reads `length` bytes at `offset` into new memory; the range is checked against the device before anything is allocated. */
export async function readBytes(
  device: BlockDevice,
  offset: number,
  length: number,
  options?: ReadOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  checkRange(device, 'read', offset, length);
  if (length > MAX_READ_BYTES) {
    throw new DiskError('OUT_OF_RANGE', {
      layer: 'read',
      offset,
      expected: `at most ${MAX_READ_BYTES} bytes`,
      found: length,
    });
  }
  const target = new Uint8Array(length);
  if (length > 0) await device.readInto(target, offset, options);
  return target;
}

/** Bytes a streamed chunk holds unless asked otherwise. */
const STREAM_CHUNK_BYTES = 4 * 1024 * 1024;
/** Chunks read at once while the caller works on the last one. */
const STREAM_READS_AHEAD = 3;

/**
 * The bytes of `range` in order, in chunks of at most `chunkBytes`. The next chunks are read while the caller works on the
 * last one; a chunk's memory is reused when the next one is asked for, so copy what you keep.
 */
export async function* streamBytes(
  device: BlockDevice,
  range: ByteRange,
  options: ReadOptions & { readonly chunkBytes?: number } = {},
): AsyncGenerator<Uint8Array, void> {
  checkRange(device, 'read', range.start, range.length);
  const chunkBytes = Math.min(options.chunkBytes ?? STREAM_CHUNK_BYTES, Math.max(range.length, 1));
  const end = range.start + range.length;
  const read = async (offset: number, buffer: Uint8Array): Promise<Uint8Array> => {
    options.signal?.throwIfAborted();
    const chunk = buffer.subarray(0, Math.min(chunkBytes, end - offset));
    await device.readInto(chunk, offset, options);
    return chunk;
  };
  const pending: Promise<Uint8Array>[] = [];
  let offset = range.start;
  const startNext = (buffer: Uint8Array): void => {
    const reading = read(offset, buffer);
    // Awaited in its turn; until then a failure must not count as unhandled.
    reading.catch(() => undefined);
    pending.push(reading);
    offset += chunkBytes;
  };
  try {
    while (pending.length < STREAM_READS_AHEAD && offset < end) startNext(sharedBytes(chunkBytes));
    let spare: Uint8Array | undefined = offset < end ? sharedBytes(chunkBytes) : undefined;
    while (pending.length > 0) {
      const chunk = await pending[0]!;
      pending.shift();
      if (spare !== undefined && offset < end) startNext(spare);
      spare = new Uint8Array(chunk.buffer);
      yield chunk;
      await takeTurn();
    }
  } finally {
    await Promise.allSettled(pending);
  }
}
