import type { ReadOptions } from '../device/block-device.ts';
import { notFound, unsupported } from '../errors.ts';
import type { FileNode, FileSystem } from './filesystem.ts';

/** Linux's limit on symbolic links followed in one resolution. */
const MAX_SYMLINKS = 40;
/** Linux's PATH_MAX, in characters here; longer targets come from hostile images. */
const MAX_TARGET_LENGTH = 4096;

export interface ResolveOptions extends ReadOptions {
  /** Whether a symbolic link in the last place is followed too; those before it always are. */
  readonly followLast?: boolean;
}

export interface ResolvedPath {
  readonly node: FileNode;
  /** Absolute, without links, `.` and `..`. */
  readonly path: string;
}

/** Walks a path from the root, links resolved inside the filesystem as if it were mounted at `/`. */
export async function resolvePath(
  filesystem: FileSystem,
  path: string,
  options: ResolveOptions = {},
): Promise<ResolvedPath> {
  const root: ResolvedPath = { node: await filesystem.node(filesystem.rootId, options), path: '' };
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
    const entry = await here.node.lookup(name, options);
    if (entry === undefined) throw missing(filesystem, path, `no ${name} in ${here.path === '' ? '/' : here.path}`);
    const node = await filesystem.node(entry.nodeId, options);
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
      ancestors.push({ node, path: `${here.path}/${entry.name}` });
    }
  }
  const { node, path: resolved } = ancestors.at(-1)!;
  return { node, path: resolved === '' ? '/' : resolved };
}

function missing(filesystem: FileSystem, path: string, found: string): Error {
  return notFound({ layer: filesystem.type, structure: path, found });
}
