import type { Volume } from '../../core/index.ts';
import type { FileItem, TreeItem } from '../load/tree-item.ts';
import type { Message, TuiState } from './state.ts';

/** What can be extracted: a file or directory, or the root of a filesystem. */
export type Extractable = FileItem | Extract<TreeItem, { kind: 'filesystem' | 'volume' }>;
export type Recoverables = Extract<TreeItem, { kind: 'recoverables' }>;

/** Work that takes its time, of which one runs at once. */
export type Job =
  | { readonly kind: 'extract'; readonly item: Extractable; readonly destination: string }
  | { readonly kind: 'recover'; readonly item: Recoverables; readonly destination: string }
  | { readonly kind: 'find'; readonly volumes: readonly Volume[]; readonly pattern: string; readonly deleted: boolean }
  | { readonly kind: 'check'; readonly volumes: readonly Volume[] };

export interface Task {
  readonly id: number;
  readonly job: Job;
  /** The row that was selected when it began. */
  readonly subject: number;
  /** What it does and how far it is, printable. */
  readonly progress: string;
  readonly isCanceled: boolean;
}

/** One thing that a job has to tell; both texts printable. */
export interface ReportEntry {
  readonly tone: 'plain' | 'note' | 'warning' | 'error';
  /** What it is about, in a line. */
  readonly head: string;
  readonly text: string;
}

/** What the last job had to tell, as far as it has come. */
export interface Report {
  readonly title: string;
  /** The outcome once there is one. */
  readonly summary: string;
  readonly entries: readonly ReportEntry[];
  /** Entries past the limit, which are only counted. */
  readonly left: number;
}

/** What an outcome says of a report with entries; the report's own page does without. */
export const REPORT_KEY_NOTE = ' (r lists them)';

/** The entries that a report keeps. */
export const MAX_REPORT_ENTRIES = 10_000;

export type TaskAction =
  | {
      readonly type: 'task-progress';
      readonly task: number;
      readonly progress: string;
      readonly entries: readonly ReportEntry[];
    }
  | {
      readonly type: 'task-ended';
      readonly task: number;
      readonly summary: Message;
      readonly entries: readonly ReportEntry[];
    };

/** Begins a job, unless one runs. */
export function startTask(state: TuiState, job: Job, progress: string): TuiState {
  if (state.task !== undefined) {
    const text = `one at a time: ${state.task.progress} (Esc in the tree cancels it)`;
    return { ...state, message: { text, tone: 'info' } };
  }
  const task: Task = { id: state.nextRequest, job, subject: state.subject.id, progress, isCanceled: false };
  const report: Report = { title: progress, summary: '', entries: [], left: 0 };
  return { ...state, task, report, nextRequest: state.nextRequest + 1, message: undefined };
}

/** Asks the job to end; it tells when it has. */
export function cancelTask(state: TuiState): TuiState {
  const { task } = state;
  if (task === undefined || task.isCanceled) return state;
  return { ...state, task: { ...task, isCanceled: true, progress: `canceling: ${task.progress}` } };
}

/** What a job told; what an earlier one did comes too late. */
export function taskTold(state: TuiState, action: TaskAction): TuiState {
  const { task, report } = state;
  if (task?.id !== action.task || report === undefined) return state;
  const room = Math.max(0, MAX_REPORT_ENTRIES - report.entries.length);
  const told: Report =
    action.entries.length === 0
      ? report
      : {
          ...report,
          entries: [...report.entries, ...action.entries.slice(0, room)],
          left: report.left + Math.max(0, action.entries.length - room),
        };
  if (action.type === 'task-progress') {
    const progress = task.isCanceled ? task.progress : action.progress;
    return { ...state, task: { ...task, progress }, report: told };
  }
  return {
    ...state,
    task: undefined,
    report: { ...told, summary: action.summary.text.replace(REPORT_KEY_NOTE, '') },
    // On its own page it stands at the top already.
    message: state.overlay?.kind === 'report' ? undefined : action.summary,
    isDone: state.isDone || state.isLeaving,
  };
}

/** Leaving while files are being written is asked for twice, and waits until the one that is half written is gone. */
export function leave(state: TuiState): TuiState {
  const { task } = state;
  const isWriting = task?.job.kind === 'extract' || task?.job.kind === 'recover';
  if (!isWriting || state.isLeaving) return { ...state, isDone: true };
  if (task.isCanceled || state.isAskedToLeave) return { ...cancelTask(state), isLeaving: true };
  const text = 'An extraction is under way. q again cancels it and quits; any other key goes on.';
  return { ...state, isAskedToLeave: true, message: { text, tone: 'warning' } };
}
