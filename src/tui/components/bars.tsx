import { Text } from 'ink';
import { type ReactNode, useContext } from 'react';
import { escapeText } from '../../core/index.ts';
import { hintsFor, type KeyContext } from '../keymap.ts';
import { imageOf, keyContext, layoutIn, scrollLimit } from '../state/selectors.ts';
import type { Tab, TuiState } from '../state/state.ts';
import type { Task } from '../state/task.ts';
import { selectedPosition, shownCount } from '../state/tree-filter.ts';
import { displayWidth, padTo, wrapWords } from '../text/fit.ts';
import { statusParts } from '../text/status.ts';
import type { Theme } from '../theme.ts';
import { promptLine } from './prompt-line.ts';
import { ThemeContext } from './theme-context.ts';

const TABS: readonly (readonly [Tab, string])[] = [
  ['details', '1 Details'],
  ['hex', '2 Bytes'],
  ['text', '3 Text'],
];

/** The headings of both panes; the one that has the keys stands out. */
export function HeadingBar({ state }: { state: TuiState }): ReactNode {
  const theme = useContext(ThemeContext);
  const { columns } = state.viewport;
  if (state.overlay !== undefined) {
    const mark = scrollMark(state);
    const heading = padTo(` Sectorscope: ${overlayTitle(state)}`, columns - displayWidth(mark)) + mark;
    return <Text wrap="truncate">{theme.paint('barStrong', heading)}</Text>;
  }
  const { treeWidth, viewWidth } = layoutIn(state);
  const tabs = TABS.map(([tab, title]) => (tab === state.tab ? `[${title}]` : ` ${title} `)).join('');
  const warnings = imageOf(state).diagnostics.length;
  const right = `${scrollMark(state)}${warnings === 0 ? '' : `! ${warnings} `}`;
  const view = theme.paint(
    state.pane === 'view' ? 'barStrong' : 'barIdle',
    padTo(tabs, viewWidth - displayWidth(right)) + right,
  );
  if (treeWidth === 0) return <Text wrap="truncate">{view}</Text>;
  const position = ` ${selectedPosition(state.tree) + 1}/${shownCount(state.tree)} `;
  const filter = state.tree.filter?.text ?? '';
  const name = filter === '' ? ' Sectorscope' : ` /${escapeText(filter)}`;
  const title = padTo(name, treeWidth - position.length) + position;
  const tree = theme.paint(state.pane === 'tree' ? 'barStrong' : 'barIdle', title);
  return <Text wrap="truncate">{`${tree}${theme.paint('divider', '│')}${view}`}</Text>;
}

function overlayTitle(state: TuiState): string {
  if (state.overlay?.kind === 'help') return 'Keys';
  if (state.overlay?.kind === 'report') return state.report?.title ?? 'Report';
  return `Diagnostics (${imageOf(state).diagnostics.length})`;
}

/** How much of a page is above and below: without it nobody would look for what follows. */
function scrollMark(state: TuiState): string {
  if (state.tab === 'hex' && state.overlay === undefined) return '';
  const limit = scrollLimit(state);
  if (limit === 0) return '';
  const page = state.overlay ?? (state.tab === 'details' ? state.details : state.text);
  return [page.scroll > 0 ? `↑${page.scroll} ` : '', page.scroll < limit ? `↓${limit - page.scroll} ` : ''].join('');
}

export function StatusBar({ state }: { state: TuiState }): ReactNode {
  const theme = useContext(ThemeContext);
  return (
    <Text wrap="truncate">
      {theme.paint('bar', padTo(` ${statusParts(state).join(' │ ')}`, state.viewport.columns))}
    </Text>
  );
}

const MESSAGE_ROLES = { info: 'plain', warning: 'warning', error: 'error' } as const;

/** A message may take this many lines: what an error found stands at its end. */
const MAX_MESSAGE_LINES = 4;

/** Lines of the footer: one, unless a message is longer. */
export function footerLines(state: TuiState): readonly string[] {
  if (state.prompt !== undefined || state.message === undefined) return [''];
  const room = state.viewport.columns - 1;
  const lines = wrapWords(state.message.text, room);
  const last = lines.slice(MAX_MESSAGE_LINES - 1).join(' ');
  return lines.length <= MAX_MESSAGE_LINES ? lines : [...lines.slice(0, MAX_MESSAGE_LINES - 1), last];
}

/** The last line: the prompt, else a message, else what is under way, else what the keys do here. */
export function FooterBar({ state }: { state: TuiState }): ReactNode {
  const theme = useContext(ThemeContext);
  const { columns } = state.viewport;
  if (state.prompt !== undefined) return <Text wrap="truncate">{promptLine(state.prompt, columns, theme)}</Text>;
  if (state.message !== undefined) {
    const role = MESSAGE_ROLES[state.message.tone];
    const lines = footerLines(state).map((line) => theme.paint(role, padTo(` ${line}`, columns)));
    return <Text wrap="truncate">{lines.join('\n')}</Text>;
  }
  if (state.task !== undefined) return <Text wrap="truncate">{taskLine(state.task, columns, theme)}</Text>;
  return <Text wrap="truncate">{hintLine(state, columns, theme)}</Text>;
}

/** How far the work is, and how to end it. */
function taskLine({ progress, isCanceled }: Task, columns: number, theme: Theme): string {
  const hint = isCanceled ? '' : '  Ctrl-C cancels ';
  return theme.paint('title', padTo(` ${progress}`, columns - hint.length)) + theme.paint('dim', hint);
}

/** As many hints as fit; the last two, help and quit, stay as long as anything does. */
function fittingHints(context: KeyContext, room: number): { key: string; hint: string; width: number }[] {
  const hints = hintsFor(context).map((each) => ({
    ...each,
    width: displayWidth(each.key) + 1 + displayWidth(each.hint) + 2,
  }));
  let total = hints.reduce((sum, { width }) => sum + width, 0);
  while (total > room && hints.length > 0) total -= hints.splice(Math.max(0, hints.length - 3), 1)[0]!.width;
  return hints;
}

function hintLine(state: TuiState, columns: number, theme: Theme): string {
  let line = ' ';
  let left = columns - 1;
  for (const { key, hint, width } of fittingHints(keyContext(state), left)) {
    line += `${theme.paint('key', key)} ${theme.paint('dim', hint)}  `;
    left -= width;
  }
  return line + ' '.repeat(left);
}
