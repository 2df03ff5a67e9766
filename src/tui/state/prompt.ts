import { clamp, escapeText } from '../../core/index.ts';
import { looksLikeOffset } from '../hex/parse-offset.ts';
import type { Command } from '../keymap.ts';
import { gotoOffset } from './hex-view.ts';
import { acceptedExtract, acceptedFind, filtered, unfiltered } from './open-jobs.ts';
import type { Prompt, TuiState } from './state.ts';
import { matchCount } from './tree-filter.ts';

/** What can be typed into a prompt, in UTF-16 units; longer than any path of a real image. */
const MAX_PROMPT_LENGTH = 4096;

export function openPrompt(state: TuiState, kind: 'goto' | 'find'): TuiState {
  return { ...state, prompt: { kind, text: '', caret: 0, problem: undefined }, message: undefined };
}

/** Text that was typed or pasted; what is no printable text is left out. */
export function typeIntoPrompt(state: TuiState, typed: string): TuiState {
  const { prompt } = state;
  if (prompt === undefined) return state;
  const clean = typed.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, '');
  const { text, caret } = prompt;
  const room = MAX_PROMPT_LENGTH - text.length;
  const added = clean.slice(0, Math.max(0, room));
  return edited(state, {
    ...prompt,
    text: text.slice(0, caret) + added + text.slice(caret),
    caret: caret + added.length,
  });
}

export function promptCommand(state: TuiState, command: Command): TuiState {
  const { prompt } = state;
  if (prompt === undefined) return state;
  const { text, caret } = prompt;
  switch (command) {
    case 'prompt-accept':
      return accepted(state, prompt);
    case 'prompt-cancel':
      return canceled(state, prompt);
    case 'prompt-erase': {
      const before = caret - previousLength(text, caret);
      return edited(state, { ...prompt, text: text.slice(0, before) + text.slice(caret), caret: before });
    }
    case 'prompt-clear':
      return edited(state, { ...prompt, text: '', caret: 0 });
    case 'prompt-left':
      return moved(state, prompt, caret - previousLength(text, caret));
    case 'prompt-right':
      return moved(state, prompt, caret + nextLength(text, caret));
    case 'prompt-start':
      return moved(state, prompt, 0);
    case 'prompt-end':
      return moved(state, prompt, text.length);
    default:
      return state;
  }
}

/** UTF-16 units of the character before the caret. */
function previousLength(text: string, caret: number): number {
  return caret === 0 ? 0 : [...text.slice(0, caret)].at(-1)!.length;
}

/** UTF-16 units of the character after the caret. */
function nextLength(text: string, caret: number): number {
  return (text.codePointAt(caret) ?? 0) > 0xffff ? 2 : 1;
}

function moved(state: TuiState, prompt: Prompt, caret: number): TuiState {
  return { ...state, prompt: { ...prompt, caret: clamp(caret, 0, prompt.text.length) } };
}

/** A filter follows the typing; the others wait for Enter. */
function edited(state: TuiState, prompt: Prompt): TuiState {
  const next: TuiState = { ...state, prompt: { ...prompt, problem: undefined } };
  if (prompt.kind !== 'filter') return next;
  const narrowed = filtered(next, prompt.text);
  const isNone = prompt.text !== '' && matchCount(narrowed.tree) === 0;
  return isNone ? { ...narrowed, prompt: { ...prompt, problem: 'no match' } } : narrowed;
}

/** A filter that is given up leaves all as it was before. */
function canceled(state: TuiState, { kind }: Prompt): TuiState {
  const closed: TuiState = { ...state, prompt: undefined };
  return kind === 'filter' ? unfiltered(closed) : closed;
}

function accepted(state: TuiState, prompt: Prompt): TuiState {
  const text = prompt.text.trim();
  const closed: TuiState = { ...state, prompt: undefined };
  if (prompt.kind === 'find') return acceptedFind(state, prompt);
  if (prompt.kind === 'extract' || prompt.kind === 'recover') return acceptedExtract(state, prompt);
  if (prompt.kind === 'filter') {
    if (matchCount(state.tree) > 0) return { ...closed, pane: 'tree' };
    const message =
      prompt.text === '' ? undefined : ({ text: `no row matches "${escapeText(prompt.text)}"`, tone: 'info' } as const);
    return { ...canceled(state, prompt), message };
  }
  if (text === '') return closed;
  if (looksLikeOffset(text)) return gotoOffset({ ...closed, tab: 'hex', pane: 'view' }, text);
  const going = { id: state.nextRequest, locator: text };
  return {
    ...closed,
    going,
    nextRequest: state.nextRequest + 1,
    message: { text: `going to ${escapeText(text)} …`, tone: 'info' },
  };
}
