import { escapeUnprintable } from '../bytes/text.ts';

/** What went wrong, in one line that is safe for a terminal. */
export function errorText(error: unknown): string {
  return escapeUnprintable(error instanceof Error ? error.message : String(error));
}
