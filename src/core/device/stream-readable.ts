import { type BlockDevice, type ByteRange, type ReadOptions, readBytes, streamBytes } from './block-device.ts';

/** What is read at once; the most that is read again after a failure, in bytes. */
const CHUNK_BYTES = 4 * 1024 * 1024;

/** As `streamBytes`; but before it fails it gives every byte up to the first that cannot be read. */
export async function* streamReadable(
  device: BlockDevice,
  range: ByteRange,
  options: ReadOptions = {},
): AsyncGenerator<Uint8Array, void> {
  let at = range.start;
  const end = range.start + range.length;
  try {
    for await (const chunk of streamBytes(device, range, { ...options, chunkBytes: CHUNK_BYTES })) {
      yield chunk;
      at += chunk.length;
    }
  } catch (error) {
    options.signal?.throwIfAborted();
    // Steps of half the length of the one before, of powers of two: a few dozen reads find the byte.
    for (let step = CHUNK_BYTES; step >= 1 && at < end; step /= 2) {
      const bytes = await readBytes(device, at, Math.min(step, end - at), options).catch(() => undefined);
      if (bytes === undefined) continue;
      yield bytes;
      at += bytes.length;
    }
    throw error;
  }
}
