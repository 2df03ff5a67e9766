import { DiskError, type Remedy } from '../core/index.ts';
import type { CommandOptions } from './image-command.ts';

/** The option that each decision of the user's has here. */
const HINTS: Readonly<Record<Remedy, string>> = {
  allowReference: '--allow-reference PATH lets the image name that file, or any file of a folder',
  leaveBackingOut: '--no-backing reads the image without it; what only that file has reads as zeros then',
  givePassphrase: '--passphrase-file PATH gives one',
  ignoreLog: '--log ignore reads the file as it stands, without the updates that only its log has',
  replaceFile: '--force replaces it',
};

/** A name that could be that of a command, mistyped. */
const LIKE_A_COMMAND = /^[a-z]+$/;

/** What the user may do about an error, one line each: only options that the command has. */
export function hintsFor(error: unknown, options: CommandOptions): string[] {
  if (!(error instanceof DiskError)) return [];
  const hints = error.remedies.filter((remedy) => hasOption(remedy, options)).map((remedy) => HINTS[remedy]);
  const { browsed } = options;
  if (
    error.code === 'NOT_FOUND' &&
    browsed !== undefined &&
    error.structure === browsed &&
    LIKE_A_COMMAND.test(browsed)
  )
    hints.push('sectorscope --help lists the commands');
  return hints;
}

/** Options of commands that only read. */
const FOR_READING: readonly Remedy[] = ['leaveBackingOut', 'ignoreLog'];

function hasOption(remedy: Remedy, { backing }: CommandOptions): boolean {
  // The --no-backing of commands that read makes it a yes or no; the --backing of `create` is a path.
  return !FOR_READING.includes(remedy) || typeof backing === 'boolean';
}
