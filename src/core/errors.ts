import { escapeText } from './bytes/text.ts';

/**
 * What went wrong, in six words that callers may switch on.
 * CORRUPT: the bytes break the format. UNSUPPORTED: valid, but a feature this version does not read.
 * NOT_FOUND: no such partition, path or file. OUT_OF_RANGE: an address or number outside what it addresses.
 * DENIED: the policy or the user has not allowed it. IO: the device below failed.
 */
export type DiskErrorCode = 'CORRUPT' | 'UNSUPPORTED' | 'NOT_FOUND' | 'OUT_OF_RANGE' | 'DENIED' | 'IO';

/** A decision that is the user's to take, and that would get past an error; each face has its own word for it. */
export type Remedy = 'allowReference' | 'leaveBackingOut' | 'givePassphrase' | 'ignoreLog' | 'replaceFile';

export interface DiskErrorDetails {
  /** The format or part that speaks: `qcow2`, `gpt`, `ext`, `file`. */
  readonly layer: string;
  /** The on-disk structure, by its specification's name: `L1 table`, `boot sector`. */
  readonly structure?: string | undefined;
  /** Byte offset in the device that the layer reads. */
  readonly offset?: number | undefined;
  readonly expected?: string | undefined;
  readonly found?: string | number | bigint | undefined;
  readonly cause?: unknown;
  /** The file of the host that it is about, where that is not the one that was opened: a layer of a chain. */
  readonly file?: string | undefined;
  readonly remedies?: readonly Remedy[] | undefined;
}

/** The one error type for anything that an image, a device or a request gets wrong; our own bugs are assertions. */
export class DiskError extends Error {
  readonly code: DiskErrorCode;
  readonly layer: string;
  readonly structure: string | undefined;
  readonly offset: number | undefined;
  readonly expected: string | undefined;
  readonly found: string | undefined;
  readonly file: string | undefined;
  readonly remedies: readonly Remedy[];

  constructor(code: DiskErrorCode, details: DiskErrorDetails) {
    // Each may carry a name from an image: the message is safe for a terminal.
    const expected = details.expected === undefined ? undefined : escapeText(details.expected);
    const found = details.found === undefined ? undefined : escapeText(String(details.found));
    const structure = details.structure === undefined ? undefined : escapeText(details.structure);
    const file = details.file === undefined ? undefined : escapeText(details.file);
    super(
      describe({ ...details, file, structure, expected, found }),
      details.cause === undefined ? undefined : { cause: details.cause },
    );
    this.name = 'DiskError';
    this.code = code;
    this.layer = details.layer;
    this.structure = structure;
    this.offset = details.offset;
    this.expected = expected;
    this.found = found;
    this.file = file;
    this.remedies = details.remedies ?? [];
  }

  /** The fields a machine reads; what `--json` prints. */
  toJSON(): Record<string, unknown> {
    const { code, file, layer, structure, offset, expected, found, message } = this;
    return { code, file, layer, structure, offset, expected, found, message };
  }
}

/** What is wrong alone, for where its layer and place are told beside it: `expected a cluster from 2 to 90, found 99`. */
export function faultText({ expected, found }: Pick<DiskErrorDetails, 'expected' | 'found'>): string {
  const parts: string[] = [];
  if (expected !== undefined) parts.push(`expected ${expected}`);
  if (found !== undefined) parts.push(`found ${found}`);
  return parts.join(', ');
}

function describe(details: DiskErrorDetails): string {
  const place = [
    details.structure,
    details.offset === undefined ? undefined : `at offset 0x${details.offset.toString(16)}`,
  ].filter((part) => part !== undefined);
  return [details.file, details.layer, place.join(' '), faultText(details)].filter((part) => part).join(': ');
}

export function corrupt(details: DiskErrorDetails): DiskError {
  return new DiskError('CORRUPT', details);
}

export function unsupported(details: DiskErrorDetails): DiskError {
  return new DiskError('UNSUPPORTED', details);
}

export function notFound(details: DiskErrorDetails): DiskError {
  return new DiskError('NOT_FOUND', details);
}

export function outOfRange(details: DiskErrorDetails): DiskError {
  return new DiskError('OUT_OF_RANGE', details);
}

export function denied(details: DiskErrorDetails): DiskError {
  return new DiskError('DENIED', details);
}

export function ioError(details: DiskErrorDetails): DiskError {
  return new DiskError('IO', details);
}

/** An error of a layer of a chain with the file that it is about; one that names a file already, and what is no DiskError, stays itself. */
export function errorInFile(error: unknown, file: string, remedies: readonly Remedy[] = []): unknown {
  // A failure of the host, and one of a name in an image, say which file they are about.
  if (!(error instanceof DiskError) || error.file !== undefined || NAMING_LAYERS.includes(error.layer)) return error;
  // A log is replayed or ignored for the image alone.
  const kept = error.remedies.filter((remedy) => remedy !== 'ignoreLog');
  return changedError(error, file, [...kept, ...remedies]);
}

const NAMING_LAYERS: readonly string[] = ['file', 'reference'];

/** The same error with what gets past it; what is no DiskError stays itself. */
export function errorWithRemedy(error: unknown, remedy: Remedy): unknown {
  return error instanceof DiskError ? changedError(error, error.file, [...error.remedies, remedy]) : error;
}

function changedError(error: DiskError, file: string | undefined, remedies: readonly Remedy[]): DiskError {
  const { code, layer, offset, stack } = error;
  const changed = new DiskError(code, { layer, offset, file, remedies, cause: error });
  // Its words are escaped already, and would be again.
  const { structure, expected, found } = error;
  const message = changed.file === error.file ? error.message : `${changed.file}: ${error.message}`;
  return Object.assign(changed, { structure, expected, found, message, stack });
}

/** For our own bugs only: a broken promise between two pieces of this program, never a bad image. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${message}`);
}
