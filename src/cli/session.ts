import { createWriteStream, fstatSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import {
  escapeUnprintable,
  FileDevice,
  type FileDeviceOptions,
  type Image,
  notFound,
  type OpenImageOptions,
  openImage,
  openImageOn,
  systemError,
} from '../core/index.ts';
import { UsageError } from './exit-codes.ts';
import type { Output } from './output.ts';
import { environmentPassphrase, readPassphrase } from './passphrase.ts';
import type { ProgressLine } from './progress-line.ts';

/** The options that every command on an image has, as commander hands them over. */
export interface ImageOptions {
  readonly json?: boolean;
  readonly format?: string | undefined;
  /** The image's own format, where `format` is that of the output. */
  readonly inputFormat?: string;
  readonly sectorSize?: number;
  readonly allowReference?: readonly string[];
  /** False after `--no-references`. */
  readonly references: boolean;
  /** False after `--no-backing`. */
  readonly backing: boolean;
  readonly passphraseFile?: string;
  readonly log?: 'replay' | 'ignore';
  readonly unmapped?: 'zeros' | 'raw';
  readonly strict?: boolean;
  /** The number of a DOS code page. */
  readonly codePage?: string;
  /** Whether the options are for another image as well: a passphrase may be for that one. */
  readonly isOneOfTwo?: boolean | undefined;
}

/** What a command works with: where it prints, how it is canceled, what it ends with. */
export interface Session {
  readonly output: Output;
  readonly signal: AbortSignal;
  /** A line on standard error. */
  note(message: string): void;
  /** The command goes on, and ends with exit code 1. */
  leaveOut(message: string): void;
  /** The command goes on, and ends with exit code 1: its answer is one that a script should notice. */
  markNotable(): void;
  /** Progress on standard error while it is a terminal. */
  progress(label: string): ProgressLine;
  /** For a face that handles SIGINT and SIGTERM itself: they abort `signal` no more. */
  releaseSignals(): void;
}

/** Opens IMAGE as the options say; `-` is standard input. */
export async function openNamed(name: string, options: ImageOptions, session: Session): Promise<Image> {
  if (name === '-' && options.passphraseFile === '-')
    throw new UsageError('--passphrase-file - and IMAGE - both take standard input');
  const passphrase = readPassphrase(options.passphraseFile);
  const open: OpenImageOptions = {
    ...openOptions(options),
    ...(options.isOneOfTwo === true
      ? { offeredPassphrase: passphrase ?? environmentPassphrase() }
      : { passphrase, offeredPassphrase: environmentPassphrase() }),
  };
  if (name !== '-') return openImage(name, open);
  return openImageOn(await standardInput(session, { sectorSize: options.sectorSize }), open);
}

/** What the options of every command say to the core. */
export function openOptions(options: ImageOptions): OpenImageOptions {
  return {
    format: options.format,
    sectorSize: options.sectorSize,
    references: options.references ? 'beside' : 'none',
    allowReferences: options.allowReference,
    backing: options.backing ? 'open' : 'none',
    log: options.log,
    strict: options.strict,
    unmapped: options.unmapped,
    codePage: options.codePage,
  };
}

/** What was odd is said on standard error, once the command has met it; `when`: what must be done to meet it. */
export function noteDiagnostics(image: Pick<Image, 'diagnostics'>, session: Session, when = ''): void {
  for (const { layer, structure, offset, message, view = '' } of image.diagnostics) {
    const place = [structure, offset === undefined ? undefined : `at offset 0x${offset.toString(16)}`];
    const parts = [when, view, layer, place.filter((part) => part !== undefined).join(' '), message];
    session.note(`note: ${escapeUnprintable(parts.filter((part) => part !== '').join(': '))}`);
  }
}

/** Standard input as a device: a redirected file as it is; a pipe, which cannot seek, through a file that is gone at once. */
export async function standardInput(session: Session, options: FileDeviceOptions): Promise<FileDevice> {
  const name = 'standard input';
  const descriptor = 0;
  const stat = fstatSync(descriptor);
  // A directory is refused there; Node would read it as empty.
  if (stat.isFile() || stat.isDirectory()) return FileDevice.fromDescriptor(descriptor, name, options);
  if (process.stdin.isTTY) {
    throw notFound({
      layer: 'file',
      structure: name,
      expected: 'an image in a pipe',
      found: 'a terminal',
    });
  }
  let folder = tmpdir();
  try {
    folder = await mkdtemp(path.join(folder, 'sectorscope-'));
  } catch (error) {
    throw systemError(error, folder);
  }
  try {
    const spool = path.join(folder, 'standard-input');
    const progress: ProgressLine = session.progress('Reading standard input');
    await pipeline(process.stdin, progress.counting(), createWriteStream(spool, { flags: 'wx', mode: 0o600 }), {
      signal: session.signal,
    });
    progress.end();
    return await FileDevice.open(spool, { ...options, name });
  } catch (error) {
    throw (error as Error).name === 'AbortError' ? error : systemError(error, folder);
  } finally {
    // The open descriptor keeps the bytes where the system allows it; elsewhere the file stays until the system clears it.
    await rm(folder, { recursive: true, force: true }).catch(() => undefined);
  }
}
