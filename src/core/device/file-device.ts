import fs from 'node:fs';
import { promisify } from 'node:util';
import { loadNative } from '../../native/index.ts';
import { DiskError, denied, ioError, notFound, unsupported } from '../errors.ts';
import {
  type BlockDevice,
  type ByteRange,
  checkRange,
  DEFAULT_SECTOR_SIZE,
  type ReadOptions,
  type ResizableBlockDevice,
} from './block-device.ts';
import type { Extent } from './extent.ts';
import { lockForWriting } from './image-lock.ts';
import { systemWords } from './system-words.ts';
import { takeTurn } from './take-turn.ts';

// The callback calls on a plain descriptor: FileHandle costs twice as much per read (measured in STACK.md), and
// node:fs/promises brings thirty modules with it, line editing among them.
const openFile = promisify(fs.open);
const closeFile = promisify(fs.close);
const statPath = promisify(fs.stat);
const statFile = promisify(fs.fstat);
const syncFile = promisify(fs.fdatasync);
const truncateFile = promisify(fs.ftruncate);

/** One call of the system; Node refuses 2 GiB and more. */
const MAX_REQUEST_BYTES = 1024 ** 3;

/** Up to this length a read is made at once, while nothing else runs; */
const QUICK_BYTES = 128 * 1024;
/** unless one took longer than this: then the storage is slow, */
const SLOW_MILLISECONDS = 5;
/** and so many reads leave the keys and the signals their turn. */
const PATIENT_READS = 100;

export interface FileDeviceOptions {
  readonly sectorSize?: number | undefined;
  /** What it is called in print instead of its path. */
  readonly name?: string | undefined;
}

/** A regular file opened read-only, its access time left alone where the system allows it. */
export class FileDevice implements BlockDevice {
  readonly path: string;
  readonly sectorSize: number;
  /** Device and inode number: tells whether two paths are one file. */
  readonly identity: string;
  readonly #descriptor: number;
  readonly #owned: boolean;
  protected currentSize: number;
  #closed = false;
  /** Reads that still go through the thread pool after one that was slow. */
  #slowReads = 0;

  protected constructor(path: string, descriptor: number, stat: fs.Stats, sectorSize: number, owned = true) {
    this.path = path;
    this.currentSize = stat.size;
    this.sectorSize = sectorSize;
    this.identity = identityOf(stat);
    this.#descriptor = descriptor;
    this.#owned = owned;
  }

  static async open(path: string, options: FileDeviceOptions = {}): Promise<FileDevice> {
    const { descriptor, stat } = await openRegularFile(path, openReadOnly);
    return new FileDevice(options.name ?? path, descriptor, stat, options.sectorSize ?? DEFAULT_SECTOR_SIZE);
  }

  /** A regular file that is open already (standard input redirected from a file); disposing leaves it open. */
  static async fromDescriptor(descriptor: number, path: string, options: FileDeviceOptions = {}): Promise<FileDevice> {
    const stat = await statFile(descriptor);
    requireRegular(path, stat);
    return new FileDevice(path, descriptor, stat, options.sectorSize ?? DEFAULT_SECTOR_SIZE, false);
  }

  get size(): number {
    return this.currentSize;
  }

  async readInto(target: Uint8Array, offset: number, options?: ReadOptions): Promise<void> {
    checkRange(this, 'file', offset, target.length);
    let done = 0;
    while (done < target.length) {
      options?.signal?.throwIfAborted();
      const isQuick = target.length <= QUICK_BYTES && this.#slowReads === 0;
      const count = isQuick
        ? this.#readQuickly(target, done, offset + done)
        : await readOnce(this.descriptor, target, done, offset + done, this.path);
      if (count === 0) {
        throw ioError({
          layer: 'file',
          structure: this.path,
          offset: offset + done,
          expected: `${this.size} bytes, as when it was opened`,
          found: 'the end of the file: it became shorter',
        });
      }
      done += count;
      if (isQuick) await takeTurn();
      else if (this.#slowReads > 0) this.#slowReads--;
    }
  }

  /** At once, without the thread pool, which takes ten times as long to be asked as a read of what the system has in memory. */
  #readQuickly(target: Uint8Array, at: number, position: number): number {
    const started = performance.now();
    try {
      return fs.readSync(this.descriptor, target, at, target.length - at, position);
    } catch (error) {
      throw systemError(error, this.path, position);
    } finally {
      if (performance.now() - started > SLOW_MILLISECONDS) this.#slowReads = PATIENT_READS;
    }
  }

  /**
   * Data and holes as the host's filesystem tells them; all of it is data where it does not. Standard input is not
   * asked: asking would move the position that it shares with other processes.
   */
  async *extents(range: ByteRange): AsyncGenerator<Extent, void> {
    checkRange(this, 'file', range.start, range.length);
    const holes = this.#owned ? (await loadNative()).holes : undefined;
    const end = range.start + range.length;
    for (let at = range.start; at < end; ) {
      const found = holes?.nextData(this.descriptor, at) ?? at;
      const data = found === 'none' ? end : Math.min(found, end);
      if (data > at) yield { kind: 'zero', start: at, length: data - at, explicit: false };
      if (data === end) return;
      const hole = Math.min(holes?.nextHole(this.descriptor, data) ?? end, end);
      // A file that is written to by others could tell nonsense: then the rest is data.
      at = hole > data ? hole : end;
      yield { kind: 'data', start: data, length: at - data, source: this, sourceOffset: data };
    }
  }

  protected get descriptor(): number {
    if (this.#closed) throw ioError({ layer: 'file', structure: this.path, found: 'the device is closed' });
    return this.#descriptor;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#owned) await closeFile(this.#descriptor);
  }
}

/** A regular file that its user asked to write. Only resize, the aligned writer, container write and export hold one. */
export class WritableFileDevice extends FileDevice implements ResizableBlockDevice {
  static override async open(path: string, options: FileDeviceOptions = {}): Promise<WritableFileDevice> {
    const { descriptor, stat } = await openRegularFile(path, (name) => openFile(name, fs.constants.O_RDWR));
    return new WritableFileDevice(path, descriptor, stat, options.sectorSize ?? DEFAULT_SECTOR_SIZE);
  }

  /**
   * Keeps other programs that honor QEMU's locks from writing to the file until it is closed. DENIED when one of them has it
   * open already and does not share it, as QEMU does not what a machine writes. Nothing where the system has no such locks.
   */
  async lock(): Promise<void> {
    const { locks } = await loadNative();
    if (locks === undefined || lockForWriting(locks, this.descriptor)) return;
    const expected = 'an image that no other program has open';
    throw denied({ layer: 'file', structure: this.path, expected, found: 'a lock on it, as QEMU takes one' });
  }

  async writeFrom(source: Uint8Array, offset: number, options?: ReadOptions): Promise<void> {
    checkRange(this, 'file', offset, source.length);
    let done = 0;
    while (done < source.length) {
      options?.signal?.throwIfAborted();
      done += await writeOnce(this.descriptor, source, done, offset + done, this.path);
    }
  }

  async resize(size: number): Promise<void> {
    try {
      await truncateFile(this.descriptor, size);
    } catch (cause) {
      throw systemError(cause, this.path, size);
    }
    this.currentSize = size;
  }

  async flush(): Promise<void> {
    await syncFile(this.descriptor).catch((cause: unknown) => {
      throw systemError(cause, this.path);
    });
  }
}

/** What `FileDevice.identity` would be for the file at a path; undefined when there is none. */
export async function fileIdentity(path: string): Promise<string | undefined> {
  const stat = await statPath(path).catch(() => undefined);
  return stat === undefined ? undefined : identityOf(stat);
}

function identityOf({ dev, ino }: fs.Stats): string {
  return `${dev}:${ino}`;
}

async function openReadOnly(path: string): Promise<number> {
  const flags = fs.constants.O_RDONLY;
  const keepAccessTime = fs.constants.O_NOATIME ?? 0;
  try {
    return await openFile(path, flags + keepAccessTime);
  } catch (error) {
    // Only a file's owner may ask for O_NOATIME.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM' || keepAccessTime === 0) throw error;
    return openFile(path, flags);
  }
}

async function openRegularFile(
  path: string,
  open: (path: string) => Promise<number>,
): Promise<{ descriptor: number; stat: fs.Stats }> {
  try {
    // Before the open: opening a FIFO waits for its other end, and opening a device may have an effect.
    requireRegular(path, await statPath(path));
    const descriptor = await open(path);
    try {
      const stat = await statFile(descriptor);
      requireRegular(path, stat);
      return { descriptor, stat };
    } catch (error) {
      await closeFile(descriptor);
      throw error;
    }
  } catch (error) {
    throw systemError(error, path);
  }
}

function requireRegular(path: string, stat: fs.Stats): void {
  if (stat.isFile()) return;
  const kind = stat.isDirectory() ? 'a directory' : stat.isBlockDevice() ? 'a block device' : 'a special file';
  throw unsupported({ layer: 'file', structure: path, expected: 'a regular file', found: kind });
}

function readOnce(descriptor: number, target: Uint8Array, at: number, position: number, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.read(descriptor, target, at, Math.min(target.length - at, MAX_REQUEST_BYTES), position, (error, count) => {
      if (error) reject(systemError(error, path, position));
      else resolve(count);
    });
  });
}

function writeOnce(
  descriptor: number,
  source: Uint8Array,
  at: number,
  position: number,
  path: string,
): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.write(descriptor, source, at, Math.min(source.length - at, MAX_REQUEST_BYTES), position, (error, count) => {
      if (error) reject(systemError(error, path, position));
      else resolve(count);
    });
  });
}

/** Nothing is wrong with the device: the user, or who keeps the host, decides. */
const DENYING_CODES: readonly string[] = ['EACCES', 'EPERM', 'EROFS', 'EEXIST'];

/** An error of the operating system as a DiskError; a DiskError stays itself. */
export function systemError(cause: unknown, path: string, offset?: number): DiskError {
  if (cause instanceof DiskError) return cause;
  const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
  const details = { layer: 'file', structure: path, offset, cause };
  // A name that is too long for any file is as good as a missing one: images carry such names.
  if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENAMETOOLONG')
    return notFound({ ...details, found: 'no such file' });
  const found = systemWords(code);
  return DENYING_CODES.includes(code) ? denied({ ...details, found }) : ioError({ ...details, found });
}
