import { isZero } from '../../bytes/is-zero.ts';
import { roundUp } from '../../bytes/rounding.ts';
import type { CompressionType } from '../../container/qcow2/inflate-cluster.ts';
import { ClusterCompressors } from '../../container/qcow2/write/cluster-compressor.ts';
import type { BlockDevice, ByteRange, ReadOptions } from '../../device/block-device.ts';
import { BufferPool } from '../../device/buffer-pool.ts';
import { readAhead } from '../../device/read-ahead.ts';
import { writtenRanges } from '../written-ranges.ts';

/** Something to store: whole units with anything but zeros in them, or one of them compressed. */
export interface Part {
  readonly guestOffset: number;
  readonly bytes: Uint8Array;
  readonly isCompressed: boolean;
}

/** What a piece of the disk comes to. */
export interface Piece {
  /** Where the piece ends, in bytes of the disk. */
  readonly end: number;
  readonly parts: readonly Part[];
}

/** Bytes of a piece that is stored as it is: small enough to stay in the processor's cache until it is written. */
const PLAIN_PIECE_BYTES = 1024 * 1024;
/** Of one that is compressed; its clusters are compressed one after another, pieces at once. */
const COMPRESSED_PIECE_BYTES = 256 * 1024;
/** Memory for pieces that are worked on or wait for those before them, each with what it is compressed to, in bytes. */
const PIECES_LIMIT_BYTES = 48 * 1024 * 1024;
const MAX_PLAIN_PIECES = 4;
/** More than the compressors, so that none waits while a piece that is slow holds up the others. */
const MAX_COMPRESSED_PIECES = 24;
/** More than the threads of libuv's pool, so that a thread that is done finds the next cluster there. */
const COMPRESSORS = 6;

/**
 * The parts of a device that must be stored, piece by piece in order; several pieces are read and compressed at once. A
 * piece's memory is reused once the next one is asked for.
 */
export async function* readParts(
  device: BlockDevice,
  unit: number,
  compression: CompressionType | undefined,
  options: ReadOptions,
): AsyncGenerator<Piece, void> {
  const isCompressed = compression !== undefined;
  const pieceBytes = Math.max(unit, isCompressed ? COMPRESSED_PIECE_BYTES : PLAIN_PIECE_BYTES);
  const limit = Math.floor(PIECES_LIMIT_BYTES / (pieceBytes * 2));
  const buffers = new BufferPool(pieceBytes);
  using compressors = compression === undefined ? undefined : new ClusterCompressors(compression, unit, COMPRESSORS);
  const read = async (range: ByteRange): Promise<Piece & { readonly buffer: Uint8Array }> => {
    options.signal?.throwIfAborted();
    const buffer = buffers.take();
    const bytes = buffer.subarray(0, roundUp(range.length, unit));
    await device.readInto(bytes.subarray(0, range.length), range.start, options);
    bytes.fill(0, range.length);
    const runs = writtenRuns(bytes, range.start, unit, isCompressed);
    const parts = compressors === undefined ? runs : await compressAll(runs, compressors, options);
    return { end: range.start + range.length, parts, buffer };
  };
  const pieces = readAhead(
    writtenRanges(device, unit, pieceBytes, options),
    Math.min(limit, isCompressed ? MAX_COMPRESSED_PIECES : MAX_PLAIN_PIECES),
    read,
  );
  for await (const { buffer, ...piece } of pieces) {
    yield piece;
    buffers.give(buffer);
  }
}

/** The units that are not all zero, neighbours as one part unless they must stay apart. */
function writtenRuns(bytes: Uint8Array, start: number, unit: number, apart: boolean): Part[] {
  const runs: Part[] = [];
  const add = (from: number, to: number): void => {
    runs.push({ guestOffset: start + from, bytes: bytes.subarray(from, to), isCompressed: false });
  };
  let from: number | undefined;
  for (let at = 0; at < bytes.length; at += unit) {
    const isHole = isZero(bytes, at, at + unit);
    if (from !== undefined && (isHole || apart)) {
      add(from, at);
      from = undefined;
    }
    if (!isHole) from ??= at;
  }
  if (from !== undefined) add(from, bytes.length);
  return runs;
}

/** A unit that becomes no smaller stays as it is. */
async function compressAll(
  units: readonly Part[],
  compressors: ClusterCompressors,
  options: ReadOptions,
): Promise<readonly Part[]> {
  const parts: Part[] = [];
  for (const unit of units) {
    options.signal?.throwIfAborted();
    const bytes = await compressors.compress(unit.bytes);
    parts.push(bytes.length < unit.bytes.length ? { ...unit, bytes, isCompressed: true } : unit);
  }
  return parts;
}
