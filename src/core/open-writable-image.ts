import type { WritableContainer } from './container/container.ts';
import type { ByteRange } from './device/block-device.ts';
import { FileDevice, fileIdentity, WritableFileDevice } from './device/file-device.ts';
import { OverlayDevice } from './device/overlay-device.ts';
import { denied, notFound } from './errors.ts';
import type { Diagnostic } from './format.ts';
import { isFileOf } from './image-files.ts';
import { fileOptions, ImageOpener, type OpenOptions, type ReferenceRecord } from './image-opener.ts';
import { requireBytes } from './open-image.ts';
import { openPartitionTable } from './partition/formats.ts';
import type { PartitionTable } from './partition/partition-table.ts';

/** How to open what would be written: how for reading, less what only reading has. A passphrase is for the layers below. */
export type RehearsalOptions = Pick<
  OpenOptions,
  'format' | 'sectorSize' | 'references' | 'allowReferences' | 'passphrase' | 'offeredPassphrase'
>;

/** How to open for writing, and the word for it. */
export interface WritableOptions extends RehearsalOptions {
  /** The user's explicit word. */
  readonly writable: true;
}

/** An image that is open for writing. Disposing it flushes and closes the layers in reverse. */
export class WritableImage implements AsyncDisposable {
  readonly path: string;
  /** The virtual disk; nothing is cached between it and the file. */
  readonly disk: WritableContainer;
  readonly diagnostics: readonly Diagnostic[];
  readonly references: readonly ReferenceRecord[];
  readonly #opener: ImageOpener;

  constructor(disk: WritableContainer, opener: ImageOpener) {
    this.path = opener.file.path;
    this.disk = disk;
    this.diagnostics = opener.diagnostics;
    this.references = opener.references;
    this.#opener = opener;
  }

  /** Whether a path leads to one of the files that the image is made of. */
  async hasFile(path: string): Promise<boolean> {
    // In a rehearsal the disk does not stand on the file itself.
    if ((await fileIdentity(path)) === this.#opener.file.identity) return true;
    return isFileOf(this.disk, this.references, path);
  }

  /** The partition table as the disk has it now; undefined for a disk without one. */
  partitionTable(): Promise<PartitionTable | undefined> {
    return openPartitionTable(this.disk, this.#opener.contextFor(undefined));
  }

  /**
   * Where the disk (no number) or a partition lies on the disk, as far as the disk reaches, and the size of a sector there, which
   * a partition table tells where the image does not. NOT_FOUND for a partition that is not there.
   */
  async rangeOf(partition?: number): Promise<ByteRange & { readonly sectorSize: number }> {
    const { size, sectorSize } = this.disk;
    const reading = this.partitionTable();
    // The disk as a whole can be written whatever its table is like.
    const table = await (partition === undefined ? reading.catch(() => undefined) : reading);
    if (partition === undefined) return { start: 0, length: size, sectorSize: table?.sectorSize ?? sectorSize };
    const found = table?.partitions.find(({ number, kind }) => number === partition && kind !== 'extended');
    if (table === undefined || found === undefined)
      throw notFound({ layer: 'locator', expected: 'a partition of the disk', found: `p${partition}` });
    const start = Math.min(found.start, size);
    return { start, length: Math.max(0, Math.min(found.length, size - start)), sectorSize: table.sectorSize };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opener[Symbol.asyncDispose]();
  }
}

/**
 * Opens an image to write to it. DENIED without `{writable: true}`, and when another program has it open (as far as QEMU's locks
 * tell); UNSUPPORTED for a format that is only read, or an image that cannot be written safely. Backing files are never written.
 */
export async function openWritableImage(imagePath: string, options: WritableOptions): Promise<WritableImage> {
  if (options.writable !== true)
    throw denied({
      layer: 'image',
      structure: imagePath,
      expected: '{writable: true}',
      found: 'no word that it may be written',
    });
  await using stack = new AsyncDisposableStack();
  const file = await WritableFileDevice.open(imagePath, fileOptions(options));
  const opener = stack.use(new ImageOpener(file, imagePath, options));
  await file.lock();
  requireBytes(file);
  const disk = await opener.openWritableContainer(file);
  stack.move();
  return new WritableImage(disk, opener);
}

/**
 * The same image with all that is written kept in memory: whether a change can be made, and what comes of it. The file is opened
 * read-only and not locked. OUT_OF_RANGE for more changes than memory may take.
 */
export async function rehearseWritableImage(imagePath: string, options: RehearsalOptions = {}): Promise<WritableImage> {
  await using stack = new AsyncDisposableStack();
  const file = await FileDevice.open(imagePath, fileOptions(options));
  const opener = stack.use(new ImageOpener(file, imagePath, options));
  requireBytes(file);
  const disk = await opener.openWritableContainer(new OverlayDevice(file));
  stack.move();
  return new WritableImage(disk, opener);
}
