import { NumberList } from '../../../bytes/number-list.ts';
import { SparseBitSet } from '../../../bytes/sparse-bit-set.ts';
import type { ReadOptions } from '../../../device/block-device.ts';
import type { RecoverableFile } from '../../recoverable-file.ts';
import { inodeChecksum, inodeSeed } from '../checksums.ts';
import { directoryBatches } from '../directory.ts';
import type { Inode } from '../inode.ts';
import { nodeOf } from '../nodes.ts';
import type { Superblock } from '../superblock.ts';
import type { ExtVolume } from '../volume.ts';
import type { Verdict } from './assess.ts';
import type { BlockUse } from './block-use.ts';
import { type NameBook, topName } from './name-book.ts';
import type { NameSearch } from './name-search.ts';
import { PastVolume } from './past-volume.ts';
import { isSelfContained, surveyBlocks } from './survey.ts';

/** What is known of the filesystem when files without a name are looked for. */
interface Known {
  readonly volume: ExtVolume;
  readonly superblock: Superblock;
  readonly use: BlockUse;
  readonly book: NameBook;
}

interface Inodes {
  /** Those that have links, and those of them that are directories. */
  readonly inUse: SparseBitSet;
  readonly idsInUse: NumberList;
  readonly directoriesInUse: NumberList;
  /** Those that the root leads to. */
  readonly reached: SparseBitSet;
}

/** A directory on the way down: its path, and whether that was still known. */
interface Folder {
  readonly id: number;
  readonly path: string;
}

/**
 * Files and directories that are in use and that the root does not lead to, since a directory was lost: what e2fsck puts into
 * lost+found. Below the highest directory that is still there they have the names that they had.
 */
export class UnnamedFiles {
  readonly #known: Known;
  readonly #inodes: Inodes;
  readonly #options: ReadOptions;
  readonly #past: PastVolume;
  readonly #unnamed = NumberList.ofUint32();
  /** What a directory that is unnamed itself, or below one, has an entry for. */
  readonly #below = new SparseBitSet();
  readonly #listed = new SparseBitSet();
  #now = 0;

  constructor(known: Known, inodes: Inodes, options: ReadOptions) {
    this.#known = known;
    this.#inodes = inodes;
    this.#options = options;
    this.#past = new PastVolume(known.volume);
  }

  /** Reads the unnamed directories; the names of what is still without one are wanted from then on. */
  async search(search: NameSearch, wanted: SparseBitSet, now: number): Promise<void> {
    const { book } = this.#known;
    this.#now = now;
    for (const id of this.#inodes.directoriesInUse.values)
      if (this.#isUnnamed(id))
        await search.searchLive(id, this.#below, ({ nodeId, name }) => void book.addDirectory(nodeId, id, name));
    for (const id of this.#inodes.idsInUse.values) if (this.#isUnnamed(id)) this.#unnamed.push(id);
    for (const id of this.#unnamed.values) {
      if (this.#below.has(id)) continue;
      wanted.add(id);
      book.addTop(id);
    }
  }

  async *files(): AsyncGenerator<RecoverableFile, void> {
    for (const id of this.#unnamed.values) if (!this.#below.has(id)) yield* this.#tree(id);
    // Directories that only have entries for each other.
    for (const id of this.#unnamed.values) yield* this.#tree(id);
  }

  #isUnnamed(id: number): boolean {
    const { inUse, reached } = this.#inodes;
    const { orphanFileInode, projectQuotaInode } = this.#known.superblock;
    return inUse.has(id) && !reached.has(id) && id !== orphanFileInode && id !== projectQuotaInode;
  }

  /** What nothing leads to, then all that is below it. */
  async *#tree(top: number): AsyncGenerator<RecoverableFile, void> {
    if (!this.#listed.add(top)) return;
    const moment = { order: this.#now, endOrder: undefined, reusedBy: undefined };
    const path = this.#known.book.path(top, moment) ?? topName(top);
    const file = await this.#file(top, path, 'no directory has an entry for it');
    if (file !== undefined) yield file;
    if (file?.node.kind !== 'directory') return;
    const pending: Folder[] = [{ id: top, path }];
    for (let here = pending.pop(); here !== undefined; here = pending.pop()) yield* this.#folder(here, pending);
  }

  async *#folder({ id, path }: Folder, pending: Folder[]): AsyncGenerator<RecoverableFile, void> {
    try {
      const inode = await this.#past.inode(id, this.#options);
      for await (const batch of directoryBatches(this.#past, inode, this.#options)) {
        for (const { nodeId, name } of batch) {
          if (!this.#isUnnamed(nodeId) || !this.#listed.add(nodeId)) continue;
          const file = await this.#file(nodeId, `${path}/${name}`, 'its directory is lost');
          if (file === undefined) continue;
          yield file;
          if (file.node.kind === 'directory') pending.push({ id: nodeId, path: `${path}/${name}` });
        }
      }
    } catch {
      this.#options.signal?.throwIfAborted();
    }
  }

  async #file(id: number, path: string, reason: string): Promise<RecoverableFile | undefined> {
    this.#options.signal?.throwIfAborted();
    const { volume } = this.#known;
    let inode: Inode;
    try {
      inode = await this.#past.inode(id, this.#options);
    } catch {
      this.#options.signal?.throwIfAborted();
      return undefined;
    }
    const verdict = await this.#weigh(inode);
    return {
      key: `inode-${id}`,
      node: nodeOf(volume, inode, false),
      path,
      source: 'orphan',
      certainty: verdict.certainty,
      reason: `${reason}; ${verdict.reason}`,
    };
  }

  /** An inode in use has its blocks by itself, as far as it is whole. */
  async #weigh(inode: Inode): Promise<Verdict> {
    const { volume, use } = this.#known;
    const seed = volume.geometry.checksumSeed;
    const sum = seed === undefined ? undefined : inodeChecksum(inode.bytes, inodeSeed(inode, seed));
    if (sum !== undefined && sum.stored !== sum.computed)
      return { certainty: 'damaged', reason: 'the checksum of its inode is wrong' };
    if (isSelfContained(inode)) return { certainty: 'intact', reason: 'its inode has all of it' };
    const survey = await surveyBlocks(volume, inode, undefined, undefined, this.#options);
    if (survey.contradiction !== undefined) return { certainty: 'damaged', reason: survey.contradiction };
    const { set, total } = await use.tally(survey.runs, this.#options);
    if (set === total) return { certainty: 'intact', reason: 'its blocks are its own' };
    return { certainty: 'likely', reason: `${total - set} of its ${total} blocks are said to be free` };
  }
}
