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
        .option('--deleted', 'also deleted entries, as far as their directories have them still'),
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

/** In the place of facts that are not known. */
const UNKNOWN_FACTS = ['??????????', '-', '-', '-', '-', '-'] as const;
/** Of the columns before the name; the last is as wide as it is. */
const WIDTHS = [10, 3, 5, 5, 11, 0] as const;

async function longLine(
  { path, entry }: WalkedEntry,
  filesystem: FileSystem,
  name: string,
  session: Session,
): Promise<string> {
  try {
    const node = await nodeOfEntry(filesystem, { path, entry }, session);
    if (node === undefined) return longRow(UNKNOWN_FACTS, `${name}: inode ${entry.nodeId} is in use again`);
    const { major, minor } = ('device' in node ? node.device : undefined) ?? {};
    const size = major === undefined ? String(node.size) : `${major}, ${minor}`;
    const target = await linkTarget(node, session);
    const arrow = target === undefined ? '' : ` -> ${escapeText(target)}`;
    const modified = node.times.modified === undefined ? '-' : formatTimestamp(node.times.modified);
    const [links, uid, gid] = [node.linkCount ?? 1, node.uid ?? '-', node.gid ?? '-'].map(String) as [
      string,
      string,
      string,
    ];
    return longRow([formatMode(node.kind, node.mode), links, uid, gid, size, modified], name + arrow);
  } catch (error) {
    noteUnreadable(escapeText(path), entry, error, session);
    return longRow(UNKNOWN_FACTS, name);
  }
}

/** Mode, links, user, group, size, time of modification; the name last. */
function longRow(facts: readonly string[], name: string): string {
  return [...facts.map((fact, column) => fact.padStart(WIDTHS[column] ?? 0)), name].join(' ');
}
