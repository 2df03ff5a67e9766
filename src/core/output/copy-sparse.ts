import type { FileHandle } from 'node:fs/promises';
import { roundDown } from '../bytes/rounding.ts';
import { type BlockDevice, type ByteRange, streamBytes } from '../device/block-device.ts';
import { extentsOf } from '../device/extent.ts';

export interface Progress {
  /** Bytes dealt with so far, holes included. */
  readonly done: number;
  readonly total: number;
}

export interface CopyOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** The smallest run of zeros that becomes a hole: the block size of nearly every host filesystem, in bytes. */
const HOLE_BYTES = 4096;
const CHUNK_BYTES = 4 * 1024 * 1024;
const zeros = Buffer.alloc(CHUNK_BYTES);

/**
 * Writes a whole device to an empty file as its bytes from 0 on, leaving holes where it is known to be zero and where a
 * block of 4 KiB reads as zeros. The file has the device's size afterwards.
 */
export async function copySparse(device: BlockDevice, file: FileHandle, options: CopyOptions = {}): Promise<void> {
  for await (const range of writtenRanges(device, options)) {
    let at = range.start;
    for await (const chunk of streamBytes(device, range, { signal: options.signal, chunkBytes: CHUNK_BYTES })) {
      await writeNonZero(file, chunk, at);
      at += chunk.length;
      options.onProgress?.({ done: at, total: device.size });
    }
  }
  await file.truncate(device.size);
  options.onProgress?.({ done: device.size, total: device.size });
}

/** The ranges that may hold anything but zeros, joined where they touch. */
async function* writtenRanges(device: BlockDevice, options: CopyOptions): AsyncGenerator<ByteRange, void> {
  let pending: ByteRange | undefined;
  for await (const extent of extentsOf(device, { start: 0, length: device.size }, options)) {
    if (extent.kind === 'zero') continue;
    if (pending !== undefined && pending.start + pending.length === extent.start) {
      pending = { start: pending.start, length: pending.length + extent.length };
      continue;
    }
    if (pending !== undefined) yield pending;
    pending = extent;
  }
  if (pending !== undefined) yield pending;
}

/** Writes the blocks of a chunk that are not all zero, neighbours in one write. */
async function writeNonZero(file: FileHandle, chunk: Uint8Array, offset: number): Promise<void> {
  let start: number | undefined;
  let at = 0;
  while (at < chunk.length) {
    // Blocks are those of the file, so that holes fall on its boundaries.
    const end = Math.min(chunk.length, roundDown(offset + at, HOLE_BYTES) + HOLE_BYTES - offset);
    const isZero = zeros.compare(chunk, at, end, 0, end - at) === 0;
    if (isZero && start !== undefined) {
      await writeAll(file, chunk.subarray(start, at), offset + start);
      start = undefined;
    } else if (!isZero) start ??= at;
    at = end;
  }
  if (start !== undefined) await writeAll(file, chunk.subarray(start), offset + start);
}

async function writeAll(file: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, offset + done);
    done += bytesWritten;
  }
}
