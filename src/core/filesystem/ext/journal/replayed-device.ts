import { divideDown } from '../../../bytes/rounding.ts';
import { firstAtLeast } from '../../../bytes/sorted-search.ts';
import { type BlockDevice, type ByteRange, checkRange, type ReadOptions } from '../../../device/block-device.ts';
import { type Extent, extentsOf, mergeExtents } from '../../../device/extent.ts';
import type { Journal } from './journal.ts';
import { ESCAPED_WORD } from './structures.ts';
import type { JournaledBlock } from './transactions.ts';

/** A filesystem's device as it is after the replay of the journal, whose copies are read where they are. Disposing it closes nothing. */
export class ReplayedDevice implements BlockDevice {
  readonly size: number;
  readonly sectorSize: number;
  readonly #device: BlockDevice;
  readonly #journal: Journal;
  readonly #copies: ReadonlyMap<number, JournaledBlock>;
  /** The blocks that have a copy, ascending. */
  readonly #targets: readonly number[];

  /** `copies` by the block of the filesystem that they are of. */
  constructor(device: BlockDevice, journal: Journal, copies: ReadonlyMap<number, JournaledBlock>) {
    this.size = device.size;
    this.sectorSize = device.sectorSize;
    this.#device = device;
    this.#journal = journal;
    this.#copies = copies;
    this.#targets = [...copies.keys()].sort((left, right) => left - right);
  }

  async readInto(target: Uint8Array, offset: number, options?: ReadOptions): Promise<void> {
    checkRange(this, 'ext journal', offset, target.length);
    for (const { start, length, copy } of this.#pieces({ start: offset, length: target.length })) {
      const part = target.subarray(start - offset, start - offset + length);
      if (copy === undefined) await this.#device.readInto(part, start, options);
      else await this.#readCopy(copy, part, start % this.#journal.blockSize, options);
    }
  }

  async #readCopy(copy: JournaledBlock, part: Uint8Array, within: number, options?: ReadOptions): Promise<void> {
    const { device, blockSize } = this.#journal;
    await device.readInto(part, copy.block * blockSize + within, options);
    if (!copy.isEscaped) return;
    for (let at = within; at < Math.min(4, within + part.length); at++) part[at - within] = ESCAPED_WORD[at]!;
  }

  /** A copy is data of the journal's file; one whose first word was changed there is only found here. */
  async *extents(range: ByteRange, options?: ReadOptions): AsyncGenerator<Extent, void> {
    checkRange(this, 'ext journal', range.start, range.length);
    yield* mergeExtents(this.#extents(range, options));
  }

  async *#extents(range: ByteRange, options?: ReadOptions): AsyncGenerator<Extent, void> {
    const { device, blockSize } = this.#journal;
    for (const { start, length, copy } of this.#pieces(range)) {
      if (copy === undefined) yield* extentsOf(this.#device, { start, length }, options);
      else if (copy.isEscaped) yield { kind: 'data', start, length, source: this, sourceOffset: start };
      else {
        const sourceOffset = copy.block * blockSize + (start % blockSize);
        yield { kind: 'data', start, length, source: device, sourceOffset };
      }
    }
  }

  *#pieces({ start, length }: ByteRange): Generator<ByteRange & { readonly copy: JournaledBlock | undefined }, void> {
    const { blockSize } = this.#journal;
    const end = start + length;
    for (let at = start; at < end; ) {
      const block = divideDown(at, blockSize);
      const copy = this.#copies.get(block);
      const next = copy === undefined ? this.#nextTarget(block) : block + 1;
      const stop = Math.min(end, next * blockSize);
      yield { start: at, length: stop - at, copy };
      at = stop;
    }
  }

  #nextTarget(block: number): number {
    return this.#targets[firstAtLeast(this.#targets, block)] ?? Number.POSITIVE_INFINITY;
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
