import type { WritableContainer } from './container/container.ts';
import { WritableFileDevice } from './device/file-device.ts';
import { denied } from './errors.ts';
import type { Diagnostic } from './format.ts';
import { fileOptions, ImageOpener, type OpenOptions, type ReferenceRecord } from './image-opener.ts';
import { requireBytes } from './open-image.ts';

/** How to open for writing: how for reading, less what only reading has, and the word for it. */
export interface WritableOptions extends Pick<OpenOptions, 'format' | 'sectorSize' | 'references' | 'allowReferences'> {
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
  const disk = await opener.openWritableContainer();
  stack.move();
  return new WritableImage(disk, opener);
}
