import { NumberMap } from '../../../bytes/number-map.ts';
import { divideDown } from '../../../bytes/rounding.ts';
import type { ReadOptions } from '../../../device/block-device.ts';
import { extentsOf } from '../../../device/extent.ts';
import type { BlockRun } from '../block-run.ts';
import type { ExtVolume } from '../volume.ts';

/** Pieces that the image is asked about at once: a question for each small file would be a system call for each. */
const PIECE_BYTES = 1024 * 1024;

/** Where the image stores nothing: what was there may have been given back (TRIM). */
export class StoredBlocks {
  readonly #volume: ExtVolume;
  /** Pieces that were asked about: 1 for those that are stored in full. */
  readonly #pieces = new NumberMap();

  constructor(volume: ExtVolume) {
    this.#volume = volume;
  }

  /** Whether all of the runs that were written are stored. */
  async hasAll(runs: readonly BlockRun[], options?: ReadOptions): Promise<boolean> {
    const { device, geometry } = this.#volume;
    for (const { physical, count, unwritten } of runs) {
      if (unwritten) continue;
      const start = physical * geometry.blockSize;
      const end = start + count * geometry.blockSize;
      if (end > device.size) return false;
      for (let at = start; at < end; ) {
        const piece = divideDown(at, PIECE_BYTES);
        const stop = Math.min(end, (piece + 1) * PIECE_BYTES);
        const isStored = (await this.#isWhole(piece, options)) || (await this.#isStored(at, stop, options));
        if (!isStored) return false;
        at = stop;
      }
    }
    return true;
  }

  async #isWhole(piece: number, options?: ReadOptions): Promise<boolean> {
    const known = this.#pieces.get(piece);
    if (known !== undefined) return known === 1;
    const start = piece * PIECE_BYTES;
    const isWhole = await this.#isStored(start, Math.min(start + PIECE_BYTES, this.#volume.device.size), options);
    this.#pieces.set(piece, isWhole ? 1 : 0);
    return isWhole;
  }

  async #isStored(start: number, end: number, options?: ReadOptions): Promise<boolean> {
    for await (const extent of extentsOf(this.#volume.device, { start, length: end - start }, options))
      if (extent.kind === 'zero') return false;
    return true;
  }
}
