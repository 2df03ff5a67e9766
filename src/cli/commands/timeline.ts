import type { Command } from 'commander';
import {
  escapeText,
  type FileNode,
  formatLocator,
  formatMode,
  kindLetter,
  type NodeKind,
  type Timestamp,
} from '../../core/index.ts';
import { addImageCommand, type Host, targetOf } from '../image-command.ts';
import { entryFacts, type Listing, linkTarget, listAll, nodeOfEntry, noteUnreadable, startsOf } from '../listing.ts';
import type { ImageOptions, Session } from '../session.ts';

interface TimelineOptions extends ImageOptions {
  readonly deleted?: boolean;
}

export function registerTimeline(host: Host): void {
  addImageCommand<TimelineOptions>(host, {
    usage: 'timeline <image> [locator]',
    description: 'every file with all its times, as a body file for mactime; with --json a line of JSON each',
    examples: [
      'sectorscope timeline disk.qcow2 > body && mactime -b body -d > timeline.csv',
      'sectorscope timeline --deleted --json disk.qcow2 p2:/home',
    ],
    options: (command: Command) =>
      command.option('--deleted', 'also deleted entries, as far as their directories have them still'),
    action: async (image, [locator], options, session) => {
      const starts = await startsOf(await targetOf(image, locator, session, { deleted: options.deleted }), session);
      const toLine = options.json === true ? jsonLine : bodyLine;
      for await (const listing of listAll(starts, { ...options, recursive: true }, session)) {
        for (const walked of listing.entries) {
          const printed = session.output.print(await toLine(listing, walked, session));
          if (printed !== undefined) await printed;
        }
      }
    },
  });
}

type Walked = Listing['entries'][number];

/**
 * A line of the body file of The Sleuth Kit 3 (its wiki, "Body file"): MD5, name, inode, mode, owners, size, and the times of
 * access, modification, change and creation in seconds. A bar in a name is escaped: TSK's own would split the line.
 */
async function bodyLine(listing: Listing, walked: Walked, session: Session): Promise<string> {
  const { path, entry } = walked;
  const name = formatLocator(listing.volume.name, path).replaceAll('|', '\\x7c');
  try {
    const node = await nodeOfEntry(listing.filesystem, walked, session);
    if (node === undefined) return bodyFields(`${name} (deleted-realloc)`, entry.nodeId, '-/----------', undefined);
    const link = await linkTarget(node, session);
    const target = link === undefined ? '' : ` -> ${escapeText(link).replaceAll('|', '\\x7c')}`;
    const kind = entry.kind === 'unknown' ? node.kind : entry.kind;
    return bodyFields(`${name}${target}${entry.deleted ? ' (deleted)' : ''}`, node.id, modeOf(kind, node), node);
  } catch (error) {
    noteUnreadable(escapeText(path), entry, error, session);
    return bodyFields(`${name}${entry.deleted ? ' (deleted)' : ''}`, entry.nodeId, '-/----------', undefined);
  }
}

function bodyFields(name: string, id: number, mode: string, node: FileNode | undefined): string {
  const { uid = 0, gid = 0, size = 0, times: { accessed, modified, changed, created } = {} } = node ?? {};
  const times = `${secondsOf(accessed)}|${secondsOf(modified)}|${secondsOf(changed)}|${secondsOf(created)}`;
  return `0|${name}|${id}|${mode}|${uid}|${gid}|${size}|${times}`;
}

function secondsOf(time: Timestamp | undefined): number {
  return time?.seconds ?? 0;
}

/** What stands for a mode on FAT, whose only say is that a file cannot be written. */
const ALL_BITS = 0o777;
const READ_ONLY_BITS = 0o555;

/** The kind in the directory, a slash, the kind in the inode and the permissions: `r/rrw-r--r--`. */
function modeOf(kind: NodeKind, node: FileNode): string {
  const mode = node.mode ?? (node.flags.includes('read-only') ? READ_ONLY_BITS : ALL_BITS);
  return `${letterOf(kind)}/${letterOf(node.kind)}${formatMode(node.kind, mode).slice(1)}`;
}

/** A regular file is `r` there. */
function letterOf(kind: NodeKind): string {
  return kind === 'file' ? 'r' : kindLetter(kind);
}

async function jsonLine({ volume, filesystem }: Listing, walked: Walked, session: Session): Promise<string> {
  const { path, entry } = walked;
  const head = { locator: formatLocator(volume.name, path), path, deleted: entry.deleted };
  return JSON.stringify({ ...head, ...(await entryFacts(filesystem, walked, session)) });
}
