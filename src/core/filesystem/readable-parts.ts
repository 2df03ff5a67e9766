import { clamp, roundUp } from '../bytes/rounding.ts';
import { type BlockDevice, type ByteRange, type ReadOptions, readBytes } from '../device/block-device.ts';
import { DiskError, outOfRange } from '../errors.ts';
import type { FileSystem, LostRange, RegularFile } from './filesystem.ts';

/** What is read at once, in bytes. */
const PIECE_BYTES = 1024 * 1024;
/** Reads of one file that may fail while the bad sectors are looked for; behind that many whole extents are given up. */
const MAX_FAILED_READS = 65_536;
/** Lost ranges of one file that are told one by one. */
const MAX_TOLD_RANGES = 1000;

/** Bytes of a file from `start` on. */
export interface ReadablePart {
  readonly start: number;
  readonly bytes: Uint8Array;
}

/**
 * All of a damaged file that can be read, ascending, each part at its place; what is between two of them is a hole, or is told
 * to `lost`. Where a read fails, its sectors are tried one by one. A file that cannot be read at all fails with its first loss.
 */
export async function* readableParts(
  filesystem: FileSystem,
  node: RegularFile,
  lost: LostRanges,
  options: ReadOptions = {},
): AsyncGenerator<ReadablePart, void> {
  const reading = new Reading(lost, options);
  let isReadable = false;
  const mapping = { signal: options.signal, onLost: lost.add };
  for await (const extent of node.extents({ start: 0, length: node.size }, mapping)) {
    options.signal?.throwIfAborted();
    if (extent.kind !== 'data') continue;
    const { source, sourceOffset, start, length } = extent;
    // A device that ends too early is not asked for what it does not have: a hostile file may want any amount of it.
    const held = clamp(source.size - sourceOffset, 0, length);
    for await (const part of reading.parts(source, { start: sourceOffset, length: held }, start)) {
      isReadable = true;
      yield part;
    }
    if (held < length)
      lost.add({ start: start + held, length: length - held, reason: endOfDevice(filesystem, source, sourceOffset) });
  }
  const first = lost.first;
  if (!isReadable && first !== undefined) throw first.reason;
}

class Reading {
  readonly #lost: LostRanges;
  readonly #options: ReadOptions;
  #failures = 0;

  constructor(lost: LostRanges, options: ReadOptions) {
    this.#lost = lost;
    this.#options = options;
  }

  /** The parts of `range` of the device that can be read; its first byte is byte `fileStart` of the file. */
  async *parts(source: BlockDevice, range: ByteRange, fileStart: number): AsyncGenerator<ReadablePart, void> {
    const end = range.start + range.length;
    for (let at = range.start; at < end; at += PIECE_BYTES) {
      const start = fileStart + at - range.start;
      if (this.#failures >= MAX_FAILED_READS) {
        const bytes = await this.#read(source, { start: at, length: Math.min(source.sectorSize, end - at) });
        if (bytes instanceof DiskError) {
          this.#lost.add({ start, length: end - at, reason: bytes });
          return;
        }
      }
      yield* this.#piece(source, { start: at, length: Math.min(PIECE_BYTES, end - at) }, start);
    }
  }

  /** Halves what cannot be read until it is a sector. */
  async *#piece(source: BlockDevice, piece: ByteRange, fileStart: number): AsyncGenerator<ReadablePart, void> {
    const pending = [piece];
    for (let here = pending.pop(); here !== undefined; here = pending.pop()) {
      this.#options.signal?.throwIfAborted();
      const start = fileStart + here.start - piece.start;
      const bytes = await this.#read(source, here);
      if (!(bytes instanceof DiskError)) {
        yield { start, bytes };
        continue;
      }
      this.#failures++;
      const half = roundUp(here.length / 2, source.sectorSize);
      if (half >= here.length || this.#failures >= MAX_FAILED_READS)
        this.#lost.add({ start, length: here.length, reason: bytes });
      else {
        pending.push({ start: here.start + half, length: here.length - half });
        pending.push({ start: here.start, length: half });
      }
    }
  }

  async #read(source: BlockDevice, { start, length }: ByteRange): Promise<Uint8Array | DiskError> {
    try {
      return await readBytes(source, start, length, this.#options);
    } catch (error) {
      if (error instanceof DiskError) return error;
      throw error;
    }
  }
}

/** What is lost of one file: a bounded list, neighbors joined. */
export class LostRanges {
  #ranges: LostRange[] = [];
  /** Those that are too many, as one that reaches over all of them. */
  #rest: { start: number; end: number; count: number; readonly reason: DiskError } | undefined;

  get first(): LostRange | undefined {
    return this.#ranges[0];
  }

  readonly add = (range: LostRange): void => {
    const last = this.#ranges.at(-1);
    if (last !== undefined && last.start + last.length === range.start && last.reason.code === range.reason.code)
      this.#ranges[this.#ranges.length - 1] = { ...last, length: last.length + range.length };
    else if (this.#ranges.length < MAX_TOLD_RANGES) this.#ranges.push(range);
    else this.#addToRest(range);
  };

  #addToRest({ start, length, reason }: LostRange): void {
    this.#rest ??= { start, end: start + length, count: 0, reason };
    this.#rest.start = Math.min(this.#rest.start, start);
    this.#rest.end = Math.max(this.#rest.end, start + length);
    this.#rest.count++;
  }

  /** Ascending; the last may stand for all that were too many to list. */
  list(): readonly LostRange[] {
    const ranges = this.#ranges.toSorted((one, other) => one.start - other.start);
    if (this.#rest === undefined) return ranges;
    const { start, end, count, reason } = this.#rest;
    const found = `${count} lost ranges that are not listed one by one`;
    const many = new DiskError(reason.code, { layer: 'file', structure: 'content', found, cause: reason });
    return [...ranges, { start, length: end - start, reason: many }];
  }
}

function endOfDevice({ type }: FileSystem, device: BlockDevice, offset: number): DiskError {
  return outOfRange({
    layer: type,
    structure: 'content',
    offset: Math.max(offset, device.size),
    expected: `a place inside the ${device.size} bytes of the device`,
    found: 'the end of the device',
  });
}
