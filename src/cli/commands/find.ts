import { type Command, InvalidArgumentError } from 'commander';
import { escapeText, type FileNode, formatLocator, type NodeKind } from '../../core/index.ts';
import { namePattern } from '../file-pattern.ts';
import { addImageCommand, asSize, collect, type Host, targetOf } from '../image-command.ts';
import { entriesJson, type Listing, listAll, markedName, nodeOfEntry, noteUnreadable, startsOf } from '../listing.ts';
import type { ImageOptions, Session } from '../session.ts';

interface FindOptions extends ImageOptions {
  readonly name?: readonly string[];
  readonly ignoreCase?: boolean;
  readonly type?: readonly NodeKind[];
  readonly size?: Range;
  readonly mtime?: Range;
  readonly deleted?: boolean;
}

/** From `from` to before `before`; an end that is not given is none. */
interface Range {
  readonly from: number;
  readonly before: number;
}

/** As find(1) has them. */
const TYPES: Readonly<Record<string, NodeKind>> = {
  f: 'file',
  d: 'directory',
  l: 'symlink',
  c: 'character device',
  b: 'block device',
  p: 'fifo',
  s: 'socket',
};
const DAY_SECONDS = 86_400;

export function registerFind(host: Host): void {
  addImageCommand<FindOptions>(host, {
    usage: 'find <image> [locator]',
    description: 'the files below a place for which all of the options hold',
    examples: [
      "sectorscope find disk.qcow2 --name '*.log' --size +1MiB",
      'sectorscope find disk.qcow2 p2:/home --type f --mtime 2024-05-01..2024-05-31',
      "sectorscope find --deleted --json disk.qcow2 p1:/ --name '*.jpg' --ignore-case",
    ],
    options: (command: Command) =>
      command
        .option(
          '--name <pattern>',
          'names that match: *, ?, [a-z]; again for another pattern that will do',
          collectPatterns,
        )
        .option('-i, --ignore-case', 'names in capital letters or small')
        .option('--type <letters>', 'f file, d directory, l link, c b devices, p fifo, s socket', parseTypes)
        .option('--size <n>', 'of that many bytes: 4096, +1MiB (at least), -1k (less)', parseSizes)
        .option(
          '--mtime <days>',
          'modified then, in UTC: 2024-05-01, 2024-05-01..2024-05-31, 2024-05-01.., ..2023',
          parseDays,
        )
        .option('--deleted', 'also deleted entries, as far as their directories have them still'),
    action: async (image, [locator], options, session) => {
      const starts = await startsOf(await targetOf(image, locator, session, { deleted: options.deleted }), session);
      const found = matching(
        listAll(starts, { recursive: true, deleted: options.deleted === true }, session),
        options,
        session,
      );
      if (options.json === true) {
        await session.output.jsonArray(entriesJson(found, session));
        return;
      }
      for await (const { volume, entries } of found) {
        for (const { path, entry } of entries) {
          const printed = session.output.print(markedName(formatLocator(volume.name, path), entry));
          if (printed !== undefined) await printed;
        }
      }
    },
  });
}

/** The listings with what matches; the node of an entry is read only where its name and kind do. */
async function* matching(
  listings: AsyncIterable<Listing>,
  options: FindOptions,
  session: Session,
): AsyncGenerator<Listing, void> {
  const { type, size, mtime } = options;
  const names = options.name?.map((pattern) => compiled(pattern, options.ignoreCase === true));
  for await (const listing of listings) {
    const entries = [];
    for (const walked of listing.entries) {
      const { entry, path } = walked;
      if (names !== undefined && !names.some((name) => name.test(entry.name))) continue;
      const needsNode = size !== undefined || mtime !== undefined || entry.kind === 'unknown';
      if (!needsNode) {
        if (type === undefined || type.some((kind) => kind === entry.kind)) entries.push(walked);
        continue;
      }
      try {
        const node = await nodeOfEntry(listing.filesystem, walked, session);
        if (node !== undefined && isLike(node, options)) entries.push(walked);
      } catch (error) {
        noteUnreadable(escapeText(path), entry, error, session);
      }
    }
    if (entries.length > 0) yield { ...listing, entries };
  }
}

function isLike({ kind, size, times }: FileNode, options: FindOptions): boolean {
  if (options.type !== undefined && !options.type.includes(kind)) return false;
  if (options.size !== undefined && !isIn(options.size, size)) return false;
  return options.mtime === undefined || (times.modified !== undefined && isIn(options.mtime, times.modified.seconds));
}

function isIn({ from, before }: Range, value: number): boolean {
  return value >= from && value < before;
}

function collectPatterns(value: string, previous?: readonly string[]): string[] {
  compiled(value, false);
  return collect(value, previous);
}

function compiled(pattern: string, ignoreCase: boolean): RegExp {
  try {
    return namePattern(pattern, ignoreCase);
  } catch {
    throw new InvalidArgumentError('A set of letters in it has no meaning.');
  }
}

function parseTypes(text: string): NodeKind[] {
  return text.split(',').flatMap((word) =>
    [...word].map((letter) => {
      const kind = TYPES[letter];
      if (kind !== undefined) return kind;
      throw new InvalidArgumentError(`Expected letters of ${Object.keys(TYPES).join(' ')}.`);
    }),
  );
}

function parseSizes(text: string): Range {
  const sign = /^[+-]/.exec(text)?.[0];
  const bytes = asSize(sign === undefined ? text : text.slice(1));
  if (sign === '+') return { from: bytes, before: Number.POSITIVE_INFINITY };
  return sign === '-' ? { from: 0, before: bytes } : { from: bytes, before: bytes + 1 };
}

/** A day, or two with dots between them; a year and a month stand for all their days. */
function parseDays(text: string): Range {
  const [first = '', last = first] = text.split('..');
  const from = first === '' ? Number.NEGATIVE_INFINITY : startOf(first);
  const before = last === '' ? Number.POSITIVE_INFINITY : endOf(last);
  if (from < before) return { from, before };
  throw new InvalidArgumentError('Expected the earlier day first.');
}

const DAY = /^(\d{4})(?:-(\d{2}))?(?:-(\d{2}))?$/;

function startOf(text: string): number {
  const [, year, month = '01', day = '01'] = DAY.exec(text) ?? [];
  const milliseconds = Date.parse(`${year}-${month}-${day}T00:00:00Z`);
  // A day that its month has not, such as 2023-02-30, would be one of the next month.
  if (!Number.isNaN(milliseconds) && new Date(milliseconds).getUTCDate() === Number(day)) return milliseconds / 1000;
  throw new InvalidArgumentError('Expected days such as 2024-05-01, 2024-05 or 2024.');
}

function endOf(text: string): number {
  const start = new Date(startOf(text) * 1000);
  const [, , month, day] = DAY.exec(text)!;
  if (day !== undefined) return start.getTime() / 1000 + DAY_SECONDS;
  const next =
    month === undefined
      ? Date.UTC(start.getUTCFullYear() + 1, 0)
      : Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + 1);
  return next / 1000;
}
