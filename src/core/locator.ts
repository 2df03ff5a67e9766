import { escapeText, unescapeText } from './bytes/text.ts';
import { notFound } from './errors.ts';

/**
 * A place inside an image, as people write it:
 * nothing (the whole disk), `p2` (a partition's bytes), `p2:/etc/passwd`, `p2:` (its root),
 * `:/a.txt` (a filesystem on the bare disk), `/a.txt` (in the only filesystem there is).
 */
export type Locator =
  | { readonly kind: 'disk' }
  | { readonly kind: 'partition'; readonly partition: number }
  /** `partition`: its number, `bare` for the disk itself, `only` for the single filesystem. */
  | { readonly kind: 'path'; readonly partition: number | 'bare' | 'only'; readonly path: string };

/** Escapes as `escapeText` prints them (`\xHH`, `\u{H}`, `\\`) are understood, so what a listing prints can be pasted back. */
export function parseLocator(text: string | undefined): Locator {
  if (text === undefined || text === '') return { kind: 'disk' };
  const partition = /^p(\d{1,9})(?::(.*))?$/s.exec(text);
  if (partition !== null) {
    const number = Number(partition[1]);
    if (partition[2] === undefined) return { kind: 'partition', partition: number };
    return { kind: 'path', partition: number, path: absolute(partition[2]) };
  }
  if (text.startsWith(':')) return { kind: 'path', partition: 'bare', path: absolute(text.slice(1)) };
  if (text.startsWith('/')) return { kind: 'path', partition: 'only', path: absolute(text) };
  throw notFound({
    layer: 'locator',
    expected: 'a place such as p2, p2:/etc/passwd, :/a.txt or /a.txt',
    found: text,
  });
}

function absolute(path: string): string {
  const plain = unescapeText(path);
  return plain.startsWith('/') ? plain : `/${plain}`;
}

/** The place of a path on a volume (`p2`, or empty for the bare disk) as a locator that can be pasted back. */
export function formatLocator(volumeName: string, path: string): string {
  return `${volumeName}:${escapeText(path)}`;
}
