import {
  errorText,
  escapeText,
  type FileSystem,
  formatCount,
  formatLocator,
  takeTurn,
  type Volume,
  type WalkedEntry,
  walkBatches,
} from '../../../core/index.ts';
import { MAX_MATCHES, type Match } from '../../state/search.ts';
import { type Job, REPORT_KEY_NOTE } from '../../state/task.ts';
import { pathTest } from '../../text/name-match.ts';
import type { Outcome, Teller } from './run-task.ts';

type FindJob = Extract<Job, { kind: 'find' }>;

/** Looks through all names of the filesystems; matches are told as they come. */
export async function findFiles(job: FindJob, teller: Teller, signal: AbortSignal): Promise<Outcome> {
  const search = new Search(job, teller, signal);
  try {
    for (const volume of job.volumes) await search.volume(volume);
  } catch (error) {
    if (!signal.aborted) throw error;
    search.tell();
    return { text: `canceled: ${search.summary}`, tone: 'info' };
  }
  search.tell();
  return { text: search.summary, tone: 'info' };
}

class Search {
  readonly #job: FindJob;
  readonly #teller: Teller;
  readonly #signal: AbortSignal;
  readonly #test: (path: string) => boolean;
  #matches: Match[] = [];
  #count = 0;
  #told = 0;
  #seen = 0;
  #unread = 0;

  constructor(job: FindJob, teller: Teller, signal: AbortSignal) {
    this.#job = job;
    this.#teller = teller;
    this.#signal = signal;
    this.#test = pathTest(job.pattern);
  }

  get summary(): string {
    const pattern = `"${escapeText(this.#job.pattern)}"`;
    const of = `of ${formatCount(this.#seen)} names`;
    const places = this.#unread === 1 ? '1 place' : `${formatCount(this.#unread)} places`;
    const unread = this.#unread === 0 ? '' : `; ${places} could not be read${REPORT_KEY_NOTE}`;
    if (this.#count === 0) return `no name matches ${pattern}, ${of}${unread}`;
    const kept = this.#count > MAX_MATCHES ? `; n and N know the first ${formatCount(MAX_MATCHES)}` : '';
    return `${formatCount(this.#count)} ${of} match ${pattern}: n and N go through them${kept}${unread}`;
  }

  async volume(volume: Volume): Promise<void> {
    let filesystem: FileSystem | undefined;
    try {
      filesystem = await volume.filesystem();
    } catch (error) {
      return this.#failed(volume, '', error);
    }
    if (filesystem === undefined) return;
    const options = {
      signal: this.#signal,
      deleted: this.#job.deleted,
      onError: (error: unknown, path: string) => this.#failed(volume, path, error),
    };
    for await (const batch of walkBatches(filesystem, filesystem.rootId, options)) {
      this.#signal.throwIfAborted();
      for (const walked of batch) this.#look(volume, walked);
      this.#seen += batch.length;
      await takeTurn();
      if (
        this.#teller.progress(
          () =>
            `Finding: ${formatCount(this.#count)} of ${formatCount(this.#seen)} names match ${escapeText(this.#job.pattern)}`,
        )
      )
        this.tell();
    }
  }

  #look(volume: Volume, { path, entry }: WalkedEntry): void {
    if (!this.#test(path)) return;
    this.#count += 1;
    this.#teller.note({ tone: 'plain', head: formatLocator(volume.name, path), text: entry.deleted ? 'deleted' : '' });
    if (this.#count > MAX_MATCHES) return;
    const isDirectory = entry.kind === 'directory';
    this.#matches.push({ volume, path, isDirectory, deletedId: entry.deleted ? entry.nodeId : undefined });
  }

  #failed(volume: Volume, path: string, error: unknown): void {
    this.#unread += 1;
    this.#teller.note({ tone: 'warning', head: formatLocator(volume.name, path), text: errorText(error) });
  }

  /** The matches since it told last. */
  tell(): void {
    const count = this.#count - this.#told;
    if (count === 0) return;
    this.#teller.dispatch({ type: 'matches', task: this.#teller.task, matches: this.#matches, count });
    this.#matches = [];
    this.#told = this.#count;
  }
}
