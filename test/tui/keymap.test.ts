import test from 'ava';
import { actionFor, keysOf } from '../../src/tui/hooks/use-keys.ts';
import { commandFor, hintsFor, type KeyContext, keymap, keyName } from '../../src/tui/keymap.ts';
import { helpLines } from '../../src/tui/text/page-lines.ts';

const contexts: readonly KeyContext[] = ['global', 'tree', 'hex', 'page', 'overlay', 'prompt'];
const noKey = {
  upArrow: false,
  downArrow: false,
  leftArrow: false,
  rightArrow: false,
  pageDown: false,
  pageUp: false,
  home: false,
  end: false,
  return: false,
  escape: false,
  ctrl: false,
  shift: false,
  tab: false,
  backspace: false,
  delete: false,
  meta: false,
  super: false,
  hyper: false,
  capsLock: false,
  numLock: false,
};

test('no key means two things in one context, nor hides a global one', (t) => {
  for (const context of contexts) {
    const shared = context === 'tree' || context === 'hex' || context === 'page';
    const keys = keymap
      .filter((binding) => binding.context === context || (shared && binding.context === 'global'))
      .flatMap((binding) => binding.keys);
    t.deepEqual(
      keys.filter((key, index) => keys.indexOf(key) !== index),
      [],
      context,
    );
  }
});

test('every binding has keys and a help text, and is found by each of its keys', (t) => {
  for (const { context, command, keys, help } of keymap) {
    t.true(keys.length > 0 && help !== '', `${context} ${command}`);
    for (const key of keys) t.is(commandFor(context, key), command, `${context} ${key}`);
  }
});

test('the help lists every binding with every key', (t) => {
  const lines = helpLines(100).map((line) => line.map(([, text]) => text).join(''));
  for (const { keys, help } of keymap) {
    const keyText = keys.map(keyName).join(' ');
    t.true(
      lines.some((line) => line.startsWith(keyText) && line.endsWith(help)),
      `${keyText}: ${help}`,
    );
  }
});

test('a pane shares its keys with the global ones; a prompt and an overlay do not', (t) => {
  t.is(commandFor('tree', 'q'), 'quit');
  t.is(commandFor('hex', '?'), 'help');
  t.is(commandFor('prompt', 'q'), undefined);
  t.is(commandFor('overlay', 'g'), undefined);
  t.is(commandFor('tree', 'unknown'), undefined);
});

test('ctrl-c cancels or leaves from everywhere, but in a prompt it cancels the prompt', (t) => {
  for (const context of contexts)
    t.is(commandFor(context, 'ctrl+c'), context === 'prompt' ? 'prompt-cancel' : 'interrupt', context);
});

test('the hints of a context name its own keys first', (t) => {
  t.deepEqual(hintsFor('tree')[0], { key: 'Enter', hint: 'open' });
  t.true(hintsFor('tree').some(({ hint }) => hint === 'quit'));
  t.false(hintsFor('prompt').some(({ hint }) => hint === 'quit'));
});

test('keys typed in one chunk are keys one by one; special keys go by name', (t) => {
  t.deepEqual(keysOf('jjk', noKey), ['j', 'j', 'k']);
  t.deepEqual(keysOf('\tG\x7f\x03g\r', noKey), ['tab', 'G', 'backspace', 'ctrl+c', 'g', 'enter']);
  t.deepEqual(keysOf('', { ...noKey, downArrow: true }), ['down']);
  t.deepEqual(keysOf('c', { ...noKey, ctrl: true }), ['ctrl+c']);
  t.deepEqual(keysOf('x', { ...noKey, meta: true }), []);
  t.deepEqual(keysOf('', { ...noKey, return: true }), ['enter']);
});

test('in a prompt text is typed, elsewhere what is no command is nothing', (t) => {
  t.deepEqual(actionFor('prompt', 'q'), { type: 'typed', text: 'q' });
  t.deepEqual(actionFor('prompt', 'enter'), { type: 'command', command: 'prompt-accept' });
  t.is(actionFor('prompt', 'ctrl+z'), undefined);
  t.is(actionFor('tree', 'y'), undefined);
});
