import fs from 'node:fs/promises';
import path from 'node:path';
import { decodeName } from '../bytes/text.ts';
import { systemError } from '../device/file-device.ts';
import { corrupt, notFound, unsupported } from '../errors.ts';
import { DeletedDirectories } from '../filesystem/deleted-directories.ts';
import type {
  Directory,
  DirectoryEntry,
  FileNode,
  FileSystem,
  LostRange,
  RegularFile,
} from '../filesystem/filesystem.ts';
import type { CopyOptions } from './copy-sparse.ts';
import { type HostNodeOptions, HostNodes } from './host-node.ts';
import { childPath, hostError, requireEmptyDirectory } from './host-path.ts';
import { checkFolder } from './new-file.ts';

/** What an extraction did, in counts, and what it left out. */
export interface ExtractReport {
  files: number;
  directories: number;
  symlinks: number;
  /** Further names of files that are counted in `files`. */
  hardLinks: number;
  /** Bytes of file content. */
  bytes: number;
  /** Nodes that were left out, with the reason: special files, names that are no file names, unreadable content. */
  readonly skipped: { readonly path: string; readonly reason: unknown }[];
  /** Parts of files that could not be read, with `partial`: the files have holes there. */
  readonly lost: (LostRange & { readonly path: string })[];
}

export interface ExtractOptions extends Omit<CopyOptions, 'onProgress'>, HostNodeOptions {
  /** Files that cannot be read whole are written with what can be read of them; otherwise they are left out. */
  readonly partial?: boolean | undefined;
  /** The node is deleted itself, and so is all below it. */
  readonly deleted?: boolean | undefined;
  readonly onEntry?: ((path: string) => void) | undefined;
  /** How much content is written so far, in bytes; `total` is 0: nobody knows before the end. */
  readonly onProgress?: CopyOptions['onProgress'];
}

/** Nothing real nests deeper (see walk.ts); the host's own path limit ends it earlier. */
const MAX_DEPTH = 2048;
/** Files with several names whose first is remembered; of those behind, each name becomes a file of its own. */
const MAX_LINKED_FILES = 100_000;

/**
 * Copies a node, and all below it, to `destination` on the host. A directory becomes `destination` itself (which must
 * be new or empty); a file or link is made at `destination`, or inside it when it is a directory.
 * Nothing is written outside: every name from the image must be a plain name, nothing that exists is replaced or
 * followed, every directory on the way was made here, and symbolic links are made when all else in their directory is there.
 */
export async function extract(
  filesystem: FileSystem,
  node: FileNode,
  name: string,
  destination: string,
  options: ExtractOptions = {},
): Promise<ExtractReport> {
  const nodes = await HostNodes.load(options);
  return new Extraction(filesystem, nodes, options).run(node, name, destination);
}

/** A link whose directory is not filled yet. */
interface PendingLink {
  readonly node: Extract<FileNode, { kind: 'symlink' }>;
  readonly shown: string;
  readonly hostPath: Buffer;
}

class Extraction {
  readonly #filesystem: FileSystem;
  readonly #nodes: HostNodes;
  readonly #options: ExtractOptions;
  readonly #report: ExtractReport = {
    files: 0,
    directories: 0,
    symlinks: 0,
    hardLinks: 0,
    bytes: 0,
    skipped: [],
    lost: [],
  };
  readonly #entered = new Set<number>();
  readonly #deleted = new DeletedDirectories();
  /** Where the first name of a file with several was made, by its node. */
  readonly #linked = new Map<number, Buffer>();

  constructor(filesystem: FileSystem, nodes: HostNodes, options: ExtractOptions) {
    this.#filesystem = filesystem;
    this.#nodes = nodes;
    this.#options = options;
  }

  async run(node: FileNode, name: string, destination: string): Promise<ExtractReport> {
    await checkFolder(path.dirname(destination));
    try {
      if (node.kind === 'directory') {
        await requireEmptyDirectory(destination);
        await this.#directory(node, '', Buffer.from(destination), 0);
      } else {
        const stat = await fs.stat(destination).catch(() => undefined);
        const target = stat?.isDirectory() ? childPath(Buffer.from(destination), name) : Buffer.from(destination);
        const links: PendingLink[] = [];
        await this.#node(node, name, target, 0, links);
        for (const link of links) await this.#link(link);
      }
    } catch (error) {
      if ((error as Error).name === 'AbortError') throw error;
      throw systemError(error, destination);
    }
    return this.#report;
  }

  async #directory(directory: Directory, shown: string, hostPath: Buffer, depth: number): Promise<void> {
    this.#entered.add(directory.id);
    this.#report.directories += 1;
    const links: PendingLink[] = [];
    try {
      // Of a deleted directory all is deleted, whatever its entries say.
      const { signal, deleted = false } = this.#options;
      for await (const entry of directory.entries({ signal, deleted })) {
        await this.#entry({ ...entry, deleted }, `${shown}/${entry.name}`, hostPath, depth, links);
      }
    } finally {
      // What could be read of a damaged directory is finished as well.
      if (this.#options.signal?.aborted !== true) {
        for (const link of links) await this.#link(link);
        const refused = (error: unknown): void => this.#skip(shown === '' ? '/' : shown, error, decodeName(hostPath));
        await this.#nodes.finish(hostPath, directory).catch(refused);
      }
    }
  }

  /** One entry; whatever fails with it is noted, and the others go on. */
  async #entry(
    entry: DirectoryEntry,
    shown: string,
    parent: Buffer,
    depth: number,
    links: PendingLink[],
  ): Promise<void> {
    this.#options.signal?.throwIfAborted();
    this.#options.onEntry?.(shown);
    try {
      const hostPath = childPath(parent, entry.name);
      const { signal } = this.#options;
      const node = await this.#filesystem.node(entry.nodeId, { signal, deleted: entry.deleted });
      if (entry.deleted && !node.deleted) throw this.#reused(entry);
      await this.#node(node, shown, hostPath, depth + 1, links);
    } catch (error) {
      this.#options.signal?.throwIfAborted();
      this.#skip(shown, error, path.join(decodeName(parent), entry.name));
    }
  }

  async #node(node: FileNode, shown: string, hostPath: Buffer, depth: number, links: PendingLink[]): Promise<void> {
    switch (node.kind) {
      case 'directory':
        this.#requireNew(node, shown, depth);
        if (this.#options.deleted === true && !(await this.#deleted.enter(node, this.#options)))
          throw this.#metTwice(shown);
        await this.#nodes.directory(hostPath, node);
        return this.#directory(node, shown, hostPath, depth);
      case 'file':
        return this.#file(node, shown, hostPath);
      case 'symlink':
        links.push({ node, shown, hostPath });
        return;
      default:
        this.#report.skipped.push({ path: shown, reason: `a ${node.kind} is not made on the host` });
    }
  }

  /** A loop, or a directory with two names: the second is left out before anything is made for it. */
  #requireNew(directory: Directory, shown: string, depth: number): void {
    const details = { layer: this.#filesystem.type, structure: shown };
    if (this.#entered.has(directory.id)) throw this.#metTwice(shown);
    if (depth > MAX_DEPTH)
      throw unsupported({ ...details, expected: `at most ${MAX_DEPTH} directories deep`, found: 'one that is deeper' });
  }

  #metTwice(shown: string): Error {
    const { type } = this.#filesystem;
    return corrupt({
      layer: type,
      structure: shown,
      expected: 'a tree',
      found: 'a directory that is met twice, or gone',
    });
  }

  #reused({ name, nodeId }: DirectoryEntry): Error {
    const found = `inode ${nodeId}, in use again`;
    return notFound({
      layer: this.#filesystem.type,
      structure: name,
      expected: 'an inode that is still deleted',
      found,
    });
  }

  async #file(node: RegularFile, shown: string, hostPath: Buffer): Promise<void> {
    const isShared = (node.linkCount ?? 1) > 1;
    const first = isShared ? this.#linked.get(node.id) : undefined;
    if (first !== undefined && (await isLinked(first, hostPath))) {
      this.#report.hardLinks += 1;
      return;
    }
    const { signal, onProgress, partial } = this.#options;
    const onLost = (lost: readonly LostRange[]): void => {
      for (const range of lost) this.#report.lost.push({ path: shown, ...range });
    };
    const before = this.#report.bytes;
    const count = onProgress && (({ done }: { done: number }) => onProgress({ done: before + done, total: 0 }));
    const copying = { signal, onProgress: count, onLost: partial === true ? onLost : undefined };
    await this.#nodes.file(this.#filesystem, node, hostPath, copying);
    this.#report.files += 1;
    this.#report.bytes += node.size;
    if (isShared && this.#linked.size < MAX_LINKED_FILES) this.#linked.set(node.id, hostPath);
  }

  async #link({ node, shown, hostPath }: PendingLink): Promise<void> {
    try {
      await this.#nodes.link(await node.target(this.#options), hostPath, node);
      this.#report.symlinks += 1;
    } catch (error) {
      this.#options.signal?.throwIfAborted();
      this.#skip(shown, error, decodeName(hostPath));
    }
  }

  #skip(shown: string, error: unknown, hostPath: string): void {
    this.#report.skipped.push({ path: shown, reason: hostError(error, hostPath) });
  }
}

/** Gives a file that we made a further name; false where the host has no such links, or no more of them. */
async function isLinked(first: Buffer, hostPath: Buffer): Promise<boolean> {
  try {
    await fs.link(first, hostPath);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw error;
    return false;
  }
}
