import type { ReadOptions } from '../device/block-device.ts';
import { unsupported } from '../errors.ts';
import { DeletedDirectories } from './deleted-directories.ts';
import type { DirectoryEntry, FileSystem, ListOptions } from './filesystem.ts';

/** Linux allows paths of 4096 bytes; nothing real nests deeper than that many names of one letter. */
const MAX_DEPTH = 2048;

export interface WalkedEntry {
  /** From the start of the walk, with a leading slash. */
  readonly path: string;
  readonly entry: DirectoryEntry;
}

export interface WalkOptions extends ListOptions {
  /** The directory that the walk begins at is deleted itself, and so is all below it. */
  readonly fromDeleted?: boolean;
  /** Told of each directory that cannot be read or lies too deep, and each entry of unknown kind that cannot be read; without it the walk throws. */
  readonly onError?: (error: unknown, path: string) => void;
}

interface PendingDirectory {
  readonly id: number;
  readonly path: string;
  readonly depth: number;
  readonly deleted: boolean;
}

/** Every entry below a directory, one at a time: see `walkBatches`. */
export async function* walk(
  filesystem: FileSystem,
  directoryId: number,
  options: WalkOptions = {},
): AsyncGenerator<WalkedEntry, void> {
  for await (const batch of walkBatches(filesystem, directoryId, options)) for (const walked of batch) yield walked;
}

/**
 * Every entry below a directory, depth first: a directory's entries in its own order, as many at once as one read gave,
 * then what lies below each. A directory that was walked already (a loop, or a second name) is listed and not entered again.
 * With `deleted` the deleted directories that can still be read are entered too, and all below them is marked as deleted.
 */
export async function* walkBatches(
  filesystem: FileSystem,
  directoryId: number,
  options: WalkOptions = {},
): AsyncGenerator<readonly WalkedEntry[], void> {
  const walked = new Set([directoryId]);
  const entered = new DeletedDirectories();
  const pending: PendingDirectory[] = [{ id: directoryId, path: '', depth: 0, deleted: options.fromDeleted === true }];
  for (let here = pending.pop(); here !== undefined; here = pending.pop()) {
    const subdirectories: PendingDirectory[] = [];
    try {
      if (here.depth > MAX_DEPTH) throw tooDeep(filesystem, here.path);
      const node = await filesystem.node(here.id, { signal: options.signal, deleted: here.deleted });
      if (node.kind !== 'directory') continue;
      if (here.deleted && !(await entered.enter(node, options)) && here.depth > 0) continue;
      for await (const found of node.entryBatches(options)) {
        const batch: WalkedEntry[] = [];
        for (const stored of found) {
          const listed = here.deleted && !stored.deleted ? { ...stored, deleted: true } : stored;
          const path = `${here.path}/${listed.name}`;
          const entry = listed.kind === 'unknown' ? await kindOrError(filesystem, listed, path, options) : listed;
          batch.push({ path, entry });
          if (entry.kind !== 'directory' || (!entry.deleted && walked.has(entry.nodeId))) continue;
          if (!entry.deleted) walked.add(entry.nodeId);
          subdirectories.push({ id: entry.nodeId, path, depth: here.depth + 1, deleted: entry.deleted });
        }
        yield batch;
      }
    } catch (error) {
      if (options.signal?.aborted === true) throw error;
      // Of a deleted directory nothing else was to be expected.
      if (!here.deleted || here.depth === 0) {
        if (options.onError === undefined) throw error;
        options.onError(error, here.path === '' ? '/' : here.path);
      }
    }
    for (const directory of subdirectories.reverse()) pending.push(directory);
  }
}

function tooDeep(filesystem: FileSystem, path: string): Error {
  // The last name says which: the whole path would be a page.
  const structure = `directory ${path.slice(path.lastIndexOf('/') + 1)}`;
  return unsupported({
    layer: filesystem.type,
    structure,
    expected: `at most ${MAX_DEPTH} directories deep`,
    found: 'one that is deeper; what lies below it is left out',
  });
}

/** The entry with the kind that its node tells, where the directory does not. */
export async function withKind(
  filesystem: FileSystem,
  entry: DirectoryEntry,
  options?: ReadOptions,
): Promise<DirectoryEntry> {
  // A deleted entry's node may be another file's by now.
  if (entry.kind !== 'unknown' || entry.deleted) return entry;
  const { kind } = await filesystem.node(entry.nodeId, options);
  return { ...entry, kind };
}

/** An entry whose node cannot be read is told of, and stays unknown. */
async function kindOrError(
  filesystem: FileSystem,
  entry: DirectoryEntry,
  path: string,
  options: WalkOptions,
): Promise<DirectoryEntry> {
  try {
    return await withKind(filesystem, entry, options);
  } catch (error) {
    if (options.onError === undefined || options.signal?.aborted === true) throw error;
    options.onError(error, path);
    return entry;
  }
}
