import type { Command } from 'commander';

/** `--slack`, for the commands that give the bytes of a file. */
export interface SlackOption {
  readonly slack?: boolean;
}

export function addSlackOption(command: Command): Command {
  return command.option(
    '--slack',
    'what lies behind the end of the file in its last block, and in blocks it does not need',
  );
}
