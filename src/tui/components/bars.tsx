import { Text } from 'ink';
import { type ReactNode, useContext } from 'react';
import { escapeText } from '../../core/index.ts';
import { hintsFor } from '../keymap.ts';
import { imageOf, keyContext, layoutIn, scrollLimit } from '../state/selectors.ts';
import type { Prompt, Tab, TuiState } from '../state/state.ts';
import { displayWidth, padTo, tailOf, truncate, wrapWords } from '../text/fit.ts';
import { statusParts } from '../text/status.ts';
import type { Theme } from '../theme.ts';
import { ThemeContext } from './theme-context.ts';

const TABS: readonly (readonly [Tab, string])[] = [
  ['details', '1 Details'],
  ['hex', '2 Bytes'],
  ['text', '3 Text'],
];
const PROMPT_TITLES = { goto: 'Go to offset or place: ', find: 'Find: ' } as const;
const PROMPT_EXAMPLES = {
  goto: '0x1f0  2048s  +512  p2:/etc/passwd  layer=1/p2',
  find: 'part of a name among the rows',
} as const;

/** The headings of both panes; the one that has the keys stands out. */
export function HeadingBar({ state }: { state: TuiState }): ReactNode {
  const theme = useContext(ThemeContext);
  const { columns } = state.viewport;
  if (state.overlay !== undefined) {
    const title = state.overlay.kind === 'help' ? 'Keys' : `Diagnostics (${imageOf(state).diagnostics.length})`;
    const mark = scrollMark(state);
    const heading = padTo(` Sectorscope: ${title}`, columns - displayWidth(mark)) + mark;
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
  const { selected, rows } = state.tree;
  const position = ` ${selected + 1}/${rows.length} `;
  const title = padTo(' Sectorscope', treeWidth - position.length) + position;
  const tree = theme.paint(state.pane === 'tree' ? 'barStrong' : 'barIdle', title);
  return <Text wrap="truncate">{`${tree}${theme.paint('divider', '│')}${view}`}</Text>;
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

/** The last line: the prompt, else a message, else what the keys do here. */
export function FooterBar({ state }: { state: TuiState }): ReactNode {
  const theme = useContext(ThemeContext);
  const { columns } = state.viewport;
  if (state.prompt !== undefined) return <Text wrap="truncate">{promptLine(state.prompt, columns, theme)}</Text>;
  if (state.message !== undefined) {
    const role = MESSAGE_ROLES[state.message.tone];
    const lines = footerLines(state).map((line) => theme.paint(role, padTo(` ${line}`, columns)));
    return <Text wrap="truncate">{lines.join('\n')}</Text>;
  }
  return <Text wrap="truncate">{hintLine(state, columns, theme)}</Text>;
}

function hintLine(state: TuiState, columns: number, theme: Theme): string {
  let line = ' ';
  let left = columns - 1;
  for (const { key, hint } of hintsFor(keyContext(state))) {
    const width = displayWidth(key) + 1 + displayWidth(hint) + 2;
    if (width > left) break;
    line += `${theme.paint('key', key)} ${theme.paint('dim', hint)}  `;
    left -= width;
  }
  return line + ' '.repeat(left);
}

function promptLine({ kind, text, caret, problem }: Prompt, columns: number, theme: Theme): string {
  const title = ` ${PROMPT_TITLES[kind]}`;
  const note = problem ?? (text === '' ? PROMPT_EXAMPLES[kind] : '');
  const room = Math.max(10, columns - displayWidth(title) - 2);
  const before = escapeText(text.slice(0, caret));
  const under = text.slice(caret, caret + 1);
  // Of a long text, the part that ends at the caret is shown.
  const shown = tailOf(before, room);
  const after = truncate(escapeText(text.slice(caret + 1)), room - displayWidth(shown));
  const used = displayWidth(title) + displayWidth(shown) + 1 + displayWidth(after);
  const tail = truncate(note === '' ? '' : `  ${note}`, columns - used);
  const caretCell = theme.paint('cursor', under === '' ? ' ' : escapeText(under).slice(0, 1));
  const painted = theme.paint(problem === undefined ? 'dim' : 'warning', tail);
  return `${theme.paint('title', title)}${shown}${caretCell}${after}${painted}`;
}
