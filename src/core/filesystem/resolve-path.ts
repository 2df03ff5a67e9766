import type { ReadOptions } from '../device/block-device.ts';
import { DiskError, notFound, unsupported } from '../errors.ts';
import type { Directory, DirectoryEntry, FileNode, FileSystem } from './filesystem.ts';

/** Linux's limit on symbolic links followed in one resolution. */
const MAX_SYMLINKS = 40;
/** Linux's PATH_MAX, in characters here; longer targets come from hostile images. */
const MAX_TARGET_LENGTH = 4096;

export interface ResolveOptions extends ReadOptions {
  /** Whether a symbolic link in the last place is followed too; those before it always are. */
  readonly followLast?: boolean;
  /** Where no live entry has a name, a deleted one will do whose node is not another's by now. */
  readonly deleted?: boolean | undefined;
}

export interface ResolvedPath {
  readonly node: FileNode;
  /** Absolute, without links, `.` and `..`. */
  readonly path: string;
  /** Whether a deleted entry leads there, or to a directory on the way. */
  readonly deleted: boolean;
}

/** Walks a path from the root, links resolved inside the filesystem as if it were mounted at `/`. */
export async function resolvePath(
  filesystem: FileSystem,
  path: string,
  options: ResolveOptions = {},
): Promise<ResolvedPath> {
  const root: ResolvedPath = { node: await filesystem.node(filesystem.rootId, options), path: '', deleted: false };
  const ancestors: ResolvedPath[] = [root];
  const pending = path.split('/').reverse();
  let links = 0;
  while (pending.length > 0) {
    const name = pending.pop()!;
    if (name === '' || name === '.') continue;
    const here = ancestors.at(-1)!;
    if (here.node.kind !== 'directory')
      throw missing(filesystem, path, `${here.path} is no directory but a ${here.node.kind}`);
    if (name === '..') {
      if (ancestors.length > 1) ancestors.pop();
      continue;
    }
    const { entry, node } = await childOf(filesystem, here.node, here.deleted, name, options);
    if (entry === undefined || node === undefined) {
      const reused = entry === undefined ? '' : `; the inode ${entry.nodeId} of the deleted one is in use again`;
      throw missing(filesystem, path, `no ${name} in ${here.path === '' ? '/' : here.path}${reused}`);
    }
    // Whatever follows, be it only a slash, wants what the link leads to.
    if (node.kind === 'symlink' && (pending.length > 0 || options.followLast === true)) {
      const target = await node.target(options);
      if (++links > MAX_SYMLINKS || target.length > MAX_TARGET_LENGTH) {
        throw unsupported({
          layer: filesystem.type,
          structure: path,
          expected: `at most ${MAX_SYMLINKS} symbolic links`,
          found: 'more',
        });
      }
      if (target.startsWith('/')) ancestors.length = 1;
      pending.push(...target.split('/').reverse());
    } else {
      ancestors.push({ node, path: `${here.path}/${entry.name}`, deleted: here.deleted || entry.deleted });
    }
  }
  const { node, path: resolved, deleted } = ancestors.at(-1)!;
  return { node, deleted, path: resolved === '' ? '/' : resolved };
}

interface Child {
  readonly entry: DirectoryEntry | undefined;
  readonly node: FileNode | undefined;
}

/** The entry of that name with its node; a live one first, and of deleted ones the first that is still what it was. */
async function childOf(
  filesystem: FileSystem,
  directory: Directory,
  isDeleted: boolean,
  name: string,
  options: ResolveOptions,
): Promise<Child> {
  const { signal } = options;
  const live = isDeleted ? undefined : await directory.lookup(name, { signal });
  if (live !== undefined) return { entry: live, node: await filesystem.node(live.nodeId, { signal }) };
  let reused: DirectoryEntry | undefined;
  let failure: DiskError | undefined;
  if (options.deleted !== true) return { entry: undefined, node: undefined };
  for await (const entry of directory.entries({ signal, deleted: true })) {
    if (entry.name !== name || !(entry.deleted || isDeleted)) continue;
    try {
      const node = await filesystem.node(entry.nodeId, { signal, deleted: true });
      if (node.deleted) return { entry, node };
      reused ??= entry;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      failure ??= error;
    }
  }
  if (reused === undefined && failure !== undefined) throw failure;
  return { entry: reused, node: undefined };
}

function missing(filesystem: FileSystem, path: string, found: string): Error {
  return notFound({ layer: filesystem.type, structure: path, found });
}
