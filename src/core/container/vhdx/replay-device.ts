import type { RangeSet } from '../../bytes/range-set.ts';
import { roundDown } from '../../bytes/rounding.ts';
import { firstAtLeast } from '../../bytes/sorted-search.ts';
import { type BlockDevice, type ByteRange, checkRange, type ReadOptions } from '../../device/block-device.ts';
import { type Extent, mergeExtents } from '../../device/extent.ts';
import { LOG_SECTOR_BYTES } from './log-entry.ts';

/** What the replay of a log changes in a file. */
export interface ReplayedChanges {
  /** New sectors of 4 KiB, by their offset in the file; they go before `zeros`. */
  readonly sectors: ReadonlyMap<number, Uint8Array>;
  /** Ranges of the file, in bytes, that become zeros. */
  readonly zeros: RangeSet;
  /** The file's size afterwards, in bytes. */
  readonly size: number;
}

/**
 * A file as it is after the replay of its log, which stays in memory: zeros by range, so that the largest zero descriptor
 * costs nothing. `extents` tells what comes from the file itself. Disposing it leaves the file open.
 */
export class ReplayDevice implements BlockDevice {
  readonly size: number;
  readonly sectorSize: number;
  readonly #file: BlockDevice;
  readonly #sectors: ReadonlyMap<number, Uint8Array>;
  readonly #sectorOffsets: readonly number[];
  readonly #zeros: RangeSet;

  constructor(file: BlockDevice, { sectors, zeros, size }: ReplayedChanges) {
    this.#file = file;
    this.size = size;
    this.sectorSize = file.sectorSize;
    this.#sectors = sectors;
    this.#sectorOffsets = [...sectors.keys()].sort((left, right) => left - right);
    this.#zeros = zeros;
  }

  async readInto(target: Uint8Array, offset: number, options?: ReadOptions): Promise<void> {
    checkRange(this, 'vhdx replay', offset, target.length);
    for (const piece of this.pieces({ start: offset, length: target.length })) {
      const part = target.subarray(piece.start - offset, piece.start - offset + piece.length);
      if (piece.kind !== 'data') part.fill(0);
      else if (piece.source !== this) await piece.source.readInto(part, piece.sourceOffset, options);
      else {
        const within = piece.start % LOG_SECTOR_BYTES;
        part.set(this.#sectors.get(piece.start - within)!.subarray(within, within + part.length));
      }
    }
  }

  async *extents(range: ByteRange): AsyncGenerator<Extent, void> {
    checkRange(this, 'vhdx replay', range.start, range.length);
    yield* mergeExtents(asAsync(this.pieces(range)));
  }

  /** The same at once, not joined: a replayed sector is data of this device, at most one a piece. */
  *pieces({ start, length }: ByteRange): Generator<Extent, void> {
    const end = start + length;
    let at = start;
    while (at < end) {
      const sector = roundDown(at, LOG_SECTOR_BYTES);
      const isReplayed = this.#sectors.has(sector);
      const stop = Math.min(end, isReplayed ? sector + LOG_SECTOR_BYTES : this.#nextSector(at));
      if (isReplayed) yield { kind: 'data', start: at, length: stop - at, source: this, sourceOffset: at };
      else yield* this.#unreplayed(at, stop);
      at = stop;
    }
  }

  #nextSector(at: number): number {
    return this.#sectorOffsets[firstAtLeast(this.#sectorOffsets, at)] ?? Number.POSITIVE_INFINITY;
  }

  /** What no new sector covers: zeroed by the log, still the file's, or behind its end. */
  *#unreplayed(start: number, end: number): Generator<Extent, void> {
    let at = start;
    while (at < end) {
      const zeroEnd = this.#zeros.endOfRangeAt(at);
      const isFile = zeroEnd === undefined && at < this.#file.size;
      const limit = zeroEnd ?? Math.min(this.#zeros.nextStart(at) ?? end, isFile ? this.#file.size : end);
      const length = Math.min(end, limit) - at;
      if (isFile) yield { kind: 'data', start: at, length, source: this.#file, sourceOffset: at };
      else yield { kind: 'zero', start: at, length, explicit: zeroEnd !== undefined };
      at += length;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

async function* asAsync(extents: Iterable<Extent>): AsyncGenerator<Extent, void> {
  yield* extents;
}
