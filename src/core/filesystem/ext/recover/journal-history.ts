import { NumberList } from '../../../bytes/number-list.ts';
import { firstAtLeast } from '../../../bytes/sorted-search.ts';
import { type ReadOptions, readBytes } from '../../../device/block-device.ts';
import { CachedDevice } from '../../../device/cached-device.ts';
import { extentsOf } from '../../../device/extent.ts';
import type { Journal } from '../journal/journal.ts';
import { hasCopySum } from '../journal/replay.ts';
import { ESCAPED_WORD } from '../journal/structures.ts';
import type { JournaledBlock } from '../journal/transactions.ts';
import { MOUNT_STEP, type PastTransaction, scanJournal } from './journal-scan.ts';
import type { SearchProgress } from './search-progress.ts';

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
  readonly #device: CachedDevice;
  /** Of each copy, by target and then by age: its transaction, and which of that one's copies it is. */
  readonly #orders: Uint32Array;
  readonly #places: Uint32Array;
  /** Where the copies of each target begin, and at the end how many there are. */
  readonly #starts: Uint32Array;
  /** From this transaction on the history has no gap up to now. */
  readonly #gapless: number;

  private constructor(journal: Journal, transactions: readonly PastTransaction[], next: number) {
    this.#journal = journal;
    this.#device = new CachedDevice(journal.device);
    this.transactions = transactions;
    const { orders, places, targets, starts } = sortedCopies(transactions);
    this.#orders = orders;
    this.#places = places;
    this.targets = targets;
    this.#starts = starts;
    this.#gapless = gaplessFrom(transactions, next);
  }

  static async read(journal: Journal, progress: SearchProgress, options?: ReadOptions): Promise<JournalHistory> {
    progress.expect((journal.end - journal.first) * journal.blockSize);
    const found = await scanJournal(journal, progress, options);
    const next = nextSequence(journal, found);
    // What has a higher number than the next is of an earlier life of the journal.
    const known = [...found.values()].filter(({ sequence }) => sequence < next);
    return new JournalHistory(
      journal,
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
    return { index, order, copy: this.transactions[order]!.copies[this.#places[index]!]! };
  }

  /** The newest copy of a block that is no newer than the transaction at `order`. */
  newestAt(block: number, order: number): PastCopy | undefined {
    const target = this.targetIndex(block);
    if (target === undefined) return undefined;
    for (let at = this.#starts[target + 1]! - 1; at >= this.#starts[target]!; at--)
      if (this.#orders[at]! <= order) return this.copyAt(at);
    return undefined;
  }

  /** The bytes of a copy as they were in the filesystem; undefined when its checksum is wrong. */
  async read({ order, copy }: PastCopy, options?: ReadOptions): Promise<Uint8Array | undefined> {
    const { blockSize } = this.#journal;
    const bytes = await readBytes(this.#device, copy.block * blockSize, blockSize, options);
    if (!hasCopySum(this.#journal, bytes, copy.checksum, this.transactions[order]!.sequence)) return undefined;
    if (copy.isEscaped) bytes.set(ESCAPED_WORD);
    return bytes;
  }

  /** Where a copy lies, in bytes of the filesystem's device; undefined for one that no block of the journal's file holds. */
  async placeOf({ copy }: PastCopy, options?: ReadOptions): Promise<number | undefined> {
    const { blockSize, device } = this.#journal;
    for await (const extent of extentsOf(device, { start: copy.block * blockSize, length: blockSize }, options))
      return extent.kind === 'data' ? extent.sourceOffset : undefined;
    return undefined;
  }
}

/** All copies by the block that they are of, the oldest first. */
function sortedCopies(transactions: readonly PastTransaction[]): {
  readonly orders: Uint32Array;
  readonly places: Uint32Array;
  readonly targets: Float64Array;
  readonly starts: Uint32Array;
} {
  const count = transactions.reduce((sum, { copies }) => sum + copies.length, 0);
  const all = { orders: new Uint32Array(count), places: new Uint32Array(count) };
  let filled = 0;
  transactions.forEach(({ copies }, order) => {
    for (let place = 0; place < copies.length; place++) {
      all.orders[filled] = order;
      all.places[filled++] = place;
    }
  });
  const targetOf = (at: number): number => transactions[all.orders[at]!]!.copies[all.places[at]!]!.target;
  // They stand by age already.
  const sorted = Uint32Array.from({ length: count }, (_, at) => at).sort(
    (left, right) => targetOf(left) - targetOf(right) || left - right,
  );
  const starts = NumberList.ofUint32();
  const targets = NumberList.ofFloat64();
  for (let at = 0; at < count; at++) {
    const target = targetOf(sorted[at]!);
    if (targets.length > 0 && targets.at(targets.length - 1) === target) continue;
    starts.push(at);
    targets.push(target);
  }
  starts.push(count);
  return {
    orders: sorted.map((at) => all.orders[at]!),
    places: sorted.map((at) => all.places[at]!),
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
