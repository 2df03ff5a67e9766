import { DiskError, type DiskErrorCode } from '../core/index.ts';

/** What the process ends with; `--help` prints this table. */
export const EXIT = {
  ok: 0,
  /** The command finished, but left something out, found what it was asked to report, or (grep) found nothing. */
  incomplete: 1,
  usage: 2,
  corrupt: 3,
  unsupported: 4,
  notFound: 5,
  outOfRange: 6,
  denied: 7,
  io: 8,
  internal: 70,
  interrupted: 130,
} as const;

const BY_ERROR: Readonly<Record<DiskErrorCode, number>> = {
  CORRUPT: EXIT.corrupt,
  UNSUPPORTED: EXIT.unsupported,
  NOT_FOUND: EXIT.notFound,
  OUT_OF_RANGE: EXIT.outOfRange,
  DENIED: EXIT.denied,
  IO: EXIT.io,
};

/** Options or arguments that do not go together, told only when they are all known. */
export class UsageError extends Error {}

export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return EXIT.usage;
  if (error instanceof DiskError) return BY_ERROR[error.code];
  return (error as Error | undefined)?.name === 'AbortError' ? EXIT.interrupted : EXIT.internal;
}

export const EXIT_CODES_HELP = `Exit codes:
  0 done   1 something was left out (standard error says what), diff found a
  difference, check an error, or grep nothing   2 wrong usage   3 the image is
  corrupt   4 unsupported   5 not found   6 outside the range   7 denied
  8 I/O error   70 a bug of ours   130 interrupted`;
