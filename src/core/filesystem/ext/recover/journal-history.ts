import { LRUCache } from 'lru-cache';
import { NumberList } from '../../../bytes/number-list.ts';
import { divideDown } from '../../../bytes/rounding.ts';
import { firstAtLeast } from '../../../bytes/sorted-search.ts';
import { SparseBitSet } from '../../../bytes/sparse-bit-set.ts';
import { type ReadOptions, readBytes } from '../../../device/block-device.ts';
import { extentsOf } from '../../../device/extent.ts';
import type { Journal } from '../journal/journal.ts';
import { hasCopySum } from '../journal/replay.ts';
import { ESCAPED_WORD } from '../journal/structures.ts';
import type { JournaledBlock } from '../journal/transactions.ts';
import type { CopyRows } from './copy-rows.ts';
import { MOUNT_STEP, type PastTransaction, scanJournal } from './journal-scan.ts';
import type { SearchProgress } from './search-progress.ts';

/** The journal is read in pieces of this size, as large as the largest block; so many are kept. */
const PIECE_BYTES = 64 * 1024;
const MAX_PIECES = 64;
const MAX_PLACES = 2 ** 12;

/** A copy of a block: in which transaction (its place among `transactions`), and where in the journal. */
export interface PastCopy {
  /** Its number among all copies. */
  readonly index: number;
  readonly order: number;
  readonly copy: JournaledBlock;
}

/** What the journal still knows of earlier states: copies of blocks of metadata, by block and transaction. */
export class JournalHistory {
  /** By their numbers, ascending. */
  readonly transactions: readonly PastTransaction[];
  /** The blocks of the filesystem that have copies, ascending, each once. */
  readonly targets: Float64Array;
  readonly #journal: Journal;
  readonly #pieces = new LRUCache<number, Uint8Array>({ max: MAX_PIECES });
  /** Copies whose sums are known to be right. */
  readonly #summed = new SparseBitSet();
  /** Where copies lie that were asked for last. */
  readonly #placesOnDevice = new LRUCache<number, number>({ max: MAX_PLACES });
  /** Of each copy, by target and then by age: its transaction, and its row. */
  readonly #orders: Uint32Array;
  readonly #sorted: Uint32Array;
  readonly #rows: CopyRows;
  /** Where the copies of each target begin, and at the end how many there are. */
  readonly #starts: Uint32Array;
  /** From this transaction on the history has no gap up to now. */
  readonly #gapless: number;

  private constructor(journal: Journal, rows: CopyRows, transactions: readonly PastTransaction[], next: number) {
    this.#journal = journal;
    this.transactions = transactions;
    const { orders, sorted, targets, starts } = sortedCopies(transactions, rows);
    this.#orders = orders;
    this.#sorted = sorted;
    this.#rows = rows;
    this.targets = targets;
    this.#starts = starts;
    this.#gapless = gaplessFrom(transactions, next);
  }

  static async read(journal: Journal, progress: SearchProgress, options?: ReadOptions): Promise<JournalHistory> {
    progress.expect((journal.end - journal.first) * journal.blockSize);
    const { found, rows } = await scanJournal(journal, progress, options);
    const next = nextSequence(journal, found);
    // What has a higher number than the next is of an earlier life of the journal.
    const known = [...found.values()].filter(({ sequence }) => sequence < next);
    return new JournalHistory(
      journal,
      rows,
      known.sort((left, right) => left.sequence - right.sequence),
      next,
    );
  }

  /** Whether everything that was committed since the transaction at `order` is known. */
  isGaplessFrom(order: number): boolean {
    return order >= this.#gapless;
  }

  /** The place of a block among `targets`; undefined when no copy is kept. */
  targetIndex(block: number): number | undefined {
    const index = firstAtLeast(this.targets, block);
    return this.targets[index] === block ? index : undefined;
  }

  /** The copies of a target, the oldest first. */
  copiesOf(targetIndex: number): readonly PastCopy[] {
    const [start, end] = [this.#starts[targetIndex]!, this.#starts[targetIndex + 1]!];
    return Array.from({ length: end - start }, (_, at) => this.copyAt(start + at));
  }

  /** A copy by its number. */
  copyAt(index: number): PastCopy {
    const order = this.#orders[index]!;
    return { index, order, copy: this.#rows.at(this.#sorted[index]!) };
  }

  /** The newest copy of a block that is no newer than the transaction at `order`. */
  newestAt(block: number, order: number): PastCopy | undefined {
    const target = this.targetIndex(block);
    if (target === undefined) return undefined;
    for (let at = this.#starts[target + 1]! - 1; at >= this.#starts[target]!; at--)
      if (this.#orders[at]! <= order) return this.copyAt(at);
    return undefined;
  }

  /** The bytes of a copy as they were in the filesystem, not to be changed; undefined when its checksum is wrong. */
  async read({ index, order, copy }: PastCopy, options?: ReadOptions): Promise<Uint8Array | undefined> {
    const { blockSize } = this.#journal;
    const offset = copy.block * blockSize;
    const piece = await this.#piece(divideDown(offset, PIECE_BYTES), options);
    const within = offset % PIECE_BYTES;
    const bytes = piece.subarray(within, within + blockSize);
    if (!this.#summed.has(index)) {
      if (!hasCopySum(this.#journal, bytes, copy.checksum, this.transactions[order]!.sequence)) return undefined;
      this.#summed.add(index);
    }
    if (!copy.isEscaped) return bytes;
    const restored = bytes.slice();
    restored.set(ESCAPED_WORD);
    return restored;
  }

  async #piece(number: number, options?: ReadOptions): Promise<Uint8Array> {
    const known = this.#pieces.get(number);
    if (known !== undefined) return known;
    const { device } = this.#journal;
    const start = number * PIECE_BYTES;
    const bytes = await readBytes(device, start, Math.min(PIECE_BYTES, device.size - start), options);
    this.#pieces.set(number, bytes);
    return bytes;
  }

  /** Where a copy lies, in bytes of the filesystem's device; undefined for one that no block of the journal's file holds. */
  async placeOf({ index, copy }: PastCopy, options?: ReadOptions): Promise<number | undefined> {
    const known = this.#placesOnDevice.get(index);
    if (known !== undefined) return known;
    const { blockSize, device } = this.#journal;
    for await (const extent of extentsOf(device, { start: copy.block * blockSize, length: blockSize }, options)) {
      if (extent.kind !== 'data') return undefined;
      this.#placesOnDevice.set(index, extent.sourceOffset);
      return extent.sourceOffset;
    }
    return undefined;
  }
}

/** All copies by the block that they are of, the oldest first. */
function sortedCopies(
  transactions: readonly PastTransaction[],
  rows: CopyRows,
): {
  readonly orders: Uint32Array;
  readonly sorted: Uint32Array;
  readonly targets: Float64Array;
  readonly starts: Uint32Array;
} {
  const orderOf = new Uint32Array(rows.length);
  const all = NumberList.ofUint32();
  transactions.forEach(({ firstCopy, copyCount }, order) => {
    for (let row = firstCopy; row < firstCopy + copyCount; row++) {
      orderOf[row] = order;
      all.push(row);
    }
  });
  // The order of rows within a transaction is that of its blocks; the last of two of the same block is the newer one.
  const sorted = Uint32Array.from(all.values).sort(
    (left, right) => rows.targetAt(left) - rows.targetAt(right) || orderOf[left]! - orderOf[right]! || left - right,
  );
  const starts = NumberList.ofUint32();
  const targets = NumberList.ofFloat64();
  sorted.forEach((row, at) => {
    const target = rows.targetAt(row);
    if (targets.length > 0 && targets.at(targets.length - 1) === target) return;
    starts.push(at);
    targets.push(target);
  });
  starts.push(sorted.length);
  return {
    orders: sorted.map((row) => orderOf[row]!),
    sorted,
    targets: Float64Array.from(targets.values),
    starts: Uint32Array.from(starts.values),
  };
}

/** The number that the next transaction gets: of a journal with nothing to replay the superblock says it. */
function nextSequence(journal: Journal, found: ReadonlyMap<number, PastTransaction>): number {
  if (journal.start === undefined) return journal.sequence;
  let next = journal.start.sequence;
  while (found.has(next)) next++;
  return next;
}

/**
 * The first transaction behind which none is missing. The end of a mount and the begin of the next leave numbers out.
 */
function gaplessFrom(transactions: readonly PastTransaction[], next: number): number {
  let from = transactions.length;
  let follower = { sequence: next, isFirst: true };
  while (from > 0) {
    const here = transactions[from - 1]!;
    const step = follower.sequence - here.sequence;
    if (step !== 1 && !(follower.isFirst && step <= MOUNT_STEP)) break;
    // Its own copies are believed; what it had beside them is not known.
    if (!here.isWhole) break;
    from--;
    follower = here;
  }
  return from;
}
