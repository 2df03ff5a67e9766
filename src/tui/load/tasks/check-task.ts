import {
  errorText,
  escapeText,
  escapeUnprintable,
  type FileSystem,
  type Finding,
  type Progress,
  type Severity,
  severityText,
  takeTurn,
} from '../../../core/index.ts';
import { type Job, REPORT_KEY_NOTE, type ReportEntry } from '../../state/task.ts';
import { formatOffset } from '../../text/format.ts';
import { share, volumeName } from '../recoverables.ts';
import type { Outcome, Teller } from './run-task.ts';

type CheckJob = Extract<Job, { kind: 'check' }>;
type Counts = Record<Severity, number>;

/** Checks the filesystems one after the other; findings are told as they come. */
export async function checkFilesystems({ volumes }: CheckJob, teller: Teller, signal: AbortSignal): Promise<Outcome> {
  const verdicts: string[] = [];
  let isBad = false;
  let hasFindings = false;
  for (const volume of volumes) {
    const name = volumeName(volume.name);
    let filesystem: FileSystem | undefined;
    try {
      filesystem = await volume.filesystem();
    } catch (error) {
      teller.note({ tone: 'error', head: name, text: errorText(error) });
      verdicts.push(`${name} cannot be opened`);
      isBad = true;
      hasFindings = true;
      continue;
    }
    if (filesystem === undefined) continue;
    const prefix = volumes.length > 1 ? `${name}: ` : '';
    const counts = await checkOne(filesystem, { name, prefix }, teller, signal);
    const found = `${severityText(counts)}${signal.aborted ? ' until it was canceled' : ''}`;
    const verdict = counts.error > 0 ? 'not consistent' : signal.aborted ? 'not checked to its end' : 'consistent';
    verdicts.push(`${name}: ${filesystem.type} is ${verdict}${found === '' ? '' : `: ${found}`}`);
    isBad ||= counts.error > 0;
    hasFindings ||= severityText(counts) !== '';
    if (signal.aborted) break;
  }
  if (verdicts.length === 0) return { text: 'no filesystem to check here', tone: 'info' };
  return {
    text: `${verdicts.join('; ')}${hasFindings ? REPORT_KEY_NOTE : ''}`,
    tone: isBad || signal.aborted ? 'warning' : 'info',
  };
}

async function checkOne(
  filesystem: FileSystem,
  { name, prefix }: { readonly name: string; readonly prefix: string },
  teller: Teller,
  signal: AbortSignal,
): Promise<Readonly<Counts>> {
  const counts: Counts = { error: 0, warning: 0, note: 0 };
  let place = '';
  const tell = (): void => {
    const found = severityText(counts);
    teller.progress(() => `Checking ${name}${place}${found === '' ? '' : `, ${found}`}`);
  };
  const onProgress = ({ done, total }: Progress): void => {
    place = `: ${share(done, total)}`;
    tell();
  };
  try {
    for await (const finding of filesystem.check({ signal, onProgress })) {
      signal.throwIfAborted();
      counts[finding.severity] += 1;
      teller.note(findingEntry(finding, prefix));
      tell();
      await takeTurn();
    }
  } catch (error) {
    if (signal.aborted) return counts;
    counts.error += 1;
    teller.note({ tone: 'error', head: `error: ${name}`, text: `the check broke off: ${errorText(error)}` });
  }
  return counts;
}

function findingEntry({ severity, structure, offset, message, owners }: Finding, prefix: string): ReportEntry {
  const place = offset === undefined ? '' : ` at ${formatOffset(offset)}`;
  const concerned = owners === undefined || owners.length === 0 ? '' : ` (${owners.map(escapeText).join(', ')})`;
  const head = `${severity}: ${prefix}${escapeUnprintable(structure)}${place}`;
  return { tone: severity, head, text: `${escapeUnprintable(message)}${concerned}` };
}
