import { closeSync, fchmodSync, fchownSync, ftruncateSync, openSync } from 'node:fs';
import fs from 'node:fs/promises';
import { type FileTimes, loadNative } from '../../native/index.ts';
import { bitField } from '../bytes/bits.ts';
import { encodeName } from '../bytes/text.ts';
import { takeTurn } from '../device/take-turn.ts';
import { corrupt, DiskError, denied } from '../errors.ts';
import type { FileNode, FileSystem, LostRange, NodeTimes, RegularFile, Timestamp } from '../filesystem/filesystem.ts';
import { fileDevice } from '../filesystem/read-file.ts';
import { copyReadable } from './copy-readable.ts';
import { type CopyOptions, copySparse } from './copy-sparse.ts';

export interface HostNodeOptions {
  /** Whether files get the numbers of their user and group too. */
  readonly owner?: boolean | undefined;
}

export interface FileCopyOptions extends CopyOptions {
  /** Takes a file that cannot be read whole for what can be read of it, and is told what is lost; without it that is an error. */
  readonly onLost?: ((lost: readonly LostRange[]) => void) | undefined;
}

/** What nobody else reads while it is being written. */
const PRIVATE_FILE = 0o600;
const PRIVATE_DIRECTORY = 0o700;

/** Failures of an image that cost a part of a file; what is not supported, as encryption, costs all of it. */
const LOSSES: ReadonlySet<string> = new Set(['CORRUPT', 'IO', 'OUT_OF_RANGE']);

/** What a node has beside its content. */
export type NodeFacts = Pick<FileNode, 'mode' | 'uid' | 'gid' | 'times'>;

/**
 * Makes nodes of an image on the host, each at a path that must be new: nothing is replaced, and no link is followed in the
 * last place of a path. Modes, times and, where asked, owners are kept.
 */
export class HostNodes {
  readonly #owner: boolean;
  readonly #times: FileTimes | undefined;

  private constructor(owner: boolean, times: FileTimes | undefined) {
    this.#owner = owner;
    this.#times = times;
  }

  /** Only root may give files away: DENIED for others. */
  static async load(options: HostNodeOptions = {}): Promise<HostNodes> {
    if (options.owner === true && process.geteuid?.() !== 0) {
      const found = 'a process that may not give files away';
      throw denied({ layer: 'output', structure: 'owner', expected: 'root', found });
    }
    return new HostNodes(options.owner === true, (await loadNative()).times);
  }

  /**
   * A file with its content, holes where it has zeros; nothing is left when it fails. The host is asked without the thread pool:
   * of many small files that took most of the time.
   */
  async file(filesystem: FileSystem, node: RegularFile, hostPath: Buffer, options?: FileCopyOptions): Promise<void> {
    const file = openSync(hostPath, 'wx', node.mode === undefined ? undefined : PRIVATE_FILE);
    try {
      try {
        await copyContent(filesystem, node, file, options);
        if (this.#owner && node.uid !== undefined && node.gid !== undefined) fchownSync(file, node.uid, node.gid);
        // Set-id and sticky bits stay behind: an image must not plant a privileged program.
        if (node.mode !== undefined) fchmodSync(file, bitField(node.mode, 0, 9));
      } finally {
        closeSync(file);
      }
      await this.#setTimes(hostPath, node.times);
    } catch (error) {
      await fs.rm(hostPath, { force: true });
      throw error;
    }
    await takeTurn();
  }

  /** An empty directory that can be filled; `finish` gives it what it has, when that is done. */
  async directory(hostPath: Buffer, { mode }: Pick<FileNode, 'mode'>): Promise<void> {
    await fs.mkdir(hostPath, mode === undefined ? undefined : PRIVATE_DIRECTORY);
  }

  /** A link with its target as it stands; it is not followed. */
  async link(target: string, hostPath: Buffer, facts: NodeFacts): Promise<void> {
    if (target.includes('\0')) {
      const found = 'one that no host has: there is a NUL in it';
      throw corrupt({ layer: 'output', structure: 'symbolic link', expected: 'a target', found });
    }
    await fs.symlink(Buffer.from(encodeName(target)), hostPath);
    if (this.#owner) await setOwner(hostPath, facts);
    await this.#setTimes(hostPath, facts.times);
  }

  /** Owner, mode and times of a directory that we made. */
  async finish(hostPath: Buffer, facts: NodeFacts): Promise<void> {
    if (this.#owner) await setOwner(hostPath, facts);
    if (facts.mode !== undefined) await fs.chmod(hostPath, bitField(facts.mode, 0, 9));
    await this.#setTimes(hostPath, facts.times);
  }

  /** Access and modification time; a local time (FAT) is taken as UTC. A time that the host cannot hold stays behind. */
  async #setTimes(hostPath: Buffer, { accessed, modified }: NodeTimes): Promise<void> {
    if (modified === undefined) return;
    if (this.#times !== undefined) {
      this.#times.set(hostPath, accessed ?? modified, modified);
      return;
    }
    await fs.lutimes(hostPath, seconds(accessed ?? modified), seconds(modified)).catch(() => undefined);
  }
}

/** What the host refuses to write is an error in any case: only one of the image leaves a part. */
async function copyContent(
  filesystem: FileSystem,
  node: RegularFile,
  file: number,
  options?: FileCopyOptions,
): Promise<void> {
  const { signal, onProgress, onLost } = options ?? {};
  try {
    await copySparse(fileDevice(filesystem, node), file, { signal, onProgress });
  } catch (error) {
    if (onLost === undefined || !(error instanceof DiskError) || !LOSSES.has(error.code)) throw error;
    ftruncateSync(file, 0);
    onLost(await copyReadable(filesystem, node, file, { signal }));
  }
}

async function setOwner(hostPath: Buffer, { uid, gid }: NodeFacts): Promise<void> {
  if (uid !== undefined && gid !== undefined) await fs.lchown(hostPath, uid, gid);
}

function seconds(time: Timestamp): number {
  return time.seconds + time.nanoseconds / 1e9;
}
