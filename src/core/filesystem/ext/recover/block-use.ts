import { LRUCache } from 'lru-cache';
import { countBits, hasBit, noteReused } from '../../../bytes/bits.ts';
import { divideDown } from '../../../bytes/rounding.ts';
import { firstAtLeast } from '../../../bytes/sorted-search.ts';
import type { ReadOptions } from '../../../device/block-device.ts';
import type { BlockRun } from '../block-run.ts';
import { GROUP_FLAG } from '../group-descriptor.ts';
import type { ExtVolume } from '../volume.ts';
import { hasGroupFlags, readGroup } from './groups.ts';
import type { JournalHistory } from './journal-history.ts';

/** What bitmaps, of now and of before, may take in memory, in bytes. */
const CACHE_BYTES = 4 * 1024 * 1024;

/** A part of a run inside one group, in bits of its bitmap. */
interface GroupPart {
  readonly group: number;
  readonly from: number;
  readonly count: number;
}

/** Of one group: after which transaction which blocks were taken again after they had been free. */
interface GroupPast {
  /** Ascending. */
  readonly orders: readonly number[];
  /** For each: the blocks that were free in it, or in a later one, and used later still. */
  readonly reused: readonly Uint8Array[];
}

/** Which blocks are in use, by the bitmaps of the groups; and, by the journal's copies of them, which were used again. */
export class BlockUse {
  readonly #volume: ExtVolume;
  readonly #history: JournalHistory | undefined;
  /** Null for a group whose bitmap was never written: nothing of it is in use. */
  readonly #present: LRUCache<number, { readonly bytes: Uint8Array | null }>;
  readonly #past: LRUCache<number, GroupPast>;

  constructor(volume: ExtVolume, history: JournalHistory | undefined) {
    this.#volume = volume;
    this.#history = history;
    const { blockSize } = volume.geometry;
    this.#present = new LRUCache({ max: Math.max(1, divideDown(CACHE_BYTES, blockSize)) });
    this.#past = new LRUCache({
      maxSize: CACHE_BYTES,
      sizeCalculation: ({ reused }) => 1 + reused.length * blockSize,
    });
  }

  /** The bits of the bitmaps (blocks, or clusters) that runs reach into, and how many of those are set. */
  async tally(
    runs: readonly BlockRun[],
    options?: ReadOptions,
  ): Promise<{ readonly set: number; readonly total: number }> {
    let [set, total] = [0, 0];
    for (const run of runs) {
      for (const part of this.#parts(run)) {
        const { bytes } = await this.#bitmap(part.group, options);
        if (bytes !== null) set += countBits(bytes, part.from, part.count);
        total += part.count;
      }
    }
    return { set, total };
  }

  /** Whether a block of the runs was taken by anybody after it had been freed by the transaction at `order`, or later. */
  async wasReused(runs: readonly BlockRun[], order: number, options?: ReadOptions): Promise<boolean> {
    for (const run of runs) {
      for (const { group, from, count } of this.#parts(run)) {
        const { orders, reused } = await this.#pastOf(group, options);
        const index = firstAtLeast(orders, order);
        if (index < orders.length && countBits(reused[index]!, from, count) > 0) return true;
      }
    }
    return false;
  }

  *#parts({ physical, count }: BlockRun): Generator<GroupPart, void> {
    const { firstDataBlock, blocksPerGroup, clusterSize, blockSize } = this.#volume.geometry;
    const ratio = clusterSize / blockSize;
    const end = physical + count - firstDataBlock;
    for (let at = physical - firstDataBlock; at < end; ) {
      const group = divideDown(at, blocksPerGroup);
      const stop = Math.min(end, (group + 1) * blocksPerGroup);
      const from = divideDown(at % blocksPerGroup, ratio);
      yield { group, from, count: divideDown((stop - 1) % blocksPerGroup, ratio) + 1 - from };
      at = stop;
    }
  }

  async #bitmap(index: number, options?: ReadOptions): Promise<{ readonly bytes: Uint8Array | null }> {
    const kept = this.#present.get(index);
    if (kept !== undefined) return kept;
    const group = await readGroup(this.#volume, index, options);
    const { blockSize } = this.#volume.geometry;
    let bytes: Uint8Array | null = null;
    if (group !== undefined && !(hasGroupFlags(this.#volume) && hasBit(group.flags, GROUP_FLAG.blocksUnwritten))) {
      // A bitmap that is nowhere tells nothing: all counts as used.
      bytes = this.#volume.hasDataBlocks(group.blockBitmap, 1)
        ? await this.#volume.readMetadata(group.blockBitmap, `block bitmap ${index}`, options)
        : new Uint8Array(blockSize).fill(0xff);
    }
    const found = { bytes };
    this.#present.set(index, found);
    return found;
  }

  async #pastOf(index: number, options?: ReadOptions): Promise<GroupPast> {
    const kept = this.#past.get(index);
    if (kept !== undefined) return kept;
    const { blockSize } = this.#volume.geometry;
    const group = await readGroup(this.#volume, index, options);
    const history = this.#history;
    const target = group === undefined ? undefined : history?.targetIndex(group.blockBitmap);
    const copies = history === undefined || target === undefined ? [] : history.copiesOf(target);
    const later = new Uint8Array(blockSize);
    const again = new Uint8Array(blockSize);
    const orders: number[] = [];
    const reused: Uint8Array[] = [];
    for (const past of copies.toReversed()) {
      options?.signal?.throwIfAborted();
      const bytes = await history!.read(past, options);
      // One that cannot be read may have had any block in use.
      if (bytes === undefined) again.fill(0xff);
      else noteReused(bytes, later, again);
      orders.unshift(past.order);
      reused.unshift(again.slice());
    }
    const found = { orders, reused };
    this.#past.set(index, found);
    return found;
  }
}
