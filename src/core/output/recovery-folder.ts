import path from 'node:path';
import { systemError } from '../device/file-device.ts';
import { denied } from '../errors.ts';
import type { FileSystem } from '../filesystem/filesystem.ts';
import type { RecoverableFile } from '../filesystem/recoverable-file.ts';
import { type FileCopyOptions, type HostNodeOptions, HostNodes, type NodeFacts } from './host-node.ts';
import { childPath, requireEmptyDirectory } from './host-path.ts';
import { checkFolder } from './new-file.ts';

/** What was recovered, in counts. */
export interface RecoveryReport {
  files: number;
  directories: number;
  symlinks: number;
  /** Bytes of file content. */
  bytes: number;
}

/** No path of Linux has more names. */
const MAX_NAMES = 2048;

/**
 * A new or empty folder that recovered files are written to, below the paths that they had; one without a path takes its key.
 * Where a path is taken already (an earlier version, another file of that name) the key is added to the name. Nothing is written
 * outside: every name is a plain name, and every directory on the way was made here.
 */
export class RecoveryFolder {
  readonly report: RecoveryReport = { files: 0, directories: 0, symlinks: 0, bytes: 0 };
  readonly #root: Buffer;
  readonly #nodes: HostNodes;
  /** The directories that were made, by their paths, with what they get when all is in them. */
  readonly #made = new Map<string, NodeFacts | undefined>();

  private constructor(root: Buffer, nodes: HostNodes) {
    this.#root = root;
    this.#nodes = nodes;
    this.#made.set(root.toString('latin1'), undefined);
  }

  /** DENIED when there is something in the folder. */
  static async create(destination: string, options?: HostNodeOptions): Promise<RecoveryFolder> {
    await checkFolder(path.dirname(destination));
    const nodes = await HostNodes.load(options);
    try {
      await requireEmptyDirectory(destination);
    } catch (error) {
      throw systemError(error, destination);
    }
    return new RecoveryFolder(Buffer.from(destination), nodes);
  }

  /** Writes one file and gives the path where; `prefix` are the names of folders to put all of its filesystem in. */
  async write(
    filesystem: FileSystem,
    file: RecoverableFile,
    prefix: readonly string[] = [],
    options?: FileCopyOptions,
  ): Promise<string> {
    const names = [...prefix, ...namesOf(file)];
    if (names.length > MAX_NAMES)
      throw denied({ layer: 'output', expected: `at most ${MAX_NAMES} names in a path`, found: names.length });
    try {
      return await this.#make(filesystem, file, names, options);
    } catch (error) {
      if (!isTaken(error)) throw error;
    }
    const keyed = [...names.slice(0, -1), `${names.at(-1)}.${file.key}`];
    try {
      return await this.#make(filesystem, file, keyed, options);
    } catch (error) {
      // A file is where a directory should be: the file goes to the top, by its key.
      if (!isTaken(error)) throw error;
      return await this.#make(filesystem, file, [...prefix, file.key], options);
    }
  }

  /** Modes and times of the directories, when all is in them; the deepest first. */
  async finish(): Promise<void> {
    for (const [hostPath, facts] of [...this.#made].reverse())
      if (facts !== undefined) await this.#nodes.finish(Buffer.from(hostPath, 'latin1'), facts).catch(() => undefined);
  }

  async #make(
    filesystem: FileSystem,
    { node }: RecoverableFile,
    names: readonly string[],
    options?: FileCopyOptions,
  ): Promise<string> {
    const parent = await this.#folder(names.slice(0, -1));
    const hostPath = childPath(parent, names.at(-1)!);
    switch (node.kind) {
      case 'directory': {
        const known = hostPath.toString('latin1');
        // Another version of it has given its facts already.
        if (this.#made.get(known) !== undefined) return hostPath.toString();
        await this.#folder(names);
        this.#made.set(known, node);
        this.report.directories += 1;
        break;
      }
      case 'file':
        await this.#nodes.file(filesystem, node, hostPath, options);
        this.report.files += 1;
        this.report.bytes += node.size;
        break;
      case 'symlink':
        await this.#nodes.link(await node.target(options), hostPath, node);
        this.report.symlinks += 1;
        break;
      default:
        throw denied({ layer: 'output', expected: 'a file, a directory or a link', found: `a ${node.kind}` });
    }
    return hostPath.toString();
  }

  /** A directory below the root that we made, now or before; one that is there otherwise is never entered. */
  async #folder(names: readonly string[]): Promise<Buffer> {
    let here = this.#root;
    for (const name of names) {
      here = childPath(here, name);
      const known = here.toString('latin1');
      if (this.#made.has(known)) continue;
      await this.#nodes.directory(here, {});
      this.#made.set(known, undefined);
    }
    return here;
  }
}

function namesOf({ path: found, key }: RecoverableFile): string[] {
  const names = (found ?? '').split('/').filter((name) => name !== '');
  return names.length === 0 ? [key] : names;
}

function isTaken(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'EEXIST';
}
