import { formatCount } from '../../core/index.ts';
import type { Report, ReportEntry } from '../state/task.ts';
import type { Role } from '../theme.ts';
import { truncate, wrapWords } from './fit.ts';
import type { Line } from './page-lines.ts';

const ROLES: Readonly<Record<ReportEntry['tone'], Role>> = {
  plain: 'plain',
  note: 'label',
  warning: 'warning',
  error: 'error',
};
const MAX_HEAD_LINES = 4;

/** The lines of each entry, made once for a width: a report grows while it is looked at. */
const entryLines = new WeakMap<ReportEntry, { readonly width: number; readonly lines: readonly Line[] }>();
const reportCache = new WeakMap<Report, { readonly width: number; readonly lines: readonly Line[] }>();

/** What a job told, the outcome above all; `progress` stands there while there is none. */
export function reportLines(report: Report, progress: string | undefined, width: number): readonly Line[] {
  const head: Line[] = [];
  const state = progress ?? report.summary;
  for (const piece of wrapWords(state, width)) head.push([[progress === undefined ? 'title' : 'dim', piece]]);
  return [...head, ...bodyLines(report, width)];
}

function bodyLines(report: Report, width: number): readonly Line[] {
  const known = reportCache.get(report);
  if (known?.width === width) return known.lines;
  const lines: Line[] = report.entries.length === 0 ? [] : [[]];
  for (const entry of report.entries) for (const line of linesOf(entry, width)) lines.push(line);
  if (report.left > 0) lines.push([], [['dim', `${formatCount(report.left)} more are not listed`]]);
  reportCache.set(report, { width, lines });
  return lines;
}

function linesOf(entry: ReportEntry, width: number): readonly Line[] {
  const known = entryLines.get(entry);
  if (known?.width === width) return known.lines;
  const { tone, head, text } = entry;
  const heads = wrapWords(head, width);
  const cut =
    heads.length > MAX_HEAD_LINES
      ? [...heads.slice(0, MAX_HEAD_LINES - 1), `${truncate(heads.at(MAX_HEAD_LINES - 1)!, width - 1)}…`]
      : heads;
  const lines: Line[] = cut.map((piece): Line => [[ROLES[tone], piece]]);
  if (text !== '') for (const piece of wrapWords(text, Math.max(10, width - 2))) lines.push([['plain', `  ${piece}`]]);
  entryLines.set(entry, { width, lines });
  return lines;
}
