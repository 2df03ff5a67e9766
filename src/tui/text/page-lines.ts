import type { Diagnostic } from '../../core/index.ts';
import { errorText } from '../../core/index.ts';
import { contextTitles, type KeyContext, keymap, keyName } from '../keymap.ts';
import type { Details, TableRow } from '../load/facts.ts';
import type { Preview } from '../load/preview.ts';
import type { Role } from '../theme.ts';
import { displayWidth, padTo, truncate, wrapLine, wrapWords } from './fit.ts';
import { formatOffset } from './format.ts';

/** A piece of a line, with its meaning. */
export type Span = readonly [role: Role, text: string];
export type Line = readonly Span[];

const MAX_LABEL_COLUMNS = 24;

/** The last result for a content, so that scrolling does not wrap the same text again; one width is kept. */
function remembered<Content extends object>(make: (content: Content, width: number) => readonly Line[]) {
  const cache = new WeakMap<Content, { readonly width: number; readonly lines: readonly Line[] }>();
  return (content: Content, width: number): readonly Line[] => {
    const known = cache.get(content);
    if (known?.width === width) return known.lines;
    const lines = make(content, width);
    cache.set(content, { width, lines });
    return lines;
  };
}

/** The sections of the details tab: titles, and facts in two columns. */
export const detailLines: (details: Details, width: number) => readonly Line[] = remembered((details, width) => {
  const lines: Line[] = [];
  for (const { title, facts } of details.sections) {
    if (lines.length > 0) lines.push([]);
    lines.push([['title', truncate(title, width)]]);
    const widest = Math.max(0, ...facts.map(([label]) => displayWidth(label)));
    const column = Math.min(widest, MAX_LABEL_COLUMNS, Math.floor(width * 0.4));
    for (const [label, value] of facts) {
      const role: Role = label === 'error' ? 'error' : label === 'warning' ? 'warning' : 'plain';
      const pieces = wrapWords(value, Math.max(8, width - column - 2));
      for (const [index, piece] of pieces.entries())
        lines.push([
          ['label', padTo(index === 0 ? label : '', column)],
          ['plain', '  '],
          [role, piece],
        ]);
    }
  }
  return lines;
});

/** Lines that a table of so many rows takes: ink-table draws a line after each. */
export function tableHeight(rows: readonly TableRow[] | undefined): number {
  return rows === undefined || rows.length === 0 ? 0 : rows.length * 2 + 3;
}

export const previewLines: (preview: Preview, width: number) => readonly Line[] = remembered((preview, width) => {
  const lines: Line[] = [];
  if (preview.lines.length === 0) return [[['dim', truncate(preview.note, width)]]];
  for (const line of preview.lines) for (const piece of wrapLine(line, width)) lines.push([['plain', piece]]);
  if (preview.note !== '') lines.push([], [['dim', truncate(`— ${preview.note} —`, width)]]);
  return lines;
});

const HELP_ORDER: readonly KeyContext[] = ['global', 'tree', 'hex', 'page', 'prompt', 'overlay'];
const KEY_COLUMNS = Math.max(...keymap.map(({ keys }) => displayWidth(keys.map(keyName).join(' '))));

/** The help, printed from the table of keys. */
export function helpLines(width: number): readonly Line[] {
  const lines: Line[] = [];
  for (const context of HELP_ORDER) {
    if (lines.length > 0) lines.push([]);
    lines.push([['title', contextTitles[context]]]);
    for (const binding of keymap.filter((each) => each.context === context)) {
      const keys = binding.keys.map(keyName).join(' ');
      for (const [index, piece] of wrapWords(binding.help, Math.max(10, width - KEY_COLUMNS - 2)).entries())
        lines.push([
          ['key', padTo(index === 0 ? keys : '', KEY_COLUMNS)],
          ['plain', `  ${piece}`],
        ]);
    }
  }
  lines.push([], [['title', 'Bytes are colored by class']]);
  const classes: readonly Span[] = [
    ['byteZero', '00 zero'],
    ['bytePrintable', '41 printable'],
    ['byteSpace', '20 space'],
    ['byteControl', '07 control'],
    ['byteHigh', 'ff above ASCII'],
    ['byteBad', '!! unreadable'],
  ];
  lines.push(classes.flatMap((span, index): Span[] => (index === 0 ? [span] : [['plain', '  '], span])));
  lines.push([
    ['sectorAddress', '▸00000200'],
    ['plain', ' a sector begins here'],
  ]);
  return lines;
}

/** What was odd in the image, in the order it was met. */
export function diagnosticLines(diagnostics: readonly Diagnostic[], width: number): readonly Line[] {
  if (diagnostics.length === 0)
    return [[['plain', 'Nothing odd was met so far. Filesystems are looked at when they are opened.']]];
  const lines: Line[] = [];
  for (const { layer, structure, offset, message, view } of diagnostics) {
    const place = [view, layer, structure, offset === undefined ? undefined : `at ${formatOffset(offset)}`];
    const head = place.filter((part) => part !== undefined).join(' ');
    lines.push([['warning', truncate(errorText(head), width)]]);
    for (const piece of wrapWords(errorText(message), Math.max(10, width - 2))) lines.push([['plain', `  ${piece}`]]);
  }
  return lines;
}
