import {
  type DirectoryEntry,
  escapeText,
  type FileNode,
  type FileSystem,
  formatLocator,
  type Image,
  type Target,
  type Volume,
  type WalkedEntry,
  walkBatches,
} from '../core/index.ts';
import { nodeJson } from './describe.ts';
import { ofEachFilesystem } from './mounted.ts';
import { errorJson, errorLine } from './output.ts';
import type { Session } from './session.ts';

/** A place to list: a node of a filesystem with its path. */
export interface Start {
  readonly volume: Volume;
  readonly filesystem: FileSystem;
  readonly node: FileNode;
  readonly path: string;
  /** All below it is deleted, as it is. */
  readonly deleted: boolean;
}

/** Entries of one directory; their paths are absolute in the filesystem. */
export interface Listing {
  readonly volume: Volume;
  readonly filesystem: FileSystem;
  readonly entries: readonly WalkedEntry[];
}

export interface ListAllOptions {
  readonly recursive?: boolean;
  /** Deleted entries that are still there are listed too. */
  readonly deleted?: boolean;
}

/** Where the listing of a target begins: at a node, at the root of a partition's filesystem, or of every one of a disk. */
export async function startsOf(target: Target, session: Session): Promise<readonly Start[]> {
  switch (target.kind) {
    case 'node':
      return [target];
    case 'disk':
      return roots(target.image, session);
    case 'partition': {
      const root = { kind: 'path', partition: target.partition.number, path: '/' } as const;
      return startsOf(await target.image.resolve(root, session), session);
    }
  }
}

/** The roots of all filesystems; those that cannot be read are said on standard error. */
function roots(image: Image, session: Session): Promise<Start[]> {
  return ofEachFilesystem(image, session, async ({ volume, filesystem }) => {
    const node = await filesystem.node(filesystem.rootId, session);
    return { volume, filesystem, node, path: '/', deleted: false };
  });
}

/** The entries of a directory, or of all below it; what cannot be read is said on standard error. */
export async function* listAll(
  starts: readonly Start[],
  options: ListAllOptions,
  session: Session,
): AsyncGenerator<Listing, void> {
  for (const { volume, filesystem, node, path, deleted: fromDeleted } of starts) {
    const base = path === '/' ? '' : path;
    const reading = { signal: session.signal, deleted: options.deleted === true };
    if (node.kind !== 'directory') {
      const name = base.slice(base.lastIndexOf('/') + 1);
      const entry = { name, nodeId: node.id, kind: node.kind, deleted: fromDeleted || node.deleted };
      yield { volume, filesystem, entries: [{ path, entry }] };
    } else if (options.recursive === true) {
      const onError = (error: unknown, where: string): void =>
        session.leaveOut(`${formatLocator(volume.name, base + where)}: ${errorLine(error)}`);
      for await (const batch of walkBatches(filesystem, node.id, { ...reading, fromDeleted, onError })) {
        const entries = base === '' ? batch : batch.map((walked) => ({ ...walked, path: base + walked.path }));
        yield { volume, filesystem, entries };
      }
    } else {
      for await (const batch of node.entryBatches(reading)) {
        const entries = batch.map((entry) => ({
          path: `${base}/${entry.name}`,
          entry: fromDeleted ? { ...entry, deleted: true } : entry,
        }));
        yield { volume, filesystem, entries };
      }
    }
  }
}

/** A name in a listing: a directory's with a slash, a deleted one with a word. */
export function markedName(name: string, { kind, deleted, encrypted }: DirectoryEntry): string {
  const words = [encrypted === true ? 'encrypted' : undefined, deleted ? 'deleted' : undefined].filter(Boolean);
  return `${name}${kind === 'directory' ? '/' : ''}${words.length === 0 ? '' : `  (${words.join(', ')})`}`;
}

/** What a symbolic link leads to; undefined for any other node, and for an encrypted link, which is whole all the same. */
export async function linkTarget(node: FileNode, session: Session): Promise<string | undefined> {
  if (node.kind !== 'symlink' || node.flags.includes('encrypted')) return undefined;
  return node.target(session);
}

/** A live entry whose node cannot be read is left out, by its name as it is printed; of a deleted one nothing else was to be expected. */
export function noteUnreadable(name: string, entry: DirectoryEntry, error: unknown, session: Session): void {
  session.signal.throwIfAborted();
  if (!entry.deleted) session.leaveOut(`${name}: ${errorLine(error)}`);
}

/** The node of an entry; undefined for a deleted one whose inode is in use again: its facts would be another's. */
export async function nodeOfEntry(
  filesystem: FileSystem,
  { entry }: WalkedEntry,
  session: Session,
): Promise<FileNode | undefined> {
  const node = await filesystem.node(entry.nodeId, { signal: session.signal, deleted: entry.deleted });
  return entry.deleted && !node.deleted ? undefined : node;
}

/** What its node says of an entry, in JSON; what cannot be read is said on standard error too. */
export async function entryFacts(
  filesystem: FileSystem,
  walked: WalkedEntry,
  session: Session,
): Promise<Record<string, unknown>> {
  const { path, entry } = walked;
  try {
    const node = await nodeOfEntry(filesystem, walked, session);
    if (node === undefined) return { id: entry.nodeId, reused: true };
    const target = await linkTarget(node, session);
    return { ...nodeJson(node, target), deleted: entry.deleted };
  } catch (error) {
    noteUnreadable(escapeText(path), entry, error, session);
    return { id: entry.nodeId, error: errorJson(error) };
  }
}

/** The entries with their nodes' facts. */
export async function* entriesJson(listings: AsyncIterable<Listing>, session: Session): AsyncGenerator<unknown, void> {
  for await (const { volume, filesystem, entries } of listings) {
    for (const walked of entries) {
      const { path, entry } = walked;
      const { name, kind, deleted, encrypted, shortName } = entry;
      const head = { locator: formatLocator(volume.name, path), path, name, shortName, kind, deleted, encrypted };
      yield { ...head, ...(await entryFacts(filesystem, walked, session)) };
    }
  }
}
