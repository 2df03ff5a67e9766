import { errorText } from '../../../core/index.ts';
import type { LoadRequest } from '../../state/requests.ts';
import type { Message, TuiAction } from '../../state/state.ts';
import type { Job, ReportEntry } from '../../state/task.ts';
import { pace } from '../pace.ts';
import { checkFilesystems } from './check-task.ts';
import { extractItem } from './extract-task.ts';
import { findFiles } from './find-task.ts';
import { recoverAll } from './recover-task.ts';

/** What a job tells while it runs. */
export interface Teller {
  readonly task: number;
  /** Kept until it is time to tell. */
  note(entry: ReportEntry): void;
  /** Makes the line that says how far it is, when it is time to tell; anything else that waits goes with it. */
  progress(line: () => string): boolean;
  readonly dispatch: (action: TuiAction) => void;
}

/** What a job came to; the summary is what a screen says of it in a line or a few. */
export type Outcome = Message;

type TaskRequest = Extract<LoadRequest, { kind: 'task' }>;

/** Runs a job to its end, also when it is aborted: its answer then says what was done. */
export async function runTask(
  { task, job }: TaskRequest,
  signal: AbortSignal,
  dispatch: (action: TuiAction) => void,
): Promise<TuiAction> {
  const isTime = pace();
  let entries: ReportEntry[] = [];
  const teller: Teller = {
    task,
    dispatch,
    note: (entry) => void entries.push(entry),
    progress: (line) => {
      if (!isTime()) return false;
      dispatch({ type: 'task-progress', task, progress: line(), entries });
      entries = [];
      return true;
    },
  };
  const summary = await outcomeOf(job, teller, signal);
  return { type: 'task-ended', task, summary, entries };
}

async function outcomeOf(job: Job, teller: Teller, signal: AbortSignal): Promise<Outcome> {
  try {
    switch (job.kind) {
      case 'extract':
        return await extractItem(job, teller, signal);
      case 'recover':
        return await recoverAll(job, teller, signal);
      case 'find':
        return await findFiles(job, teller, signal);
      case 'check':
        return await checkFilesystems(job, teller, signal);
    }
  } catch (error) {
    if (signal.aborted) return { text: 'canceled', tone: 'warning' };
    return { text: errorText(error), tone: 'error' };
  }
}
