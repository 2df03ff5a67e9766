import { closeSync, fchmodSync, futimesSync, openSync } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { bitField } from '../bytes/bits.ts';
import { decodeName, encodeName } from '../bytes/text.ts';
import { systemError } from '../device/file-device.ts';
import { takeTurn } from '../device/take-turn.ts';
import { corrupt, DiskError, denied, unsupported } from '../errors.ts';
import type {
  Directory,
  DirectoryEntry,
  FileNode,
  FileSystem,
  RegularFile,
  Timestamp,
} from '../filesystem/filesystem.ts';
import { fileDevice } from '../filesystem/read-file.ts';
import { type CopyOptions, copySparse } from './copy-sparse.ts';
import { checkFolder } from './new-file.ts';

/** What an extraction did, in counts, and what it left out. */
export interface ExtractReport {
  files: number;
  directories: number;
  symlinks: number;
  /** Bytes of file content. */
  bytes: number;
  /** Nodes that were left out, with the reason: special files, names that are no file names, unreadable content. */
  readonly skipped: { readonly path: string; readonly reason: unknown }[];
}

export interface ExtractOptions extends Omit<CopyOptions, 'onProgress'> {
  readonly onEntry?: ((path: string) => void) | undefined;
}

/** Nothing real nests deeper (see walk.ts); the host's own path limit ends it earlier. */
const MAX_DEPTH = 2048;

/**
 * Copies a node, and all below it, to `destination` on the host. A directory becomes `destination` itself (which must
 * be new or empty); a file or link is made at `destination`, or inside it when it is a directory.
 * Nothing is written outside: every name from the image must be a plain name, nothing that exists is replaced or
 * followed, and symbolic links are made last of all, after every file is written.
 */
export async function extract(
  filesystem: FileSystem,
  node: FileNode,
  name: string,
  destination: string,
  options: ExtractOptions = {},
): Promise<ExtractReport> {
  return new Extraction(filesystem, options).run(node, name, destination);
}

interface PendingLink {
  readonly shown: string;
  readonly hostPath: Buffer;
  readonly target: string;
}

class Extraction {
  readonly #filesystem: FileSystem;
  readonly #options: ExtractOptions;
  readonly #report: ExtractReport = { files: 0, directories: 0, symlinks: 0, bytes: 0, skipped: [] };
  readonly #links: PendingLink[] = [];
  readonly #entered = new Set<number>();

  constructor(filesystem: FileSystem, options: ExtractOptions) {
    this.#filesystem = filesystem;
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
        await this.#node(node, name, target, 0);
      }
      for (const link of this.#links) await this.#link(link);
    } catch (error) {
      if ((error as Error).name === 'AbortError') throw error;
      throw systemError(error, destination);
    }
    return this.#report;
  }

  async #directory(directory: Directory, shown: string, hostPath: Buffer, depth: number): Promise<void> {
    this.#entered.add(directory.id);
    this.#report.directories += 1;
    for await (const entry of directory.entries({ signal: this.#options.signal })) {
      await this.#entry(entry, `${shown}/${entry.name}`, hostPath, depth);
    }
    await keepTimes(hostPath, directory);
  }

  /** One entry; whatever fails with it is noted, and the others go on. */
  async #entry(entry: DirectoryEntry, shown: string, parent: Buffer, depth: number): Promise<void> {
    this.#options.signal?.throwIfAborted();
    this.#options.onEntry?.(shown);
    try {
      const hostPath = childPath(parent, entry.name);
      await this.#node(await this.#filesystem.node(entry.nodeId, this.#options), shown, hostPath, depth + 1);
    } catch (error) {
      this.#options.signal?.throwIfAborted();
      this.#report.skipped.push({ path: shown, reason: hostError(error, path.join(decodeName(parent), entry.name)) });
    }
  }

  async #node(node: FileNode, shown: string, hostPath: Buffer, depth: number): Promise<void> {
    switch (node.kind) {
      case 'directory':
        this.#requireNew(node, shown, depth);
        await fs.mkdir(hostPath);
        return this.#directory(node, shown, hostPath, depth);
      case 'file':
        return this.#file(node, hostPath);
      case 'symlink':
        this.#links.push({ shown, hostPath, target: await node.target(this.#options) });
        return;
      default:
        this.#report.skipped.push({ path: shown, reason: `a ${node.kind} is not made on the host` });
    }
  }

  /** A loop, or a directory with two names: the second is left out before anything is made for it. */
  #requireNew(directory: Directory, shown: string, depth: number): void {
    const details = { layer: this.#filesystem.type, structure: shown };
    if (this.#entered.has(directory.id))
      throw corrupt({ ...details, expected: 'a tree', found: 'a directory that is met twice' });
    if (depth > MAX_DEPTH)
      throw unsupported({ ...details, expected: `at most ${MAX_DEPTH} directories deep`, found: 'one that is deeper' });
  }

  /** What is asked of the host is asked without its thread pool: of many small files that took most of the time. */
  async #file(node: RegularFile, hostPath: Buffer): Promise<void> {
    const file = openSync(hostPath, 'wx');
    try {
      await copySparse(fileDevice(this.#filesystem, node), file, { signal: this.#options.signal });
      // Set-id and sticky bits stay behind: an image must not plant a privileged program.
      if (node.mode !== undefined) fchmodSync(file, bitField(node.mode, 0, 9));
      keepFileTimes(file, node);
    } catch (error) {
      await fs.rm(hostPath, { force: true });
      throw error;
    } finally {
      closeSync(file);
    }
    this.#report.files += 1;
    this.#report.bytes += node.size;
    await takeTurn();
  }

  async #link({ shown, hostPath, target }: PendingLink): Promise<void> {
    try {
      await fs.symlink(Buffer.from(encodeName(target)), hostPath);
      this.#report.symlinks += 1;
    } catch (error) {
      this.#report.skipped.push({ path: shown, reason: hostError(error, decodeName(hostPath)) });
    }
  }
}

/** What the host refused, in words; what is wrong with the image stays itself. */
function hostError(error: unknown, hostPath: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (error instanceof DiskError || code === undefined) return error;
  if (code !== 'ENAMETOOLONG') return systemError(error, hostPath);
  const expected = 'a name that the host can give a file';
  return unsupported({ layer: 'file', structure: hostPath, expected, found: 'one that is too long', cause: error });
}

async function requireEmptyDirectory(destination: string): Promise<void> {
  const made = await fs.mkdir(destination).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'EEXIST') return false;
      throw error;
    },
  );
  if (made || (await fs.readdir(destination)).length === 0) return;
  throw denied({
    layer: 'output',
    structure: destination,
    expected: 'a new or empty directory',
    found: 'a directory with entries',
  });
}

/** A name from the image as a path below `parent`; a name that is more or less than one name is refused. */
function childPath(parent: Buffer, name: string): Buffer {
  const isPlain = name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name) && !name.includes(path.sep);
  if (!isPlain)
    throw denied({
      layer: 'output',
      structure: name,
      expected: 'a plain file name',
      found: 'a name with a path in it',
    });
  return Buffer.concat([parent, Buffer.from(path.sep), encodeName(name)]);
}

/** Access and modification time; a local time (FAT) is taken as UTC. A time that the host cannot hold stays behind. */
async function keepTimes(hostPath: Buffer, { times }: FileNode): Promise<void> {
  const { modified, accessed = modified } = times;
  if (modified === undefined || accessed === undefined) return;
  await fs.utimes(hostPath, seconds(accessed), seconds(modified)).catch(() => undefined);
}

/** The same of an open file. */
function keepFileTimes(file: number, { times }: FileNode): void {
  const { modified, accessed = modified } = times;
  if (modified === undefined || accessed === undefined) return;
  try {
    futimesSync(file, seconds(accessed), seconds(modified));
  } catch {
    // As above.
  }
}

function seconds(time: Timestamp): number {
  return time.seconds + time.nanoseconds / 1e9;
}
