import type { BlockDevice, ReadOptions } from '../device/block-device.ts';
import type { OnProgress } from '../device/progress.ts';
import { readAhead } from '../device/read-ahead.ts';
import { takeTurn } from '../device/take-turn.ts';
import { type BytePattern, matchesZeros } from './byte-pattern.ts';
import { MAX_PLACES, Scanner } from './scanner.ts';
import { type SearchRange, searchRanges } from './search-ranges.ts';

/** Places read with one call, unless asked otherwise. */
const PIECE_BYTES = 4 * 1024 * 1024;
/** Pieces that are read or looked through at once. */
const PIECES = 4;

export interface Match {
  /** Of its first byte, in the device. */
  readonly offset: number;
  readonly pattern: BytePattern;
}

/** Matches that lie together. */
export interface MatchBatch {
  readonly count: number;
  /** In the order of the device; to be taken before the next batch is. In a run of zeros they can be more than fit in memory. */
  matches(): Iterable<Match>;
}

export interface SearchOptions extends ReadOptions {
  readonly onProgress?: OnProgress | undefined;
}

interface Piece {
  readonly range: SearchRange;
  /** What was read, with the bytes that a match at its end needs; undefined for zeros. */
  readonly bytes: Uint8Array | undefined;
  readonly buffer: Uint8Array | undefined;
}

/** A search for one or more patterns, each wherever it begins: matches may overlap. Of one device at a time. */
export class Search {
  readonly #patterns: readonly BytePattern[];
  readonly #scanner: Scanner;
  readonly #pieceBytes: number;
  /** How many bytes the longest pattern has behind its first. */
  readonly #reach: number;

  constructor(patterns: readonly BytePattern[], pieceBytes: number = PIECE_BYTES) {
    this.#patterns = patterns;
    this.#pieceBytes = pieceBytes;
    this.#scanner = new Scanner(patterns, PIECES, pieceBytes);
    this.#reach = Math.max(...patterns.map(({ values }) => values.length)) - 1;
  }

  /** The matches in a device, in its order. What is known to be zero is not read. */
  async *in(device: BlockDevice, options: SearchOptions = {}): AsyncGenerator<MatchBatch, void> {
    const free = [...this.#scanner.buffers];
    const read = async (range: SearchRange): Promise<Piece> => {
      options.signal?.throwIfAborted();
      if (range.isZero) return { range, bytes: undefined, buffer: undefined };
      const buffer = free.pop()!;
      const bytes = buffer.subarray(0, Math.min(range.end + this.#reach, device.size) - range.start);
      await device.readInto(bytes, range.start, options);
      return { range, bytes, buffer };
    };
    const ranges = searchRanges(device, this.#reach, this.#pieceBytes, options);
    for await (const { range, bytes, buffer } of readAhead(ranges, PIECES, read)) {
      yield* bytes === undefined ? this.#inZeros(range, device.size) : this.#inBytes(bytes, range);
      if (buffer !== undefined) free.push(buffer);
      options.onProgress?.({ done: range.end, total: device.size });
      await takeTurn();
      options.signal?.throwIfAborted();
    }
  }

  *#inBytes(bytes: Uint8Array, { start, end }: SearchRange): Generator<MatchBatch, void> {
    const length = end - start;
    for (let at = 0; at < length; at += MAX_PLACES) {
      const places = Math.min(MAX_PLACES, length - at);
      const found = this.#patterns.map((_, index) => this.#scanner.find(index, bytes, at, places));
      const count = found.reduce((sum, each) => sum + each.length, 0);
      if (count === 0) continue;
      const origin = start - bytes.byteOffset;
      yield { count, matches: () => this.#merged(found, origin) };
    }
  }

  /** `found` by pattern, in the scanner's memory, whose byte 0 would lie at `origin`. */
  #merged(found: readonly Uint32Array[], origin: number): Match[] {
    const matches = this.#patterns.flatMap((pattern, index) =>
      Array.from(found[index]!, (at) => ({ offset: origin + at, pattern })),
    );
    return found.length === 1 ? matches : matches.sort((left, right) => left.offset - right.offset);
  }

  *#inZeros({ start, end }: SearchRange, size: number): Generator<MatchBatch, void> {
    const zeros = this.#patterns.filter(matchesZeros);
    const ends = zeros.map(({ values }) => Math.min(end, size - values.length + 1));
    const count = ends.reduce((sum, each) => sum + Math.max(0, each - start), 0);
    if (count > 0) yield { count, matches: () => everywhere(zeros, start, ends) };
  }
}

function* everywhere(patterns: readonly BytePattern[], start: number, ends: readonly number[]): Generator<Match, void> {
  for (let offset = start; offset < Math.max(...ends); offset++) {
    for (const [index, pattern] of patterns.entries()) if (offset < ends[index]!) yield { offset, pattern };
  }
}
