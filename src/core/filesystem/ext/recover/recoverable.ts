import { firstAtLeast } from '../../../bytes/sorted-search.ts';
import { SparseBitSet } from '../../../bytes/sparse-bit-set.ts';
import type { NodeTimes } from '../../filesystem.ts';
import type { RecoverableFile, RecoverableOptions } from '../../recoverable-file.ts';
import type { Inode } from '../inode.ts';
import type { Journal } from '../journal/journal.ts';
import { nodeOf } from '../nodes.ts';
import type { ExtVolume } from '../volume.ts';
import { assess, isContinuedBy, type Verdict } from './assess.ts';
import { BlockUse } from './block-use.ts';
import { type Candidate, identityOf, type Surveyed } from './candidate.ts';
import { Claims } from './claims.ts';
import { type DeletedInodes, findDeletedInodes } from './deleted-inodes.ts';
import { findVersions, generationOf, type InodeVersion, isDirectory } from './inode-versions.ts';
import { JournalHistory } from './journal-history.ts';
import { NameBook } from './name-book.ts';
import { NameSearch } from './name-search.ts';
import { inodeFrom, PastVolume } from './past-volume.ts';
import { SearchProgress } from './search-progress.ts';
import { surveyBlocks } from './survey.ts';

/** Of candidates that ended together so many are kept from their first reading to the second. */
const MAX_KEPT = 2 ** 16;
/** Files whose newest version is remembered, to leave out what it has as well. */
const MAX_REMEMBERED = 2 ** 18;

/** Deleted files and earlier versions of an ext filesystem, what was deleted last first. */
export async function* findRecoverable(
  volume: ExtVolume,
  journal: Journal | undefined,
  options: RecoverableOptions = {},
): AsyncGenerator<RecoverableFile, void> {
  const progress = new SearchProgress(options.onProgress);
  const history = journal === undefined ? undefined : await JournalHistory.read(journal, progress, options);
  const deleted = await findDeletedInodes(volume, progress, options);
  const versions = history === undefined ? [] : await findVersions(volume, history, options);
  yield* new Recovery(volume, history, deleted, versions, options).run();
}

class Recovery {
  readonly #volume: ExtVolume;
  readonly #past: PastVolume;
  readonly #history: JournalHistory | undefined;
  readonly #deleted: DeletedInodes;
  readonly #versions: readonly InodeVersion[];
  readonly #options: RecoverableOptions;
  readonly #book = new NameBook();
  readonly #claims = new Claims();
  readonly #use: BlockUse;
  /** When each transaction was committed, in seconds. */
  readonly #committed: readonly number[];
  /** The newest state of each file that was met, by its identity. */
  readonly #newest = new Map<string, Surveyed>();
  /** How many versions of a file the journal has. */
  readonly #versionCounts = new Map<string, number>();

  constructor(
    volume: ExtVolume,
    history: JournalHistory | undefined,
    deleted: DeletedInodes,
    versions: readonly InodeVersion[],
    options: RecoverableOptions,
  ) {
    this.#volume = volume;
    this.#past = new PastVolume(volume);
    this.#history = history;
    this.#deleted = deleted;
    this.#versions = versions;
    this.#options = options;
    this.#use = new BlockUse(volume, history);
    this.#committed = history?.transactions.map(({ committed }) => committed) ?? [];
  }

  async *run(): AsyncGenerator<RecoverableFile, void> {
    const order = await this.#inOrder();
    await this.#findNames();
    for (let from = 0, end = 0; from < order.length; from = end) {
      while (end < order.length && order[end]!.ended === order[from]!.ended) end++;
      yield* this.#settle(order.slice(from, end).map(({ index }) => index));
    }
  }

  /** The deleted inodes, then the versions, as numbers from 0; sorted by when they ended, from the last. */
  async #inOrder(): Promise<{ readonly index: number; readonly ended: number }[]> {
    const { ids } = this.#deleted;
    const order = ids.map((_, index) => ({ index, ended: this.#inodeEnded(index) }));
    for (const [at, version] of this.#versions.entries()) {
      const identity = identityOf({ id: version.id, generation: generationOf(version.bytes) });
      this.#versionCounts.set(identity, (this.#versionCounts.get(identity) ?? 0) + 1);
      const ended = version.endOrder ?? (await this.#versionCandidate(version))?.ended ?? 0;
      order.push({ index: ids.length + at, ended });
    }
    return order.sort((left, right) => right.ended - left.ended || left.index - right.index);
  }

  /** An orphan has not ended yet. */
  #inodeEnded(index: number): number {
    const { deletedAt, isOrphan } = this.#deleted;
    return isOrphan[index] === true ? Number.POSITIVE_INFINITY : this.#ended(undefined, deletedAt[index]!);
  }

  /** By the transaction that ended it; where that is not known, by the first that was committed no earlier than it was deleted. */
  #ended(endOrder: number | undefined, second: number): number {
    const { transactions } = this.#history ?? {};
    if (transactions === undefined) return second;
    return endOrder ?? firstAtLeast(this.#committed, second);
  }

  async #findNames(): Promise<void> {
    const wanted = new SparseBitSet();
    for (const id of this.#deleted.ids) wanted.add(id);
    for (const { id } of this.#versions) wanted.add(id);
    const search = new NameSearch(this.#volume, this.#history, wanted, this.#book, this.#options);
    await search.searchTree();
    for (const version of this.#versions) {
      if (!isDirectory(version.bytes)) continue;
      const inode = inodeFrom(this.#volume, version.bytes, version.id, version.offset);
      if (inode?.kind === 'directory') await search.searchDirectory(inode, version.order, version.firstOrder);
    }
    for (const id of this.#deleted.directoryIds) {
      const inode = await this.#inodeNow(id);
      if (inode?.kind === 'directory' && inode.size > 0) await search.searchDirectory(inode);
    }
    await search.searchJournal();
  }

  async #inodeNow(id: number): Promise<Inode | undefined> {
    try {
      return await this.#past.inode(id, this.#options);
    } catch {
      this.#options.signal?.throwIfAborted();
      return undefined;
    }
  }

  #historyOf({ order }: Candidate): JournalHistory | undefined {
    return order === undefined ? undefined : this.#history;
  }

  async #candidate(index: number): Promise<Candidate | undefined> {
    const { ids, isOrphan } = this.#deleted;
    if (index >= ids.length) return this.#versionCandidate(this.#versions[index - ids.length]!);
    const inode = await this.#inodeNow(ids[index]!);
    if (inode === undefined) return undefined;
    return {
      key: `inode-${inode.id}`,
      inode,
      source: isOrphan[index] === true ? 'orphan' : 'inode',
      order: undefined,
      endOrder: undefined,
      ended: this.#inodeEnded(index),
      living: undefined,
      isReused: false,
      hasTwin: false,
    };
  }

  async #versionCandidate(version: InodeVersion): Promise<Candidate | undefined> {
    const { id, order, endOrder, bytes, offset } = version;
    const inode = inodeFrom(this.#volume, bytes, id, offset);
    if (inode === undefined) return undefined;
    const now = await this.#inodeNow(id);
    const isSame = now !== undefined && now.generation === inode.generation && now.kind === inode.kind;
    const living = isSame && now.linkCount > 0 ? now : undefined;
    const deletedAt = isSame && living === undefined ? now.times.deleted : undefined;
    const { transactions } = this.#history!;
    const times: NodeTimes = { ...inode.times, deleted: deletedAt };
    return {
      key: `journal-${transactions[order]!.sequence}-inode-${id}`,
      inode: { ...inode, times },
      source: 'journal',
      order,
      endOrder,
      ended: this.#ended(endOrder, deletedAt?.seconds ?? transactions[order]!.committed),
      living,
      isReused: now !== undefined && !isSame && now.linkCount > 0,
      hasTwin: isSame && living === undefined && now.size > 0,
    };
  }

  /** Those that ended together: each is weighed when all have claimed their blocks. */
  async *#settle(indexes: readonly number[]): AsyncGenerator<RecoverableFile, void> {
    const kept: Surveyed[] = [];
    this.#claims.beginGroup();
    for (const index of indexes) {
      const surveyed = await this.#survey(index);
      if (surveyed === undefined) continue;
      this.#claims.add(surveyed, this.#hasVersions(surveyed));
      if (indexes.length <= MAX_KEPT) kept.push(surveyed);
    }
    for (const index of indexes.length <= MAX_KEPT ? kept.keys() : indexes) {
      const surveyed = indexes.length <= MAX_KEPT ? kept[index] : await this.#survey(index);
      if (surveyed === undefined) continue;
      const found = await this.#weigh(surveyed);
      if (found !== undefined) yield found;
      this.#claims.settle(surveyed, this.#hasVersions(surveyed));
    }
  }

  async #survey(index: number): Promise<Surveyed | undefined> {
    this.#options.signal?.throwIfAborted();
    const candidate = await this.#candidate(index);
    if (candidate === undefined) return undefined;
    const { inode, order } = candidate;
    const survey = await surveyBlocks(this.#volume, inode, this.#historyOf(candidate), order, this.#options);
    return { candidate, survey };
  }

  /** Whether the file is met more than once. */
  #hasVersions({ candidate: { inode, order, hasTwin } }: Surveyed): boolean {
    const count = this.#versionCounts.get(identityOf(inode)) ?? 0;
    return hasTwin || count > (order === undefined ? 0 : 1);
  }

  /** Undefined for what another file that is found, or that is there, has as well. */
  async #weigh(surveyed: Surveyed): Promise<RecoverableFile | undefined> {
    const { candidate } = surveyed;
    const { inode, living } = candidate;
    if (living !== undefined && inode.kind === 'directory') return undefined;
    const identity = identityOf(inode);
    const newer = this.#newest.get(identity) ?? (await this.#living(living));
    if (newer !== undefined && (inode.size === 0 || isContinuedBy(surveyed, newer))) return undefined;
    const livingSurvey = living === undefined ? undefined : (await this.#living(living))?.survey;
    const evidence = {
      volume: this.#volume,
      use: this.#use,
      claims: this.#claims,
      history: this.#history,
      deleted: this.#deleted,
      livingSurvey,
    };
    const verdict = await assess(surveyed, evidence, this.#options);
    if (verdict.certainty === 'lost' && this.#versionCounts.has(identity)) return undefined;
    if (verdict.certainty !== 'lost' && this.#hasVersions(surveyed) && this.#newest.size < MAX_REMEMBERED)
      this.#newest.set(identity, surveyed);
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
      hasTwin: false,
    } as const;
    return { candidate: { ...candidate, living: inode }, survey };
  }

  #file(candidate: Candidate, { certainty, reason }: Verdict): RecoverableFile {
    const { key, inode, source, order, endOrder, living, isReused } = candidate;
    const volume = new PastVolume(this.#volume, this.#historyOf(candidate), order);
    const now = this.#committed.length;
    const moment = { order: order ?? now, endOrder, reusedBy: isReused ? now : undefined };
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
