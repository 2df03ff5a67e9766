import type { Command } from 'commander';
import {
  escapeText,
  type FileSystem,
  formatLocator,
  formatMode,
  formatTimestamp,
  type WalkedEntry,
} from '../../core/index.ts';
import { addImageCommand, type Host, targetOf } from '../image-command.ts';
import {
  entriesJson,
  type Listing,
  linkTarget,
  listAll,
  markedName,
  nodeOfEntry,
  noteUnreadable,
  startsOf,
} from '../listing.ts';
import type { ImageOptions, Session } from '../session.ts';

interface LsOptions extends ImageOptions {
  readonly long?: boolean;
  readonly recursive?: boolean;
  readonly deleted?: boolean;
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
      const target = await targetOf(image, locator, session, { deleted: options.deleted });
      const starts = await startsOf(target, session);
      const isSeveral = starts.length > 1 || options.recursive === true;
      const listed = listAll(starts, options, session);
      if (options.json === true) await session.output.jsonArray(entriesJson(listed, session));
      else for await (const listing of listed) await printListing(listing, isSeveral, options, session);
    },
  });
}

async function printListing(listing: Listing, isSeveral: boolean, options: LsOptions, session: Session): Promise<void> {
  const { volume, filesystem, entries } = listing;
  const { output } = session;
  for (const { path, entry } of entries) {
    const name = isSeveral ? formatLocator(volume.name, path) : escapeText(entry.name);
    const marked = markedName(name, entry);
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
    const node = await nodeOfEntry(filesystem, { path, entry }, session);
    if (node === undefined) return `${UNKNOWN_FACTS}  ${name}, its inode ${entry.nodeId} is in use again`;
    const { major, minor } = ('device' in node ? node.device : undefined) ?? {};
    const size = major === undefined ? String(node.size) : `${major}, ${minor}`;
    const target = await linkTarget(node, session);
    const arrow = target === undefined ? '' : ` -> ${escapeText(target)}`;
    const modified = node.times.modified === undefined ? '-' : formatTimestamp(node.times.modified);
    return [
      formatMode(node.kind, node.mode),
      String(node.linkCount ?? 1).padStart(WIDTHS.links),
      String(node.uid ?? '-').padStart(WIDTHS.id),
      String(node.gid ?? '-').padStart(WIDTHS.id),
      size.padStart(WIDTHS.size),
      modified,
      name + arrow,
    ].join(' ');
  } catch (error) {
    noteUnreadable(escapeText(path), entry, error, session);
    return `${UNKNOWN_FACTS}  ${name}`;
  }
}
