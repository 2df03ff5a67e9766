import { joinHalves } from '../../../bytes/bits.ts';
import { divideDown } from '../../../bytes/rounding.ts';
import type { ReadOptions } from '../../../device/block-device.ts';
import type { Journal } from '../journal/journal.ts';
import { BLOCK_HEADER, BLOCK_TYPE, COMMIT_BLOCK, JOURNAL_MAGIC } from '../journal/structures.ts';
import { parseTags } from '../journal/tags.ts';
import { hasGoodTail } from '../journal/transactions.ts';
import { CopyRows } from './copy-rows.ts';
import type { SearchProgress } from './search-progress.ts';

/** A transaction that stands in the journal with its commit block, whether it is in the filesystem by now or not. */
export interface PastTransaction {
  readonly sequence: number;
  /** Its copies: their first row, and how many there are. */
  readonly firstCopy: number;
  readonly copyCount: number;
  /** When it was committed, in seconds since 1970; 0 where that is not told. */
  readonly committed: number;
  /** False when its first blocks were written over: then it had more copies than these. */
  readonly isWhole: boolean;
  /** Whether it may be the first of a mount: those begin at the start of the ring, or with numbers left out. */
  readonly isFirst: boolean;
}

/** The journal is read in pieces of this size. */
const PIECE_BYTES = 1024 * 1024;
/** The most of a journal that is searched: four times the largest that mke2fs makes unasked. */
const MAX_SCANNED_BYTES = 4 * 2 ** 30;
/** Copies that are kept; a journal of 1 GiB with blocks of 1 KiB has no more. */
const MAX_COPIES = 2 ** 20;

/** By how much the numbers go on from the last transaction of a mount to the first of the next; 2 after a replay. */
export const MOUNT_STEP = 3;

/** A transaction whose commit block was not met yet. */
interface OpenTransaction {
  readonly sequence: number;
  readonly firstCopy: number;
  readonly isWhole: boolean;
  readonly isFirst: boolean;
}

/**
 * All transactions that a journal still has, by their numbers: those that were written to the filesystem long ago too, wherever
 * in the ring they stand. What follows a descriptor is only believed with a commit block of the same number behind it.
 */
export async function scanJournal(
  journal: Journal,
  progress: SearchProgress,
  options?: ReadOptions,
): Promise<{ readonly found: Map<number, PastTransaction>; readonly rows: CopyRows }> {
  const scan = new JournalScan(journal, options);
  const end = Math.min(journal.end, journal.first + divideDown(MAX_SCANNED_BYTES, journal.blockSize));
  let at = journal.first;
  while (at < end) {
    const next = await scan.step(at);
    progress.add((next - at) * journal.blockSize);
    at = next;
  }
  // A transaction that reaches over the end of the ring goes on at its beginning.
  const around = end === journal.end ? journal.end - journal.first : 0;
  for (let steps = 0; steps < around && scan.isOpen; steps++) at = await scan.step(at);
  return scan;
}

class JournalScan {
  readonly found = new Map<number, PastTransaction>();
  readonly rows = new CopyRows();
  readonly #journal: Journal;
  readonly #options: ReadOptions | undefined;
  /** The piece that is at hand, in memory that the next one takes over. */
  #piece: { readonly first: number; readonly bytes: Uint8Array } = { first: 0, bytes: new Uint8Array(0) };
  readonly #memory: Uint8Array;
  #open: OpenTransaction | undefined;
  /** The number of the transaction whose commit block stands right before. */
  #committed: number | undefined;

  constructor(journal: Journal, options: ReadOptions | undefined) {
    this.#journal = journal;
    this.#options = options;
    this.#memory = new Uint8Array(Math.min(PIECE_BYTES, journal.device.size));
  }

  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  /** Looks at one block of the ring, which may be counted past its end; the next to look at. */
  async step(at: number): Promise<number> {
    const bytes = await this.#read(this.#wrapped(at));
    const header = BLOCK_HEADER.parse(bytes);
    const { descriptor, revoke, commit } = BLOCK_TYPE;
    const isOwn =
      header.magic === JOURNAL_MAGIC && [descriptor, revoke, commit].some((type) => type === header.blockType);
    const isGood = isOwn && (header.blockType === commit || hasGoodTail(bytes, this.#journal));
    if (!isGood) {
      this.#discard();
      this.#committed = undefined;
      return at + 1;
    }
    if (header.blockType === commit) return this.#commit(bytes, header.sequence, at);
    this.#begin(header.sequence, at);
    if (header.blockType === revoke) return at + 1;
    let next = at + 1;
    for (const tag of parseTags(bytes, this.#journal)) {
      const block = this.#wrapped(next++);
      if (this.rows.length < MAX_COPIES) this.rows.push({ ...tag, block });
    }
    return next;
  }

  #begin(sequence: number, at: number): void {
    if (this.#open?.sequence !== sequence) {
      this.#discard();
      const step = this.#committed === undefined ? undefined : sequence - this.#committed;
      const isFirst = step === 2 || step === MOUNT_STEP || this.#wrapped(at) === this.#journal.first;
      this.#open = { sequence, firstCopy: this.rows.length, isWhole: isFirst || step === 1, isFirst };
    }
    this.#committed = undefined;
  }

  #commit(bytes: Uint8Array, sequence: number, at: number): number {
    const open = this.#open;
    if (open?.sequence !== sequence) this.#discard();
    this.#open = undefined;
    this.#committed = sequence;
    if (open === undefined || open.sequence !== sequence) return at + 1;
    // One that goes over the end is met twice, the second time whole.
    const copyCount = this.rows.length - open.firstCopy;
    const before = this.found.get(sequence);
    if (this.rows.length < MAX_COPIES && (before === undefined || before.copyCount < copyCount)) {
      const { secondsHigh, secondsLow } = COMMIT_BLOCK.parse(bytes);
      this.found.set(sequence, { ...open, copyCount, committed: joinHalves(secondsHigh, secondsLow) });
    } else this.rows.truncate(open.firstCopy);
    return at + 1;
  }

  /** What was begun has no commit block. */
  #discard(): void {
    if (this.#open !== undefined) this.rows.truncate(this.#open.firstCopy);
    this.#open = undefined;
  }

  #wrapped(at: number): number {
    const { first, end } = this.#journal;
    return at < end ? at : first + ((at - end) % (end - first));
  }

  async #read(block: number): Promise<Uint8Array> {
    const { device, blockSize } = this.#journal;
    const perPiece = PIECE_BYTES / blockSize;
    const first = divideDown(block, perPiece) * perPiece;
    if (this.#piece.first !== first || this.#piece.bytes.length === 0) {
      this.#options?.signal?.throwIfAborted();
      const offset = first * blockSize;
      const length = Math.min(PIECE_BYTES, device.size - offset);
      const bytes = this.#memory.subarray(0, length);
      await device.readInto(bytes, offset, this.#options);
      this.#piece = { first, bytes };
    }
    const at = (block - first) * blockSize;
    return this.#piece.bytes.subarray(at, at + blockSize);
  }
}
