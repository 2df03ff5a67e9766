import { NumberMap } from '../../../bytes/number-map.ts';
import { SparseBitSet } from '../../../bytes/sparse-bit-set.ts';
import type { RecoverableFile, RecoverableOptions } from '../../recoverable-file.ts';
import type { Inode } from '../inode.ts';
import type { Journal } from '../journal/journal.ts';
import { nodeOf } from '../nodes.ts';
import type { Superblock } from '../superblock.ts';
import type { ExtVolume } from '../volume.ts';
import { assess, isContinuedBy, type Verdict } from './assess.ts';
import { BlockUse } from './block-use.ts';
import type { Candidate, Surveyed } from './candidate.ts';
import { Candidates } from './candidates.ts';
import { Claims } from './claims.ts';
import { type DeletedInodes, findDeletedInodes } from './deleted-inodes.ts';
import { findVersions } from './inode-versions.ts';
import { JournalHistory } from './journal-history.ts';
import { NameBook } from './name-book.ts';
import { NameSearch } from './name-search.ts';
import { PastVolume } from './past-volume.ts';
import { SearchProgress } from './search-progress.ts';
import { StoredBlocks } from './stored-blocks.ts';
import { surveyBlocks } from './survey.ts';
import { UnnamedFiles } from './unnamed-files.ts';
import { VersionTable } from './version-table.ts';

/** Of candidates that ended together so many are kept from their first reading to the second. */
const MAX_KEPT = 2 ** 12;
/** Files whose newest version is remembered, to leave out what it has as well. */
const MAX_REMEMBERED = 2 ** 20;

/**
 * Files that no directory has an entry for; then deleted files and earlier versions of an ext filesystem, what was deleted last
 * first.
 */
export async function* findRecoverable(
  volume: ExtVolume,
  superblock: Superblock,
  journal: Journal | undefined,
  options: RecoverableOptions = {},
): AsyncGenerator<RecoverableFile, void> {
  const progress = new SearchProgress(options.onProgress);
  const history = journal === undefined ? undefined : await JournalHistory.read(journal, progress, options);
  const deleted = await findDeletedInodes(volume, progress, options);
  const versions = history === undefined ? new VersionTable() : await findVersions(volume, history, options);
  yield* new Recovery(volume, superblock, history, deleted, versions, options).run();
}

class Recovery {
  readonly #volume: ExtVolume;
  readonly #superblock: Superblock;
  readonly #history: JournalHistory | undefined;
  readonly #deleted: DeletedInodes;
  readonly #versions: VersionTable;
  readonly #candidates: Candidates;
  readonly #options: RecoverableOptions;
  readonly #book = new NameBook();
  readonly #claims = new Claims();
  readonly #use: BlockUse;
  readonly #stored: StoredBlocks;
  /** The number of the candidate that is the newest state of each file that was met. */
  readonly #newest = new NumberMap();

  constructor(
    volume: ExtVolume,
    superblock: Superblock,
    history: JournalHistory | undefined,
    deleted: DeletedInodes,
    versions: VersionTable,
    options: RecoverableOptions,
  ) {
    this.#volume = volume;
    this.#superblock = superblock;
    this.#history = history;
    this.#deleted = deleted;
    this.#versions = versions;
    this.#candidates = new Candidates(volume, history, deleted, versions, options);
    this.#options = options;
    this.#use = new BlockUse(volume, history);
    this.#stored = new StoredBlocks(volume);
  }

  async *run(): AsyncGenerator<RecoverableFile, void> {
    const unnamed = await this.#findNames();
    yield* unnamed.files();
    const { order, ended } = await this.#candidates.inOrder();
    for (let from = 0, end = 0; from < order.length; from = end) {
      while (end < order.length && ended[order[end]!] === ended[order[from]!]) end++;
      yield* this.#settle(order.subarray(from, end));
    }
  }

  async #findNames(): Promise<UnnamedFiles> {
    const wanted = new SparseBitSet();
    for (const id of this.#deleted.ids) wanted.add(id);
    for (let index = 0; index < this.#versions.length; index++) wanted.add(this.#versions.at(index).id);
    const search = new NameSearch(this.#volume, this.#history, wanted, this.#book, this.#options);
    await search.searchTree();
    const inodes = { ...this.#deleted, reached: search.reached };
    const evidence = { volume: this.#volume, superblock: this.#superblock, use: this.#use, book: this.#book };
    const unnamed = new UnnamedFiles(evidence, inodes, this.#options);
    await unnamed.search(search, wanted, this.#now);
    for (let index = 0; index < this.#versions.length; index++) {
      const version = this.#versions.at(index);
      if (!version.isDirectory) continue;
      const inode = await this.#candidates.inodeThen(version);
      if (inode?.kind === 'directory') await search.searchDirectory(inode, version.order, version.firstOrder);
    }
    for (const id of this.#deleted.directoryIds) {
      const inode = await this.#candidates.inodeNow(id);
      if (inode?.kind === 'directory' && inode.size > 0) await search.searchDirectory(inode);
    }
    await search.searchJournal();
    return unnamed;
  }

  /** The place in the history that is now. */
  get #now(): number {
    return this.#history?.transactions.length ?? 0;
  }

  #historyOf({ order }: Candidate): JournalHistory | undefined {
    return order === undefined ? undefined : this.#history;
  }

  /** Those that ended together: each is weighed when all have claimed their blocks. */
  async *#settle(indexes: Uint32Array): AsyncGenerator<RecoverableFile, void> {
    const isKept = indexes.length <= MAX_KEPT;
    const kept: (Surveyed | undefined)[] = [];
    this.#claims.beginGroup();
    for (const index of indexes) {
      const surveyed = await this.#survey(index);
      if (isKept) kept.push(surveyed);
      if (surveyed !== undefined) this.#claims.add(surveyed);
    }
    for (const [at, index] of indexes.entries()) {
      const surveyed = isKept ? kept[at] : await this.#survey(index);
      if (surveyed === undefined) continue;
      const found = await this.#weigh(surveyed, index);
      if (found !== undefined) yield found;
      this.#claims.settle(surveyed);
    }
  }

  async #survey(index: number): Promise<Surveyed | undefined> {
    this.#options.signal?.throwIfAborted();
    const candidate = await this.#candidates.at(index);
    if (candidate === undefined) return undefined;
    const { inode, order } = candidate;
    const survey = await surveyBlocks(this.#volume, inode, this.#historyOf(candidate), order, this.#options);
    return { candidate, survey };
  }

  /** Undefined for what another file that is found, or that is there, has as well. */
  async #weigh(surveyed: Surveyed, index: number): Promise<RecoverableFile | undefined> {
    const { candidate } = surveyed;
    const { inode, living, file } = candidate;
    if (living !== undefined && inode.kind === 'directory') return undefined;
    const known = file === undefined ? undefined : this.#newest.get(file);
    const newer = known === undefined ? await this.#living(living) : await this.#survey(known);
    if (newer !== undefined && (inode.size === 0 || isContinuedBy(surveyed, newer))) return undefined;
    const livingSurvey = living === undefined ? undefined : (await this.#living(living))?.survey;
    const evidence = {
      stored: this.#stored,
      use: this.#use,
      claims: this.#claims,
      history: this.#history,
      deleted: this.#deleted,
      livingSurvey,
    };
    const verdict = await assess(surveyed, evidence, this.#options);
    if (file !== undefined && verdict.certainty === 'lost') return undefined;
    if (file !== undefined && this.#newest.size < MAX_REMEMBERED) this.#newest.set(file, index);
    return this.#file(candidate, verdict);
  }

  async #living(inode: Inode | undefined): Promise<Surveyed | undefined> {
    if (inode === undefined) return undefined;
    const survey = await surveyBlocks(this.#volume, inode, undefined, undefined, this.#options);
    const candidate = {
      key: '',
      inode,
      source: 'inode',
      order: undefined,
      endOrder: undefined,
      ended: 0,
      isReused: false,
      file: undefined,
    } as const;
    return { candidate: { ...candidate, living: inode }, survey };
  }

  #file(candidate: Candidate, { certainty, reason }: Verdict): RecoverableFile {
    const { key, inode, source, order, endOrder, living, isReused } = candidate;
    const volume = new PastVolume(this.#volume, this.#historyOf(candidate), order);
    const moment = { order: order ?? this.#now, endOrder, reusedBy: isReused ? this.#now : undefined };
    const names = this.#book.nameCount(inode.id, moment);
    return {
      key,
      node: nodeOf(volume, inode, living === undefined),
      path: this.#book.path(inode.id, moment),
      source,
      certainty,
      reason: `${this.#origin(candidate)}${reason}${names > 1 ? `; its name is one of ${names} that its inode had` : ''}`,
    };
  }

  /** Of a version: which transaction it is of. */
  #origin({ order, living }: Candidate): string {
    if (order === undefined) return '';
    const { sequence, committed } = this.#history!.transactions[order]!;
    const moment = new Date(committed * 1000);
    const when = committed === 0 || Number.isNaN(moment.getTime()) ? '' : ` of ${moment.toISOString().slice(0, 19)}Z`;
    const what = living === undefined ? '' : 'an earlier version, ';
    return `${what}as of transaction ${sequence}${when}: `;
  }
}
