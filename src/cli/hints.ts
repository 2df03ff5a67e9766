import { DiskError, type Remedy } from '../core/index.ts';

/** The option that each decision of the user's has here. */
const HINTS: Readonly<Record<Remedy, string>> = {
  allowReference: '--allow-reference PATH lets the image name that file, or any file of a folder',
  leaveBackingOut: '--no-backing reads the image without it; what only that file has reads as zeros then',
  givePassphrase: '--passphrase-file PATH gives one',
  replaceFile: '--force replaces it',
};

/** What only commands that read have an option for. */
const FOR_READING: readonly Remedy[] = ['leaveBackingOut', 'givePassphrase'];

/** What the user may do about an error, one line each: only options that the command has. */
export function hintsFor(error: unknown, options: { readonly backing?: unknown }): string[] {
  if (!(error instanceof DiskError)) return [];
  // Their --no-backing makes it a yes or no; the --backing of `create` is a path.
  const isReading = typeof options.backing === 'boolean';
  return error.remedies.filter((remedy) => isReading || !FOR_READING.includes(remedy)).map((remedy) => HINTS[remedy]);
}
