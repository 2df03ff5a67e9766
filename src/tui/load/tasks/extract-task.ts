import {
  counted,
  DiskError,
  type ExtractOptions,
  type ExtractReport,
  errorText,
  escapeText,
  extract,
  type FileNode,
  type FileSystem,
  formatBytes,
  formatCount,
  madeText,
  notFound,
  type Progress,
} from '../../../core/index.ts';
import { type Extractable, type Job, REPORT_KEY_NOTE } from '../../state/task.ts';
import { nodeOf } from '../node-of.ts';
import { isGone } from '../tree-item.ts';
import type { Outcome, Teller } from './run-task.ts';

type ExtractJob = Extract<Job, { kind: 'extract' }>;

/** How far an extraction is: what its last words are made of when it is canceled. */
interface Done {
  entries: number;
  bytes: number;
}

/** Copies what an item stands for to the folder or file that the user named, and nowhere else. */
export async function extractItem(job: ExtractJob, teller: Teller, signal: AbortSignal): Promise<Outcome> {
  const done: Done = { entries: 0, bytes: 0 };
  const place = escapeText(job.destination);
  let isBegun = false;
  try {
    const { filesystem, node, name } = await sourceOf(job.item, signal);
    const verb = isGone(job.item) ? 'Recovering' : 'Extracting';
    const options = { ...tellingOptions(done, { verb, place }, teller, signal), deleted: isDeleted(job.item) };
    signal.throwIfAborted();
    isBegun = true;
    const report = await extract(filesystem, node, name, job.destination, options);
    for (const { path, reason } of report.skipped)
      teller.note({ tone: 'warning', head: escapeText(path), text: errorText(reason) });
    return {
      text: summaryOf(report, `${isGone(job.item) ? 'recovered' : 'extracted'} to ${place}`),
      tone: report.skipped.length > 0 ? 'warning' : 'info',
    };
  } catch (error) {
    if (signal.aborted) return { text: canceledText(done, place, isBegun), tone: 'warning' };
    teller.note({ tone: 'error', head: place, text: errorText(error) });
    // A refusal comes before anything is written; another failure leaves what was written by then.
    const isRefusal = done.entries === 0 || (error instanceof DiskError && error.code === 'DENIED');
    const rest = isRefusal ? '' : `; ${amount(done)} were written to ${place} by then and stay`;
    return { text: `${errorText(error)}${rest}`, tone: 'error' };
  }
}

interface Source {
  readonly filesystem: FileSystem;
  readonly node: FileNode;
  readonly name: string;
}

/** Whether what lies below it is deleted with it: of a chain without a name, and of an earlier version, the entries still count. */
function isDeleted(item: Extractable): boolean {
  if (item.kind === 'recoverable') return item.file.source === 'directory entry';
  return item.kind === 'entry' && item.deleted;
}

async function sourceOf(item: Extractable, signal: AbortSignal): Promise<Source> {
  if (item.kind === 'entry' || item.kind === 'recoverable') {
    const name = item.kind === 'entry' ? item.name : (item.file.path?.split('/').at(-1) ?? '');
    return { filesystem: item.filesystem, node: await nodeOf(item, signal), name: name || 'file' };
  }
  const filesystem = item.kind === 'filesystem' ? item.filesystem : await item.volume?.filesystem();
  if (filesystem === undefined)
    throw notFound({ layer: 'extract', expected: 'a filesystem', found: 'none that is read on this volume' });
  return { filesystem, node: await filesystem.node(filesystem.rootId, { signal }), name: 'files' };
}

/** The line of progress: entries, bytes, and bytes a second; the place last, which may be long. */
function tellingOptions(
  done: Done,
  { verb, place }: { readonly verb: string; readonly place: string },
  teller: Teller,
  signal: AbortSignal,
): ExtractOptions {
  const start = performance.now();
  const tell = (): void => {
    teller.progress(() => {
      const rate = (done.bytes / Math.max(1, performance.now() - start)) * 1000;
      return `${verb}: ${amount(done)}, ${formatBytes(Math.round(rate))}/s, to ${place}`;
    });
  };
  return {
    signal,
    onEntry: () => {
      done.entries += 1;
      tell();
    },
    onProgress: (progress: Progress) => {
      done.bytes = progress.done;
      tell();
    },
  };
}

function amount({ entries, bytes }: Done): string {
  return `${counted(entries, 'entry', 'entries')} (${formatBytes(bytes)})`;
}

function summaryOf(report: ExtractReport, where: string): string {
  const made = `${madeText(report)} ${where}`;
  const [first] = report.skipped;
  if (first === undefined) return made;
  const one = `${escapeText(first.path)}: ${errorText(first.reason)}`;
  const more = report.skipped.length === 1 ? '' : ' ...';
  return `${made}; ${formatCount(report.skipped.length)} left out${REPORT_KEY_NOTE}: ${one}${more}`;
}

/** The file that was being written is removed again; the whole ones stay. */
function canceledText(done: Done, place: string, isBegun: boolean): string {
  if (!isBegun || done.entries + done.bytes === 0) return 'canceled: no file was written';
  return `canceled: of ${amount(done)}, what was whole stays in ${place}; no half-written file is left`;
}
