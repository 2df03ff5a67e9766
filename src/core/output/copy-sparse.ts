import fs from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { isZero } from '../bytes/is-zero.ts';
import { roundDown } from '../bytes/rounding.ts';
import type { BlockDevice, ByteRange } from '../device/block-device.ts';
import { BufferPool } from '../device/buffer-pool.ts';
import { readAhead } from '../device/read-ahead.ts';
import { writtenRanges } from './written-ranges.ts';

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
/** What is read and written with one call. */
const PIECE_BYTES = 4 * 1024 * 1024;
/** Pieces that are read while one is written. */
const READS_AHEAD = 3;

interface Piece {
  readonly start: number;
  readonly bytes: Uint8Array;
  /** That `bytes` are a part of. */
  readonly buffer: Uint8Array;
}

/**
 * Writes a whole device to an empty file as its bytes from 0 on, leaving holes where it is known to be zero and where a
 * block of 4 KiB reads as zeros. The file has the device's size afterwards.
 */
export async function copySparse(device: BlockDevice, file: FileHandle, options: CopyOptions = {}): Promise<void> {
  const buffers = new BufferPool(PIECE_BYTES);
  const read = async (range: ByteRange): Promise<Piece> => {
    options.signal?.throwIfAborted();
    const buffer = buffers.take();
    const bytes = buffer.subarray(0, range.length);
    await device.readInto(bytes, range.start, options);
    return { start: range.start, bytes, buffer };
  };
  const ranges = writtenRanges(device, 1, PIECE_BYTES, options);
  // One write at a time: a host's filesystem lets only one into a file, and the others would wait for it as busily as it works.
  for await (const { start, bytes, buffer } of readAhead(ranges, READS_AHEAD, read)) {
    await writeNonZero(file.fd, bytes, start);
    buffers.give(buffer);
    options.onProgress?.({ done: start + bytes.length, total: device.size });
    // The last pieces are read already: their reads do not ask any more.
    options.signal?.throwIfAborted();
  }
  await file.truncate(device.size);
  options.onProgress?.({ done: device.size, total: device.size });
}

/** Writes the blocks of a piece that are not all zero, neighbours in one write. */
async function writeNonZero(descriptor: number, piece: Uint8Array, offset: number): Promise<void> {
  let start: number | undefined;
  let at = 0;
  while (at < piece.length) {
    // Blocks are those of the file, so that holes fall on its boundaries.
    const end = Math.min(piece.length, roundDown(offset + at, HOLE_BYTES) + HOLE_BYTES - offset);
    const isHole = isZero(piece, at, end);
    if (isHole && start !== undefined) {
      await writeAll(descriptor, piece.subarray(start, at), offset + start);
      start = undefined;
    } else if (!isHole) start ??= at;
    at = end;
  }
  if (start !== undefined) await writeAll(descriptor, piece.subarray(start), offset + start);
}

/** The callback call on the descriptor: a FileHandle's own costs several times as much. */
async function writeAll(descriptor: number, bytes: Uint8Array, offset: number): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    done += await new Promise<number>((resolve, reject) => {
      fs.write(descriptor, bytes, done, bytes.length - done, offset + done, (error, count) => {
        if (error) reject(error);
        else resolve(count);
      });
    });
  }
}
