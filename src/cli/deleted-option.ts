import type { Command } from 'commander';

/** `--deleted`, for the commands whose LOCATOR may be of a deleted file. */
export interface DeletedOption {
  readonly deleted?: boolean;
}

export function addDeletedOption(command: Command): Command {
  return command.option('--deleted', 'where no file has a name of the LOCATOR, take a deleted one of that name');
}
