import { escapeText } from '../../core/index.ts';
import type { Prompt } from '../state/state.ts';
import { displayWidth, tailOf, truncate } from '../text/fit.ts';
import type { Theme } from '../theme.ts';

const PROMPT_TITLES = {
  goto: 'Go to offset or place: ',
  filter: 'Filter: ',
  find: 'Find files: ',
  extract: 'Extract to: ',
  recover: 'Recover to: ',
} as const;
const PROMPT_EXAMPLES = {
  goto: '0x1f0  2048s  +512  p2:/etc/passwd  layer=1/p2',
  filter: 'part of a name in this directory',
  find: 'part of a name, *.log, or with a slash of the path',
  extract: 'a new or empty folder, or a file',
  recover: 'a new or empty folder, or a file',
} as const;

/** A prompt in one line: its title, the text about the caret, and what is wrong with it or an example. */
export function promptLine({ kind, text, caret, problem }: Prompt, columns: number, theme: Theme): string {
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
