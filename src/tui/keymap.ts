/** Everything a key can do. */
export type Command =
  | 'quit'
  | 'interrupt'
  | 'help'
  | 'diagnostics'
  | 'close'
  | 'switch-pane'
  | 'show-details'
  | 'show-hex'
  | 'show-text'
  | 'zoom'
  | 'goto'
  | 'filter'
  | 'find'
  | 'find-next'
  | 'find-previous'
  | 'toggle-deleted'
  | 'extract'
  | 'check'
  | 'report'
  | 'toggle-endianness'
  | 'up'
  | 'down'
  | 'left'
  | 'right'
  | 'page-up'
  | 'page-down'
  | 'first'
  | 'last'
  | 'row-start'
  | 'row-end'
  | 'next-sector'
  | 'previous-sector'
  | 'open'
  | 'prompt-accept'
  | 'prompt-cancel'
  | 'prompt-erase'
  | 'prompt-clear'
  | 'prompt-left'
  | 'prompt-right'
  | 'prompt-start'
  | 'prompt-end';

/** Where a key has its meaning: the innermost context that knows the key wins, `global` comes last. */
export type KeyContext = 'global' | 'tree' | 'hex' | 'page' | 'overlay' | 'prompt';

export interface Binding {
  readonly context: KeyContext;
  readonly command: Command;
  readonly keys: readonly string[];
  /** The line in the help. */
  readonly help: string;
  /** The hint in the last line of the screen; without it there is none. */
  readonly hint?: string;
}

const bind = (
  context: KeyContext,
  command: Command,
  keys: readonly string[],
  help: string,
  hint?: string,
): Binding => ({ context, command, keys, help, ...(hint === undefined ? {} : { hint }) });

/** The one table of keys: input is looked up in it, the help and the hints are printed from it. */
export const keymap: readonly Binding[] = [
  bind('tree', 'up', ['up', 'k'], 'previous row'),
  bind('tree', 'down', ['down', 'j'], 'next row'),
  bind('tree', 'right', ['right', 'l'], 'open; on an open row, its first child'),
  bind('tree', 'left', ['left', 'h'], 'close; on a closed row, its parent'),
  bind('tree', 'open', ['enter'], 'open or close; on a file, go to its bytes or text', 'open'),
  bind('tree', 'page-up', ['pageup', 'ctrl+b'], 'page up'),
  bind('tree', 'page-down', ['pagedown', 'ctrl+f', ' '], 'page down'),
  bind('tree', 'first', ['home'], 'first row'),
  bind('tree', 'last', ['end', 'G'], 'last row'),
  bind('tree', 'filter', ['/'], 'narrow the rows of this directory to names with a text, as you type', 'filter'),
  bind('tree', 'close', ['esc'], 'give up a goto, cancel what runs, stop a search, end a filter: one at a time'),

  bind('hex', 'up', ['up', 'k'], 'row up'),
  bind('hex', 'down', ['down', 'j'], 'row down'),
  bind('hex', 'left', ['left', 'h'], 'previous byte'),
  bind('hex', 'right', ['right', 'l'], 'next byte'),
  bind('hex', 'page-up', ['pageup', 'ctrl+b'], 'page up'),
  bind('hex', 'page-down', ['pagedown', 'ctrl+f', ' '], 'page down'),
  bind('hex', 'previous-sector', ['['], 'previous sector'),
  bind('hex', 'next-sector', [']'], 'next sector', 'sector'),
  bind('hex', 'row-start', ['0', 'ctrl+a'], 'start of the row'),
  bind('hex', 'row-end', ['$', 'ctrl+e'], 'end of the row'),
  bind('hex', 'first', ['home'], 'first byte'),
  bind('hex', 'last', ['end', 'G'], 'last byte'),
  bind('hex', 'toggle-endianness', ['e'], 'values little or big endian', 'endian'),
  bind('hex', 'close', ['esc'], 'back to the tree', 'tree'),

  bind('page', 'up', ['up', 'k'], 'line up'),
  bind('page', 'down', ['down', 'j'], 'line down'),
  bind('page', 'page-up', ['pageup', 'ctrl+b'], 'page up'),
  bind('page', 'page-down', ['pagedown', 'ctrl+f', ' '], 'page down'),
  bind('page', 'first', ['home'], 'beginning'),
  bind('page', 'last', ['end', 'G'], 'end'),
  bind('page', 'close', ['esc', 'left', 'h'], 'back to the tree', 'tree'),

  bind('global', 'switch-pane', ['tab'], 'other pane', 'pane'),
  bind('global', 'show-details', ['1'], 'details'),
  bind('global', 'show-hex', ['2'], 'bytes'),
  bind('global', 'show-text', ['3'], 'text'),
  bind('global', 'goto', ['g', ':'], 'go to an offset (0x1f0, 2048s, 1MiB, +512) or a place (p2:/etc/passwd)', 'goto'),
  bind('global', 'find', ['f'], 'find files by name: a part of it, or a pattern (*.log, /etc/*)', 'find'),
  bind('global', 'find-next', ['n'], 'next file found'),
  bind('global', 'find-previous', ['N'], 'previous file found'),
  bind('global', 'extract', ['x'], 'extract a file, a directory or a filesystem, recover a deleted file', 'extract'),
  bind('global', 'toggle-deleted', ['d'], 'list deleted entries, or not', 'deleted'),
  bind('global', 'check', ['c'], 'check the filesystem; changes nothing'),
  bind('global', 'report', ['r'], 'what the last extraction, check or find has to tell'),
  bind('global', 'zoom', ['z'], 'give the right pane the whole width', 'zoom'),
  bind('global', 'diagnostics', ['!'], 'what was odd in the image'),
  bind('global', 'help', ['?'], 'this help', 'help'),
  bind('global', 'quit', ['q'], 'quit', 'quit'),
  bind('global', 'interrupt', ['ctrl+c'], 'cancel what runs; quit when nothing does'),

  bind('overlay', 'up', ['up', 'k'], 'line up'),
  bind('overlay', 'down', ['down', 'j'], 'line down'),
  bind('overlay', 'page-up', ['pageup', 'ctrl+b'], 'page up'),
  bind('overlay', 'page-down', ['pagedown', 'ctrl+f', ' '], 'page down'),
  bind('overlay', 'first', ['home'], 'beginning'),
  bind('overlay', 'last', ['end', 'G'], 'end'),
  bind('overlay', 'close', ['esc', 'enter', 'q', '?', '!', 'r'], 'close', 'close'),
  bind('overlay', 'interrupt', ['ctrl+c'], 'cancel what runs; quit when nothing does'),

  bind('prompt', 'prompt-accept', ['enter'], 'accept', 'accept'),
  bind('prompt', 'prompt-cancel', ['esc', 'ctrl+c'], 'cancel', 'cancel'),
  bind('prompt', 'prompt-erase', ['backspace', 'delete', 'ctrl+h'], 'erase a character'),
  bind('prompt', 'prompt-clear', ['ctrl+u'], 'erase all', 'clear'),
  bind('prompt', 'prompt-left', ['left', 'ctrl+b'], 'left'),
  bind('prompt', 'prompt-right', ['right', 'ctrl+f'], 'right'),
  bind('prompt', 'prompt-start', ['home', 'ctrl+a'], 'start'),
  bind('prompt', 'prompt-end', ['end', 'ctrl+e'], 'end'),
];

export const contextTitles: Readonly<Record<KeyContext, string>> = {
  tree: 'Tree',
  hex: 'Bytes',
  page: 'Details and text',
  global: 'Everywhere',
  overlay: 'Help, diagnostics and reports',
  prompt: 'Prompt',
};

/** A prompt and an overlay keep all keys to themselves; a pane shares them with `global`. */
function contextsOf(context: KeyContext): readonly KeyContext[] {
  return context === 'prompt' || context === 'overlay' || context === 'global' ? [context] : [context, 'global'];
}

const table = new Map(
  keymap.flatMap(({ context, command, keys }) => keys.map((key) => [`${context} ${key}`, command] as const)),
);

/** What `key` does in `context`, if anything. */
export function commandFor(context: KeyContext, key: string): Command | undefined {
  for (const each of contextsOf(context)) {
    const command = table.get(`${each} ${key}`);
    if (command !== undefined) return command;
  }
  return undefined;
}

/** The hints for a context, its own before the common ones: `/ find`. */
export function hintsFor(context: KeyContext): { readonly key: string; readonly hint: string }[] {
  return contextsOf(context).flatMap((each) =>
    keymap.flatMap((binding) =>
      binding.context === each && binding.hint !== undefined
        ? [{ key: keyName(binding.keys[0]!), hint: binding.hint }]
        : [],
    ),
  );
}

const KEY_NAMES: Readonly<Record<string, string>> = {
  up: '↑',
  down: '↓',
  left: '←',
  right: '→',
  enter: 'Enter',
  esc: 'Esc',
  tab: 'Tab',
  home: 'Home',
  end: 'End',
  pageup: 'PgUp',
  pagedown: 'PgDn',
  backspace: 'Backspace',
  delete: 'Del',
  ' ': 'Space',
};

/** A key as people read it: `PgUp`, `Ctrl-C`. */
export function keyName(key: string): string {
  if (key.startsWith('ctrl+')) return `Ctrl-${key.slice('ctrl+'.length).toUpperCase()}`;
  return KEY_NAMES[key] ?? key;
}
