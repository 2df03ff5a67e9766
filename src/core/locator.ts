import { escapeText, unescapeText } from './bytes/text.ts';
import { notFound } from './errors.ts';

/** Another disk that the files of an image hold beside the one it presents. */
export type View =
  /** The state that an internal snapshot keeps; its name, or its ID. */
  | { readonly kind: 'snapshot'; readonly snapshot: string }
  /** A layer of the backing chain: 1 is the first below the image, 0 the image itself. */
  | { readonly kind: 'layer'; readonly layer: number }
  /** The disk as the file stands, without the updates that its log still has for it. */
  | { readonly kind: 'log'; readonly log: 'ignore' };

/** What a locator says without its view. */
export type Place =
  | { readonly kind: 'disk' }
  | { readonly kind: 'partition'; readonly partition: number }
  /** `partition`: its number, `bare` for the disk itself, `only` for the single filesystem. */
  | { readonly kind: 'path'; readonly partition: number | 'bare' | 'only'; readonly path: string };

/**
 * A place inside an image, as people write it:
 * nothing (the whole disk), `p2` (a partition's bytes), `p2:/etc/passwd`, `p2:` (its root),
 * `:/a.txt` (a filesystem on the bare disk), `/a.txt` (in the only filesystem there is).
 * Before it, and a slash, may stand a view: `snapshot=before/p2:/etc/passwd`, `layer=1/p2`, `log=ignore`.
 */
export type Locator = Place & { readonly view?: View };

/** A view, then the end or a slash. A slash in a snapshot's name is written `\x2f`. */
const VIEW = /^(snapshot|layer|log)=([^/]*)(?:\/(.*))?$/s;
/** More digits than any chain has layers. */
const MAX_LAYER_DIGITS = 4;

/** Escapes as `escapeText` prints them (`\xHH`, `\u{H}`, `\\`) are understood, so what a listing prints can be pasted back. */
export function parseLocator(text: string | undefined): Locator {
  if (text === undefined) return { kind: 'disk' };
  const found = VIEW.exec(text);
  if (found === null) return parsePlace(text, text);
  const [, word, value, rest] = found as unknown as readonly [string, View['kind'], string, string | undefined];
  return { ...parsePlace(rest ?? '', text), view: parseView(word, value, text) };
}

function parseView(word: View['kind'], value: string, text: string): View {
  switch (word) {
    case 'snapshot':
      if (value !== '') return { kind: 'snapshot', snapshot: unescapeText(value) };
      throw wrong(text, 'the name or the ID of a snapshot after "snapshot="');
    case 'layer':
      if (/^\d+$/.test(value) && value.length <= MAX_LAYER_DIGITS) return { kind: 'layer', layer: Number(value) };
      throw wrong(text, 'the number of a layer after "layer="');
    case 'log':
      if (value === 'ignore') return { kind: 'log', log: 'ignore' };
      throw wrong(text, '"log=ignore"');
  }
}

function parsePlace(text: string, whole: string): Place {
  if (text === '') return { kind: 'disk' };
  const partition = /^p(\d{1,9})(?::(.*))?$/s.exec(text);
  if (partition !== null) {
    const number = Number(partition[1]);
    if (partition[2] === undefined) return { kind: 'partition', partition: number };
    return { kind: 'path', partition: number, path: absolute(partition[2]) };
  }
  if (text.startsWith(':')) return { kind: 'path', partition: 'bare', path: absolute(text.slice(1)) };
  if (text.startsWith('/')) return { kind: 'path', partition: 'only', path: absolute(text) };
  throw wrong(whole, 'a place such as p2, p2:/etc/passwd, :/a.txt or /a.txt');
}

function wrong(text: string, expected: string): Error {
  return notFound({ layer: 'locator', expected, found: text });
}

function absolute(path: string): string {
  const plain = unescapeText(path);
  return plain.startsWith('/') ? plain : `/${plain}`;
}

/** The place of a path on a volume (its name; empty for the bare disk) as a locator that can be pasted back. */
export function formatLocator(volumeName: string, path: string): string {
  return `${volumeName}:${escapeText(path)}`;
}

/** A view as it stands in a locator: `snapshot=before`, `layer=1`, `log=ignore`. */
export function formatView(view: View): string {
  switch (view.kind) {
    case 'snapshot':
      return `snapshot=${escapeName(view.snapshot)}`;
    case 'layer':
      return `layer=${view.layer}`;
    case 'log':
      return `log=${view.log}`;
  }
}

/** A place (`p2`; empty is the disk) in a view, or in the image itself: `snapshot=before/p2`, `snapshot=before/`, `p2`. */
export function formatPlace(view: View | undefined, place: string): string {
  return view === undefined ? place : `${formatView(view)}/${place}`;
}

/** Blanks at the ends are escaped too: a prompt would take them off. */
function escapeName(name: string): string {
  return escapeText(name).replaceAll('/', '\\x2f').replace(/^ | $/g, '\\x20');
}
