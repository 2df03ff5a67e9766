import fs from 'node:fs';
import { promisify } from 'node:util';
import { isZero } from '../bytes/is-zero.ts';
import { roundDown } from '../bytes/rounding.ts';
import type { BlockDevice, ByteRange } from '../device/block-device.ts';
import { BufferPool } from '../device/buffer-pool.ts';
import type { OnProgress } from '../device/progress.ts';
import { readAhead } from '../device/read-ahead.ts';
import { writtenRanges } from './written-ranges.ts';

export interface CopyOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

/** The smallest run of zeros that becomes a hole: the block size of nearly every host filesystem, in bytes. */
const HOLE_BYTES = 4096;
/** What is read and written with one call. */
const PIECE_BYTES = 4 * 1024 * 1024;
/** A device up to this size is copied in one piece. */
const SMALL_BYTES = 1024 * 1024;
/** Pieces that are read while one is written. */
const READS_AHEAD = 3;

/** Kept from one file to the next: an extraction may copy a hundred thousand small ones. */
const buffers = new BufferPool(PIECE_BYTES);

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
export async function copySparse(device: BlockDevice, descriptor: number, options: CopyOptions = {}): Promise<void> {
  if (device.size <= SMALL_BYTES) return copySmall(device, descriptor, options);
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
    for (const [from, to] of nonZeroRuns(bytes, start))
      await writeAll(descriptor, bytes.subarray(from, to), start + from);
    buffers.give(buffer);
    options.onProgress?.({ done: start + bytes.length, total: device.size });
    // The last pieces are read already: their reads do not ask any more.
    options.signal?.throwIfAborted();
  }
  await truncateFile(descriptor, device.size);
  options.onProgress?.({ done: device.size, total: device.size });
}

/** In one piece, and without the thread pool, which takes longer to be asked than such a write. */
async function copySmall(device: BlockDevice, descriptor: number, options: CopyOptions): Promise<void> {
  options.signal?.throwIfAborted();
  const buffer = buffers.take();
  try {
    const bytes = buffer.subarray(0, device.size);
    await device.readInto(bytes, 0, options);
    let end = 0;
    for (const [from, to] of nonZeroRuns(bytes, 0)) {
      for (end = from; end < to; ) end += fs.writeSync(descriptor, bytes, end, to - end, end);
    }
    if (end < device.size) fs.ftruncateSync(descriptor, device.size);
  } finally {
    buffers.give(buffer);
  }
  options.onProgress?.({ done: device.size, total: device.size });
}

/** From where to where a piece has blocks that are not all zero; `offset` is its place in the file, whose blocks they are. */
export function* nonZeroRuns(piece: Uint8Array, offset: number): Generator<readonly [from: number, to: number], void> {
  let start: number | undefined;
  let at = 0;
  while (at < piece.length) {
    const end = Math.min(piece.length, roundDown(offset + at, HOLE_BYTES) + HOLE_BYTES - offset);
    const isHole = isZero(piece, at, end);
    if (isHole && start !== undefined) {
      yield [start, at];
      start = undefined;
    } else if (!isHole) start ??= at;
    at = end;
  }
  if (start !== undefined) yield [start, piece.length];
}

const truncateFile = promisify(fs.ftruncate);

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
