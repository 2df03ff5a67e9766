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
  kindLetter,
  type Target,
  unsupported,
  type Volume,
  walk,
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

interface ListedEntry {
  /** Absolute in its filesystem. */
  readonly path: string;
  readonly entry: DirectoryEntry;
  readonly volume: Volume;
  readonly filesystem: FileSystem;
}

export function registerLs(host: Host): void {
  addImageCommand<LsOptions>(host, {
    usage: 'ls <image> [locator]',
    description: 'the entries of a directory; without a LOCATOR, of every root',
    examples: ['sectorscope ls disk.qcow2 p2:/etc -l', 'sectorscope ls -R --json disk.qcow2 | jq -r .[].locator'],
    options: (command: Command) =>
      command
        .option('-l, --long', 'mode, links, owner, size, time of modification, link target')
        .option('-R, --recursive', 'everything below, with paths')
        .option('--deleted', 'deleted entries that are still there too'),
    action: async (image, [locator], options, session) => {
      const starts =
        locator === undefined ? await roots(image, session) : [nodeTarget(await targetOf(image, locator, session))];
      const isSeveral = starts.length > 1 || options.recursive === true;
      const listed = listAll(starts, options, session);
      if (options.json === true) await session.output.jsonArray(entriesJson(listed, session));
      else for await (const item of listed) await printEntry(item, isSeveral, options, session);
    },
  });
}

/** The roots of all filesystems; those that cannot be read are said on standard error. */
async function roots(image: Image, session: Session): Promise<Start[]> {
  const starts: Start[] = [];
  for (const volume of image.volumes) {
    try {
      const filesystem = await volume.filesystem();
      if (filesystem !== undefined)
        starts.push({ volume, filesystem, node: await filesystem.node(filesystem.rootId, session), path: '/' });
    } catch (error) {
      session.leaveOut(`${volume.name === '' ? 'disk' : volume.name}: ${errorLine(error)}`);
    }
  }
  if (image.partitionError !== undefined) session.leaveOut(errorLine(image.partitionError));
  return starts;
}

function nodeTarget(target: Target): Start {
  if (target.kind === 'node') return target;
  throw unsupported({
    layer: 'ls',
    expected: 'a path, such as p1:/',
    found: target.kind === 'disk' ? 'the disk' : `the bytes of p${target.partition.number}`,
  });
}

async function* listAll(
  starts: readonly Start[],
  options: LsOptions,
  session: Session,
): AsyncGenerator<ListedEntry, void> {
  for (const { volume, filesystem, node, path } of starts) {
    const base = path === '/' ? '' : path;
    if (node.kind !== 'directory') {
      const entry = {
        name: base.slice(base.lastIndexOf('/') + 1),
        nodeId: node.id,
        kind: node.kind,
        deleted: node.deleted,
      };
      yield { path, entry, volume, filesystem };
      continue;
    }
    const listing = { signal: session.signal, deleted: options.deleted === true };
    if (options.recursive !== true) {
      for await (const entry of node.entries(listing))
        yield { path: `${base}/${entry.name}`, entry, volume, filesystem };
      continue;
    }
    const onError = (error: unknown, where: string): void =>
      session.leaveOut(`${formatLocator(volume.name, base + where)}: ${errorLine(error)}`);
    for await (const { path: below, entry } of walk(filesystem, node.id, { ...listing, onError })) {
      yield { path: base + below, entry, volume, filesystem };
    }
  }
}

async function printEntry(item: ListedEntry, isSeveral: boolean, options: LsOptions, session: Session): Promise<void> {
  const { entry, volume, path } = item;
  const name = isSeveral ? formatLocator(volume.name, path) : escapeText(entry.name);
  const marked = `${name}${entry.kind === 'directory' ? '/' : ''}${entry.deleted ? '  (deleted)' : ''}`;
  await session.output.print(options.long === true ? await longLine(item, marked, session) : marked);
}

const WIDTHS = { links: 3, id: 5, size: 11 } as const;

async function longLine({ entry, filesystem, path }: ListedEntry, name: string, session: Session): Promise<string> {
  try {
    const node = await filesystem.node(entry.nodeId, session);
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
    session.signal.throwIfAborted();
    session.leaveOut(`${escapeText(path)}: ${errorLine(error)}`);
    return `${kindLetter(entry.kind)}?????????  ${name}`;
  }
}

/** The entry with its node's facts; `-l` is not needed to have them in JSON. */
async function* entriesJson(listed: AsyncIterable<ListedEntry>, session: Session): AsyncGenerator<unknown, void> {
  for await (const { path, entry, volume, filesystem } of listed) {
    const { name, kind, deleted, shortName, nodeId } = entry;
    const head = { locator: formatLocator(volume.name, path), path, name, shortName, kind, deleted };
    try {
      const node = await filesystem.node(nodeId, session);
      const target = node.kind === 'symlink' ? await node.target(session) : undefined;
      yield { ...head, ...nodeJson(node, target), deleted };
    } catch (error) {
      session.signal.throwIfAborted();
      session.leaveOut(`${escapeText(path)}: ${errorLine(error)}`);
      yield { ...head, id: nodeId, error: errorJson(error) };
    }
  }
}
