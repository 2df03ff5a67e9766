import { firstAtLeast } from '../../../bytes/sorted-search.ts';
import { SparseBitSet } from '../../../bytes/sparse-bit-set.ts';
import { viewOf } from '../../../bytes/struct.ts';
import type { ReadOptions } from '../../../device/block-device.ts';
import type { DirectoryEntry } from '../../filesystem.ts';
import type { BlockRun } from '../block-run.ts';
import { directoryBatches } from '../directory.ts';
import { type DirectoryRules, decodeDirectoryBlock } from '../directory-block.ts';
import { encryptedName } from '../encrypted-name.ts';
import { hasFlag, type Inode } from '../inode.ts';
import { blockRuns } from '../mapping.ts';
import type { ExtVolume } from '../volume.ts';
import type { JournalHistory } from './journal-history.ts';
import type { NameBook } from './name-book.ts';
import { PastVolume } from './past-volume.ts';

const ROOT_INODE = 2;
const DOT = 0x2e;
/** Directories whose blocks the journal has copies of. */
const MAX_OWNED_BLOCKS = 2 ** 20;

/** Looks for the names of inodes: in directories that are there, in those that were, and in the journal's copies of them. */
export class NameSearch {
  readonly #volume: ExtVolume;
  readonly #past: PastVolume;
  readonly #history: JournalHistory | undefined;
  readonly #wanted: SparseBitSet;
  readonly #book: NameBook;
  readonly #options: ReadOptions | undefined;
  /** The place in the history that is now. */
  readonly #now: number;
  /** What a directory that the root leads to has an entry for. */
  readonly reached = new SparseBitSet();
  /** Directories whose names are encrypted. */
  readonly #encrypted = new SparseBitSet();
  /** The directory that a target of the journal is a block of. */
  readonly #owners = new Map<number, number>();

  constructor(
    volume: ExtVolume,
    history: JournalHistory | undefined,
    wanted: SparseBitSet,
    book: NameBook,
    options?: ReadOptions,
  ) {
    this.#volume = volume;
    this.#past = new PastVolume(volume);
    this.#history = history;
    this.#wanted = wanted;
    this.#book = book;
    this.#options = options;
    this.#now = history?.transactions.length ?? 0;
  }

  /** The tree as it is, and what is left in its directories of entries that were deleted. */
  async searchTree(): Promise<void> {
    const pending = [ROOT_INODE];
    this.reached.add(ROOT_INODE);
    for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
      const parent = id;
      await this.searchLive(id, this.reached, (entry) => {
        pending.push(entry.nodeId);
        this.#book.addDirectory(entry.nodeId, parent, entry.name);
      });
    }
  }

  /**
   * The entries of a directory that is there: those that are live are taken down in `reached`, and `onDirectory` is called for
   * each directory that was not there yet.
   */
  async searchLive(id: number, reached: SparseBitSet, onDirectory: (entry: DirectoryEntry) => void): Promise<void> {
    this.#options?.signal?.throwIfAborted();
    try {
      const inode = await this.#past.inode(id, this.#options);
      if (inode.kind !== 'directory') return;
      if (hasFlag(inode, 'encrypted')) this.#encrypted.add(id);
      if (inode.size > this.#volume.geometry.blockSize) await this.#own(inode);
      for await (const batch of directoryBatches(this.#past, inode, { ...this.#options, deleted: true })) {
        for (const entry of batch) {
          const { nodeId, name, deleted } = entry;
          if (nodeId === 0) continue;
          if (this.#wanted.has(nodeId))
            this.#book.add(nodeId, id, name, deleted, { first: this.#now, last: this.#now });
          if (deleted || !reached.add(nodeId)) continue;
          if (await this.#isDirectory(entry)) onDirectory(entry);
        }
      }
    } catch {
      // What a damaged directory has lost is told by those that have no name then.
      this.#options?.signal?.throwIfAborted();
    }
  }

  async #isDirectory({ kind, nodeId }: DirectoryEntry): Promise<boolean> {
    if (kind !== 'unknown') return kind === 'directory';
    try {
      return (await this.#past.inode(nodeId, this.#options)).kind === 'directory';
    } catch {
      this.#options?.signal?.throwIfAborted();
      return false;
    }
  }

  /** The entries of a directory that is no more, or was otherwise, as they were from one transaction to the one at `order`. */
  async searchDirectory(inode: Inode, order?: number, firstOrder?: number): Promise<void> {
    const history = order === undefined ? undefined : this.#history;
    const volume = new PastVolume(this.#volume, history, order);
    const last = order ?? this.#now;
    if (hasFlag(inode, 'encrypted')) this.#encrypted.add(inode.id);
    try {
      if (!hasFlag(inode, 'inlineData')) {
        if (!(await this.#isOwn(volume, inode))) return;
        await this.#own(inode);
      }
      for await (const batch of directoryBatches(volume, inode, { ...this.#options, deleted: true }))
        for (const { name, nodeId, deleted } of batch)
          if (this.#wanted.has(nodeId))
            this.#book.add(nodeId, inode.id, name, deleted, { first: firstOrder ?? last, last });
    } catch {
      this.#options?.signal?.throwIfAborted();
    }
  }

  /** Whether the first block of a directory says that it is that one. */
  async #isOwn(volume: PastVolume, inode: Inode): Promise<boolean> {
    for await (const runs of blockRuns(volume, inode, { first: 0, end: 1 }, this.#options)) {
      const first = runs[0];
      if (first === undefined) continue;
      return ownerOf(await volume.readBlocks(first.physical, 1, 'directory', this.#options)) === inode.id;
    }
    return false;
  }

  /** Remembers which of a directory's blocks the journal has copies of. */
  async #own(inode: Inode): Promise<void> {
    const targets = this.#history?.targets ?? new Float64Array(0);
    if (targets.length === 0) return;
    const own = ({ physical, count }: BlockRun): void => {
      for (let at = firstAtLeast(targets, physical); at < targets.length && targets[at]! < physical + count; at++)
        if (!this.#owners.has(at) && this.#owners.size < MAX_OWNED_BLOCKS) this.#owners.set(at, inode.id);
    };
    for await (const runs of blockRuns(this.#past, inode, { first: 0, end: 2 ** 32 }, this.#options)) runs.forEach(own);
  }

  /** The copies of directory blocks that the journal has. */
  async searchJournal(): Promise<void> {
    const history = this.#history;
    if (history === undefined) return;
    const { inodeCount, blockSize, features } = this.#volume.geometry;
    const rules: DirectoryRules = {
      inodeCount,
      blockSize,
      hasFileType: features.incompatible.has('filetype'),
      isIndexed: false,
      deleted: true,
      onlyNameBytes: undefined,
      onlyInodes: this.#wanted,
    };
    for (let target = 0; target < history.targets.length; target++) {
      this.#options?.signal?.throwIfAborted();
      let before: number | undefined;
      for (const past of history.copiesOf(target)) {
        const bytes = await history.read(past, this.#options);
        const owner = bytes === undefined ? undefined : (ownerOf(bytes) ?? this.#owners.get(target));
        if (bytes === undefined || owner === undefined) {
          before = undefined;
          continue;
        }
        const found: DirectoryEntry[] = [];
        decodeDirectoryBlock({ bytes, view: viewOf(bytes), at: 0, length: bytes.length, offset: 0 }, rules, found);
        for (const { name, nodeId, deleted } of found)
          if (this.#wanted.has(nodeId))
            this.#book.add(nodeId, owner, this.#shown(owner, name), deleted, {
              first: past.order,
              last: past.order,
              before,
            });
        before = past.order;
      }
    }
  }

  /** A name as a listing of its directory has it. */
  #shown(directory: number, name: string): string {
    return this.#encrypted.has(directory) ? encryptedName(name) : name;
  }
}

/** The directory whose first block this is, by its own word; undefined for any other block. */
function ownerOf(bytes: Uint8Array): number | undefined {
  const view = viewOf(bytes);
  const isDot = view.getUint16(4, true) === 12 && bytes[6] === 1 && bytes[8] === DOT && bytes[9] === 0;
  const isDots = bytes[18] === 2 && bytes[20] === DOT && bytes[21] === DOT;
  const self = view.getUint32(0, true);
  return isDot && isDots && self > 0 ? self : undefined;
}
