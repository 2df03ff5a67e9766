import type { Command } from 'commander';
import {
  type DirectoryEntry,
  escapeText,
  type FileNode,
  type FileSystem,
  formatLocator,
  formatMode,
  formatTimestamp,
  type Image,
  notFound,
  type Target,
  unsupported,
  type Volume,
  type WalkedEntry,
  walkBatches,
} from '../../core/index.ts';
import { nodeJson } from '../describe.ts';
import { addImageCommand, type Host, targetOf } from '../image-command.ts';
import { errorJson, errorLine } from '../output.ts';
import type { ImageOptions, Session } from '../session.ts';

interface LsOptions extends ImageOptions {
  readonly long?: boolean;
  readonly recursive?: boolean;
  readonly deleted?: boolean;
}

/** A place to list: a node of a filesystem with its path. */
interface Start {
  readonly volume: Volume;
  readonly filesystem: FileSystem;
  readonly node: FileNode;
  readonly path: string;
}

/** Entries of one directory; their paths are absolute in the filesystem. */
interface Listing {
  readonly volume: Volume;
  readonly filesystem: FileSystem;
  readonly entries: readonly WalkedEntry[];
}

export function registerLs(host: Host): void {
  addImageCommand<LsOptions>(host, {
    usage: 'ls <image> [locator]',
    description: 'the entries of a directory; without a LOCATOR, of every root',
    examples: ['sectorscope ls disk.qcow2 p2:/etc -l', "sectorscope ls -R --json disk.qcow2 | jq -r '.[].locator'"],
    options: (command: Command) =>
      command
        .option('-l, --long', 'mode, links, owner, size, time of modification, link target')
        .option('-R, --recursive', 'everything below, with paths')
        .option('--deleted', 'deleted entries that are still there too'),
    action: async (image, [locator], options, session) => {
      const target = await targetOf(image, locator, session);
      const starts = target.kind === 'disk' ? await roots(target.image, session) : [nodeTarget(target)];
      const isSeveral = starts.length > 1 || options.recursive === true;
      const listed = listAll(starts, options, session);
      if (options.json === true) await session.output.jsonArray(entriesJson(listed, session));
      else for await (const listing of listed) await printListing(listing, isSeveral, options, session);
    },
  });
}

/** The roots of all filesystems; those that cannot be read are said on standard error. */
async function roots(image: Image, session: Session): Promise<Start[]> {
  const starts: Start[] = [];
  let failures = 0;
  for (const volume of image.volumes) {
    try {
      const filesystem = await volume.filesystem();
      if (filesystem !== undefined)
        starts.push({ volume, filesystem, node: await filesystem.node(filesystem.rootId, session), path: '/' });
    } catch (error) {
      failures++;
      session.leaveOut(`${volume.name || 'disk'}: ${errorLine(error)}`);
    }
  }
  if (image.partitionError !== undefined) session.leaveOut(errorLine(image.partitionError));
  else if (starts.length === 0 && failures === 0) {
    // An empty listing would say that there is a filesystem, and nothing in it.
    const found = 'none that is read; "info" says what there is';
    throw notFound({ layer: 'filesystem', structure: 'disk', offset: 0, expected: 'a filesystem', found });
  }
  return starts;
}

function nodeTarget(target: Exclude<Target, { kind: 'disk' }>): Start {
  if (target.kind === 'node') return target;
  const found = `the bytes of ${target.volume.name}`;
  throw unsupported({ layer: 'ls', expected: 'a path, such as p1:/', found });
}

async function* listAll(starts: readonly Start[], options: LsOptions, session: Session): AsyncGenerator<Listing, void> {
  for (const { volume, filesystem, node, path } of starts) {
    const base = path === '/' ? '' : path;
    const reading = { signal: session.signal, deleted: options.deleted === true };
    if (node.kind !== 'directory') {
      const name = base.slice(base.lastIndexOf('/') + 1);
      const entry = { name, nodeId: node.id, kind: node.kind, deleted: node.deleted };
      yield { volume, filesystem, entries: [{ path, entry }] };
    } else if (options.recursive === true) {
      const onError = (error: unknown, where: string): void =>
        session.leaveOut(`${formatLocator(volume.name, base + where)}: ${errorLine(error)}`);
      for await (const batch of walkBatches(filesystem, node.id, { ...reading, onError })) {
        const entries = base === '' ? batch : batch.map((walked) => ({ ...walked, path: base + walked.path }));
        yield { volume, filesystem, entries };
      }
    } else {
      for await (const batch of node.entryBatches(reading)) {
        yield { volume, filesystem, entries: batch.map((entry) => ({ path: `${base}/${entry.name}`, entry })) };
      }
    }
  }
}

async function printListing(listing: Listing, isSeveral: boolean, options: LsOptions, session: Session): Promise<void> {
  const { volume, filesystem, entries } = listing;
  const { output } = session;
  for (const { path, entry } of entries) {
    const name = isSeveral ? formatLocator(volume.name, path) : escapeText(entry.name);
    const marked = `${name}${entry.kind === 'directory' ? '/' : ''}${entry.deleted ? '  (deleted)' : ''}`;
    const line = options.long === true ? await longLine({ path, entry }, filesystem, marked, session) : marked;
    // Awaiting each line would cost more than making it.
    const printed = output.print(line);
    if (printed !== undefined) await printed;
  }
}

const UNKNOWN_FACTS = '??????????';
const WIDTHS = { links: 3, id: 5, size: 11 } as const;

async function longLine(
  { path, entry }: WalkedEntry,
  filesystem: FileSystem,
  name: string,
  session: Session,
): Promise<string> {
  try {
    const node = await filesystem.node(entry.nodeId, session);
    // The inode of a deleted entry may be another file's by now: its facts would be lies.
    if (entry.deleted && !node.deleted) return `${UNKNOWN_FACTS}  ${name}, its inode ${entry.nodeId} is in use again`;
    const { major, minor } = ('device' in node ? node.device : undefined) ?? {};
    const size = major === undefined ? String(node.size) : `${major}, ${minor}`;
    const target = node.kind === 'symlink' ? ` -> ${escapeText(await node.target(session))}` : '';
    const modified = node.times.modified === undefined ? '-' : formatTimestamp(node.times.modified);
    return [
      formatMode(node.kind, node.mode),
      String(node.linkCount ?? 1).padStart(WIDTHS.links),
      String(node.uid ?? '-').padStart(WIDTHS.id),
      String(node.gid ?? '-').padStart(WIDTHS.id),
      size.padStart(WIDTHS.size),
      modified,
      name + target,
    ].join(' ');
  } catch (error) {
    noteUnreadable(path, entry, error, session);
    return `${UNKNOWN_FACTS}  ${name}`;
  }
}

/** A live entry whose node cannot be read is left out; of a deleted one nothing else was to be expected. */
function noteUnreadable(path: string, entry: DirectoryEntry, error: unknown, session: Session): void {
  session.signal.throwIfAborted();
  if (!entry.deleted) session.leaveOut(`${escapeText(path)}: ${errorLine(error)}`);
}

/** The entries with their nodes' facts; `-l` is not needed to have them in JSON. */
async function* entriesJson(listings: AsyncIterable<Listing>, session: Session): AsyncGenerator<unknown, void> {
  for await (const { volume, filesystem, entries } of listings) {
    for (const { path, entry } of entries) {
      const { name, kind, deleted, shortName, nodeId } = entry;
      const head = { locator: formatLocator(volume.name, path), path, name, shortName, kind, deleted };
      try {
        const node = await filesystem.node(nodeId, session);
        const isReused = deleted && !node.deleted;
        const target = node.kind === 'symlink' && !isReused ? await node.target(session) : undefined;
        yield isReused ? { ...head, id: nodeId, reused: true } : { ...head, ...nodeJson(node, target), deleted };
      } catch (error) {
        noteUnreadable(path, entry, error, session);
        yield { ...head, id: nodeId, error: errorJson(error) };
      }
    }
  }
}
