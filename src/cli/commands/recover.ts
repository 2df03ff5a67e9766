import { type Command, Option } from 'commander';
import {
  CERTAINTIES,
  type Certainty,
  DiskError,
  escapeText,
  fileDevice,
  formatLocator,
  formatTimestamp,
  type Image,
  isAtLeast,
  type Locator,
  type LostRange,
  madeText,
  notFound,
  parseLocator,
  type RecoverableFile,
  RecoveryFolder,
  unsupported,
} from '../../core/index.ts';
import { nodeJson } from '../describe.ts';
import { UsageError } from '../exit-codes.ts';
import { addImageCommand, type Host } from '../image-command.ts';
import { filesystemsOf, type Mounted, volumeName } from '../mounted.ts';
import { errorJson, errorLine, longTable } from '../output.ts';
import { addPartialOption, lostJson, type PartialOption, tellLost, writeReadable } from '../partial-option.ts';
import type { ImageOptions, Session } from '../session.ts';
import { writeBytes } from '../target-bytes.ts';

interface RecoverOptions extends ImageOptions, PartialOption {
  readonly key?: string;
  readonly certainty: Certainty;
  readonly owner?: boolean;
}

/** A file that may be recovered, and where. */
interface Found {
  readonly mounted: Mounted;
  readonly file: RecoverableFile;
}

/** What the command is asked to look at. */
interface Search {
  readonly mounted: readonly Mounted[];
  /** The path that a file must be at, or below; `/` is all, those without a path too. */
  readonly base: string;
}

export function registerRecover(host: Host): void {
  addImageCommand<RecoverOptions>(host, {
    usage: 'recover <image> [locator] [dest]',
    description:
      'deleted files and earlier versions: without DEST a list of them; with DEST they are written into that new or empty folder, to - one of them to standard output',
    examples: [
      'sectorscope recover disk.qcow2 p2',
      'sectorscope recover disk.qcow2 p2:/home/ada ./found',
      "sectorscope recover disk.qcow2 '' ./found     # of all filesystems of the disk",
      'sectorscope recover disk.qcow2 p2:/home/ada/letter.txt - > letter.txt',
      'sectorscope recover --certainty damaged --json disk.qcow2 p2',
    ],
    options: (command: Command) =>
      addPartialOption(command)
        .option('--key <key>', 'only the file of that key, as the list has it')
        .addOption(
          new Option('--certainty <least>', 'the least certainty wanted').choices(CERTAINTIES).default('likely'),
        )
        .option('--owner', 'with DEST: the user and the group by their numbers too (as root)'),
    action: async (image, [locator, destination], options, session) => {
      if (options.owner === true && (destination === undefined || destination === '-'))
        throw new UsageError('--owner is for files that are written into a folder DEST');
      const search = await searchOf(image, [locator, destination], session);
      if (destination === '-') await printOne(search, options, session);
      else if (destination !== undefined) await writeAll(search, destination, options, session);
      else if (options.json === true) await session.output.jsonArray(filesJson(search, options, session));
      else await list(search, options, session);
    },
  });
}

/** What the locator leads to: its path may be of a file that is no more. */
async function searchOf(
  image: Image,
  [locator, destination]: readonly (string | undefined)[],
  session: Session,
): Promise<Search> {
  const place = placeOf(locator, destination);
  const isPath = place.kind === 'path';
  const target = await image.resolve(isPath ? { ...place, path: '/' } : place, { signal: session.signal });
  const base = isPath ? place.path.replace(/\/+$/, '') : '';
  return { mounted: await filesystemsOf(target, session), base: base === '' ? '/' : base };
}

/** Of two optional arguments one is the first: a folder alone is likely meant for DEST. */
function placeOf(locator: string | undefined, destination: string | undefined): Locator {
  try {
    return parseLocator(locator);
  } catch (error) {
    if (!(error instanceof DiskError) || destination !== undefined) throw error;
    const expected = "a LOCATOR such as p2, before DEST, or '' for the whole disk";
    throw notFound({ layer: 'recover', expected, found: locator, cause: error });
  }
}

/** What is wanted, as it is found; those that are not sure enough are counted, and said at the end. */
async function* search(
  { mounted, base }: Search,
  options: RecoverOptions,
  session: Session,
): AsyncGenerator<Found, void> {
  const left = new Map<Certainty, number>();
  let isAny = false;
  for (const one of mounted) {
    const progress = session.progress(`Searching ${volumeName(one.volume)}`);
    try {
      const found = one.filesystem.recoverable({ signal: session.signal, onProgress: progress.update });
      for await (const file of found) {
        if (!isBelow(file.path, base) || (options.key !== undefined && options.key !== file.key)) continue;
        if (isAtLeast(file.certainty, options.certainty)) {
          progress.end();
          isAny = true;
          yield { mounted: one, file };
        } else left.set(file.certainty, (left.get(file.certainty) ?? 0) + 1);
      }
    } finally {
      progress.end();
    }
  }
  if (!isAny && left.size === 0) nothingFound(base, options, session);
  if (left.size === 0) return;
  const counts = [...left].map(([certainty, count]) => `${count} ${certainty}`).join(', ');
  session.note(`left out: ${counts}; --certainty ${[...left.keys()].at(-1)} has them too`);
}

/** What was named must be there; in a whole filesystem there need be nothing. */
function nothingFound(base: string, { key }: RecoverOptions, session: Session): void {
  if (key !== undefined || base !== '/') {
    const expected = 'a deleted file, or an earlier version';
    throw notFound({ layer: 'recover', structure: key ?? base, expected, found: 'none' });
  }
  session.note('nothing deleted was found');
}

function isBelow(path: string | undefined, base: string): boolean {
  return base === '/' || path === base || path?.startsWith(`${base}/`) === true;
}

async function list(wanted: Search, options: RecoverOptions, session: Session): Promise<void> {
  for await (const lines of longTable(rows(wanted, options, session), ['left', 'right']))
    await session.output.printAll(lines);
}

async function* rows(wanted: Search, options: RecoverOptions, session: Session): AsyncGenerator<string[], void> {
  for await (const { mounted, file } of search(wanted, options, session)) {
    const { node, key, path, certainty, source, reason } = file;
    const name = path === undefined ? `${mounted.volume.name}:(no name)` : formatLocator(mounted.volume.name, path);
    const deleted = node.times.deleted === undefined ? '-' : formatTimestamp(node.times.deleted);
    const slash = node.kind === 'directory' ? '/' : '';
    yield [certainty, String(node.size), deleted, key, `${name}${slash}  (${source}: ${escapeText(reason)})`];
  }
}

function fileJson({ mounted, file }: Found): Record<string, unknown> {
  const { key, path, source, certainty, reason, node } = file;
  const { volume } = mounted;
  const locator = path === undefined ? null : formatLocator(volume.name, path);
  return { volume: volume.name, key, path: path ?? null, locator, source, certainty, reason, ...nodeJson(node) };
}

async function* filesJson(wanted: Search, options: RecoverOptions, session: Session): AsyncGenerator<unknown, void> {
  for await (const found of search(wanted, options, session)) yield fileJson(found);
}

/** The surest of what is wanted, and of equals the one that was deleted last, to standard output. */
async function printOne(wanted: Search, options: RecoverOptions, session: Session): Promise<void> {
  let best: Found | undefined;
  let count = 0;
  for await (const found of search(wanted, options, session)) {
    if (found.file.node.kind !== 'file') continue;
    count++;
    if (best === undefined || !isAtLeast(best.file.certainty, found.file.certainty)) best = found;
  }
  if (best === undefined) {
    const expected = `a deleted file, or an earlier version, that is ${options.certainty} or better`;
    throw notFound({ layer: 'recover', structure: options.key ?? wanted.base, expected, found: 'none' });
  }
  const { filesystem } = best.mounted;
  const { key, certainty, reason, node } = best.file;
  if (count > 1) session.note(`${key} of ${count} files: --key KEY takes another, and without DEST they are listed`);
  if (certainty !== 'intact') session.note(`${key}: ${certainty}: ${escapeText(reason)}`);
  if (node.kind !== 'file') throw unsupported({ layer: 'recover', expected: 'a file', found: node.kind });
  if (options.partial === true) await writeReadable(filesystem, node, best.file.path ?? key, session);
  else await writeBytes(fileDevice(filesystem, node), session);
}

async function writeAll(wanted: Search, destination: string, options: RecoverOptions, session: Session): Promise<void> {
  const folder = await RecoveryFolder.create(destination, { owner: options.owner });
  const written = recovered(folder, wanted, options, session);
  try {
    if (options.json === true) await session.output.jsonArray(written);
    else
      for await (const { certainty, host } of written) await session.output.print(`${certainty}  ${escapeText(host)}`);
  } catch (error) {
    if (session.signal.aborted) {
      await folder.finish();
      session.note(
        `${madeText(folder.report)} recovered to ${escapeText(destination)} by then stay; none is half-written`,
      );
    }
    throw error;
  }
  await folder.finish();
  session.note(`${madeText(folder.report)} recovered`);
}

/** Writes what is found; what cannot be written, or not whole, is said. */
async function* recovered(
  folder: RecoveryFolder,
  wanted: Search,
  options: RecoverOptions,
  session: Session,
): AsyncGenerator<{ readonly certainty: Certainty; readonly host: string; readonly [fact: string]: unknown }, void> {
  const isSeveral = wanted.mounted.length > 1;
  for await (const found of search(wanted, options, session)) {
    const { file, mounted } = found;
    const { certainty, key, path, reason } = file;
    const name = path === undefined ? key : `${formatLocator(mounted.volume.name, path)} (${key})`;
    const prefix = isSeveral && mounted.volume.name !== '' ? [mounted.volume.name.replaceAll('/', '-')] : [];
    try {
      let lost: readonly LostRange[] = [];
      const onLost = (ranges: readonly LostRange[]): void => {
        lost = ranges;
      };
      const copying = { signal: session.signal, onLost: options.partial === true ? onLost : undefined };
      const host = await folder.write(mounted.filesystem, file, prefix, copying);
      tellLost(name, lost, session);
      if (!isAtLeast(certainty, 'likely')) session.leaveOut(`${name} is ${certainty}: ${escapeText(reason)}`);
      yield { ...fileJson(found), certainty, host, lost: lostJson(lost) };
    } catch (error) {
      session.signal.throwIfAborted();
      session.leaveOut(`left out ${name}: ${errorLine(error)}`);
      if (options.json === true) yield { ...fileJson(found), certainty, host: '', error: errorJson(error) };
    }
  }
}
