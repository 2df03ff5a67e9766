import { type Key, useInput, usePaste } from 'ink';
import { type Dispatch, type RefObject, useCallback } from 'react';
import { commandFor, type KeyContext } from '../keymap.ts';
import { keyContext } from '../state/selectors.ts';
import type { TuiAction, TuiState } from '../state/state.ts';

const SPECIAL_KEYS = [
  ['upArrow', 'up'],
  ['downArrow', 'down'],
  ['leftArrow', 'left'],
  ['rightArrow', 'right'],
  ['pageUp', 'pageup'],
  ['pageDown', 'pagedown'],
  ['home', 'home'],
  ['end', 'end'],
  ['return', 'enter'],
  ['escape', 'esc'],
  ['tab', 'tab'],
  ['backspace', 'backspace'],
  ['delete', 'delete'],
] as const satisfies readonly (readonly [keyof Key, string])[];

/** The keys in what Ink reports, by the names of the keymap: keys that are typed fast, or over a slow line, come as one text. */
export function keysOf(input: string, key: Key): string[] {
  const special = SPECIAL_KEYS.find(([flag]) => key[flag]);
  if (special !== undefined) return [special[1]];
  if (key.ctrl) return [`ctrl+${input}`];
  return key.meta ? [] : [...input].map(keyOfCharacter);
}

const CONTROL_KEYS: Readonly<Record<string, string>> = {
  '\r': 'enter',
  '\n': 'enter',
  '\t': 'tab',
  '\x1b': 'esc',
  '\x7f': 'backspace',
  '\b': 'backspace',
};

/** A character inside a chunk: Ink tells a control key only when it comes alone. */
function keyOfCharacter(character: string): string {
  const code = character.charCodeAt(0);
  const letter = String.fromCharCode(code + 0x60);
  return CONTROL_KEYS[character] ?? (code > 0 && code <= 26 ? `ctrl+${letter}` : character);
}

/** What keys mean where they are pressed; in a prompt, text that is no command is typed. */
export function actionFor(context: KeyContext, key: string): TuiAction | undefined {
  const command = commandFor(context, key);
  if (command !== undefined) return { type: 'command', command };
  const isText = [...key].length === 1;
  return context === 'prompt' && isText ? { type: 'typed', text: key } : undefined;
}

/** Sends keys and pastes to the reducer. `latest` is the state after every action sent so far, not that of the last frame. */
export function useKeys(latest: RefObject<TuiState>, dispatch: Dispatch<TuiAction>): void {
  const onKey = useCallback(
    (input: string, key: Key) => {
      for (const name of keysOf(input, key)) {
        const action = actionFor(keyContext(latest.current), name);
        if (action !== undefined) dispatch(action);
      }
    },
    [latest, dispatch],
  );
  useInput(onKey);
  // A paste outside a prompt would be a row of commands that nobody meant.
  usePaste((text) => {
    if (latest.current.prompt !== undefined) dispatch({ type: 'typed', text });
  });
}
