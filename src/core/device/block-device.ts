import { DiskError } from '../errors.ts';

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
const STREAM_CHUNK_BYTES = 1024 * 1024;

/**
 * The bytes of `range` in order, in chunks of at most `chunkBytes`. The next chunk is read while the caller works on the
 * last one; a chunk's memory is reused two chunks later, so copy what you keep.
 */
export async function* streamBytes(
  device: BlockDevice,
  range: ByteRange,
  options: ReadOptions & { readonly chunkBytes?: number } = {},
): AsyncGenerator<Uint8Array, void> {
  checkRange(device, 'read', range.start, range.length);
  const chunkBytes = Math.min(options.chunkBytes ?? STREAM_CHUNK_BYTES, Math.max(range.length, 1));
  const buffers = [new Uint8Array(chunkBytes), new Uint8Array(chunkBytes)] as const;
  const end = range.start + range.length;
  const read = async (offset: number, turn: number): Promise<Uint8Array> => {
    options.signal?.throwIfAborted();
    const chunk = buffers[turn % 2 === 0 ? 0 : 1].subarray(0, Math.min(chunkBytes, end - offset));
    await device.readInto(chunk, offset, options);
    return chunk;
  };
  let offset = range.start;
  let pending = offset < end ? read(offset, 0) : undefined;
  try {
    for (let turn = 1; pending !== undefined; turn++) {
      const chunk: Uint8Array = await pending;
      offset += chunk.length;
      pending = offset < end ? read(offset, turn) : undefined;
      yield chunk;
    }
  } finally {
    await pending?.catch(() => undefined);
  }
}
