import {
  errorText,
  escapeText,
  formatCount,
  isAtLeast,
  madeText,
  type Progress,
  type RecoverableFile,
  RecoveryFolder,
} from '../../../core/index.ts';
import { type Job, REPORT_KEY_NOTE } from '../../state/task.ts';
import type { Outcome, Teller } from './run-task.ts';

type RecoverJob = Extract<Job, { kind: 'recover' }>;

/** Writes all that is likely to be whole below the folder that the user named, each at its path; the rest is listed with its reason. */
export async function recoverAll(
  { item: { filesystem }, destination }: RecoverJob,
  teller: Teller,
  signal: AbortSignal,
): Promise<Outcome> {
  const place = escapeText(destination);
  const folder = await RecoveryFolder.create(destination);
  let left = 0;
  let searched = '';
  const tell = (): void => {
    teller.progress(() => `Recovering: ${madeText(folder.report)}${searched}, to ${place}`);
  };
  const leaveOut = (file: RecoverableFile, reason: string): void => {
    left += 1;
    teller.note({ tone: 'warning', head: `${file.certainty}: ${escapeText(file.path ?? file.key)}`, text: reason });
  };
  const onProgress = ({ done, total }: Progress): void => {
    searched = total > 0 ? `, searched ${Math.floor((done / total) * 100)} %` : '';
    tell();
  };
  try {
    for await (const file of filesystem.recoverable({ signal, onProgress })) {
      signal.throwIfAborted();
      tell();
      if (!isAtLeast(file.certainty, 'likely')) {
        leaveOut(file, escapeText(file.reason));
        continue;
      }
      try {
        await folder.write(filesystem, file, [], { signal });
      } catch (error) {
        signal.throwIfAborted();
        leaveOut(file, errorText(error));
      }
    }
    await folder.finish();
  } catch (error) {
    if (!signal.aborted)
      return { text: `${errorText(error)}; ${madeText(folder.report)} recovered by then`, tone: 'error' };
    await folder.finish();
    const text = `canceled: ${madeText(folder.report)} recovered to ${place} by then stay; no half-written file is left`;
    return { text, tone: 'warning' };
  }
  const rest = left === 0 ? '' : `; ${formatCount(left)} damaged, lost or unwritable left out${REPORT_KEY_NOTE}`;
  return { text: `${madeText(folder.report)} recovered to ${place}${rest}`, tone: left === 0 ? 'info' : 'warning' };
}
