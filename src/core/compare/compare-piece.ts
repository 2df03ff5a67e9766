import { divideDown, roundDown } from '../bytes/rounding.ts';
import type { BlockDevice, ByteRange, ReadOptions } from '../device/block-device.ts';
import { BufferPool } from '../device/buffer-pool.ts';
import type { Segment } from './segments.ts';

/** The longest piece, in bytes. */
export const PIECE_BYTES: number = 1024 * 1024;
/** What is compared at once before single sectors are looked at. */
const BLOCK_BYTES = 64 * 1024;
const zeros = new Uint8Array(PIECE_BYTES);

/** Compares pieces of two devices, several at once, in buffers that are used again. */
export class PieceComparison {
  readonly #first: BlockDevice;
  readonly #second: BlockDevice;
  readonly #sectorSize: number;
  readonly #options: ReadOptions;
  readonly #buffers = new BufferPool(PIECE_BYTES);

  constructor(first: BlockDevice, second: BlockDevice, sectorSize: number, options: ReadOptions) {
    this.#first = first;
    this.#second = second;
    this.#sectorSize = sectorSize;
    this.#options = options;
  }

  /** The sectors with a difference inside `piece`, joined where they touch. */
  async compare(piece: Segment): Promise<ByteRange[]> {
    this.#options.signal?.throwIfAborted();
    const buffers = [this.#buffers.take(), this.#buffers.take()] as const;
    const { reading } = piece;
    const [first, second] = await Promise.allSettled([
      reading === 'second' ? zeros.subarray(0, piece.length) : this.#read(this.#first, piece, buffers[0]),
      reading === 'first' ? zeros.subarray(0, piece.length) : this.#read(this.#second, piece, buffers[1]),
    ]);
    if (first.status === 'rejected') throw first.reason;
    if (second.status === 'rejected') throw second.reason;
    const ranges = differingSectors(first.value, second.value, piece.start, this.#sectorSize);
    for (const buffer of buffers) this.#buffers.give(buffer);
    return ranges;
  }

  /** The bytes of a piece; the device may end inside it, and has zeros behind its end. */
  async #read(device: BlockDevice, { start, length }: ByteRange, buffer: Uint8Array): Promise<Uint8Array> {
    const target = buffer.subarray(0, length);
    const available = Math.min(length, Math.max(0, device.size - start));
    if (available > 0) await device.readInto(target.subarray(0, available), start, this.#options);
    return target.fill(0, available);
  }
}

/** The sectors that differ, in bytes of the devices; `start` is where the two buffers begin there. */
function differingSectors(first: Uint8Array, second: Uint8Array, start: number, sectorSize: number): ByteRange[] {
  if (Buffer.compare(first, second) === 0) return [];
  const left = Buffer.from(first.buffer, first.byteOffset, first.length);
  const isSame = (from: number, to: number): boolean => left.compare(second, from, to, from, to) === 0;
  const ranges: { start: number; length: number }[] = [];
  for (let block = 0; block < first.length; block += BLOCK_BYTES) {
    const blockEnd = Math.min(first.length, block + BLOCK_BYTES);
    if (isSame(block, blockEnd)) continue;
    for (let at = block; at < blockEnd; ) {
      const sector = roundDown(start + at, sectorSize);
      const end = Math.min(first.length, sector + sectorSize - start);
      const last = ranges.at(-1);
      if (isSame(at, end)) {
        at = end;
        continue;
      }
      if (last !== undefined && last.start + last.length >= sector) last.length = sector + sectorSize - last.start;
      else ranges.push({ start: sector, length: sectorSize });
      at = end;
    }
  }
  return ranges;
}

/** A segment in pieces of bounded length. */
export function* cut(segment: Segment): Generator<Segment, void> {
  const end = segment.start + segment.length;
  for (let index = divideDown(segment.start, PIECE_BYTES), start = segment.start; start < end; index++) {
    const stop = Math.min(end, (index + 1) * PIECE_BYTES);
    yield { start, length: stop - start, reading: segment.reading };
    start = stop;
  }
}
