import { Command, CommanderError } from 'commander';
import type { Image } from '../core/index.ts';
import { registerBrowse } from './commands/browse.ts';
import { registerCat } from './commands/cat.ts';
import { registerCheck } from './commands/check.ts';
import { registerConvert } from './commands/convert.ts';
import { registerCreate } from './commands/create.ts';
import { registerDiff } from './commands/diff.ts';
import { registerExport } from './commands/export.ts';
import { registerExtract } from './commands/extract.ts';
import { registerFind } from './commands/find.ts';
import { registerGrep } from './commands/grep.ts';
import { registerHash } from './commands/hash.ts';
import { registerHex } from './commands/hex.ts';
import { registerInfo } from './commands/info.ts';
import { registerLs } from './commands/ls.ts';
import { registerMap } from './commands/map.ts';
import { registerParts } from './commands/parts.ts';
import { registerRecover } from './commands/recover.ts';
import { registerResize } from './commands/resize.ts';
import { registerStat } from './commands/stat.ts';
import { registerTimeline } from './commands/timeline.ts';
import { registerWrite } from './commands/write.ts';
import { EXIT, EXIT_CODES_HELP, exitCodeOf, UsageError } from './exit-codes.ts';
import { firstError } from './first-error.ts';
import { hintsFor } from './hints.ts';
import type { CommandOptions, Host } from './image-command.ts';
import { errorJson, errorLine, Output, outputError } from './output.ts';
import { packageVersion } from './package-file.ts';
import { ProgressLine } from './progress-line.ts';
import type { Session } from './session.ts';

/** What the command line can start that is not its own. */
export interface Faces {
  browse(image: Image, start: BrowseStart): Promise<void>;
}

/** Where browsing begins. */
export interface BrowseStart {
  readonly locator: string | undefined;
  /** As the prompt for offsets takes it, in what the locator names. */
  readonly offset: string | undefined;
}

const LOCATOR_HELP = `sectorscope COMMAND --help has the arguments and examples of each.

A LOCATOR is a place inside the image:
  p2:/etc/passwd   a file in partition 2       p2:   the root of its filesystem
  p2               the bytes of partition 2    :/a   a disk without partitions
  /a.txt           in the only filesystem there is; no LOCATOR is the whole disk
Before it may stand another disk that the image holds, and a slash:
  snapshot=before/p2:/etc   layer=1/p2 (a backing layer)
  log=ignore/p2 (before the replay of a log)
IMAGE may be - for standard input.
Numbers: 4096, 0x1000, 2048s (sectors), 4KiB, 1MiB.`;

/** The commands by their names, in the order of the help. */
const COMMANDS: ReadonlyMap<string, (host: Host) => void> = new Map([
  ['info', registerInfo],
  ['parts', registerParts],
  ['ls', registerLs],
  ['cat', registerCat],
  ['extract', registerExtract],
  ['recover', registerRecover],
  ['find', registerFind],
  ['grep', registerGrep],
  ['stat', registerStat],
  ['timeline', registerTimeline],
  ['check', registerCheck],
  ['hex', registerHex],
  ['hash', registerHash],
  ['export', registerExport],
  ['map', registerMap],
  ['create', registerCreate],
  ['resize', registerResize],
  ['write', registerWrite],
  ['convert', registerConvert],
  ['diff', registerDiff],
]);

/** What ends a command early: it cleans up and ends with `EXIT.interrupted`. */
const INTERRUPTS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Runs one command line; returns the exit code. */
export async function runCli(argv: readonly string[], faces: Faces): Promise<number> {
  const program = new Command('sectorscope');
  const host = new CommandHost(program);
  // Collected, and printed as the output of every command is: its reader may be gone, or the disk full.
  let help = '';
  const writeOut = (text: string): void => {
    help += text;
  };
  const tellUsage = (text: string, write: (text: string) => void): void =>
    write(argv.includes('--json') ? usageJson(text) : text);
  program
    .description(
      'Inspect disk images: browse, list, extract, hash and hex-view; read-only but for create, resize and write.',
    )
    .version(packageVersion())
    .exitOverride()
    .configureOutput({ writeOut, outputError: tellUsage })
    // The arguments are in the help of each; with them nothing fits beside them on 80 columns.
    .configureHelp({ subcommandTerm: (command) => command.name() })
    // Options before a command are the program's, those after it the command's own: both have --json.
    .enablePositionalOptions()
    .showSuggestionAfterError()
    .helpCommand(false)
    .addHelpText('after', `\n${LOCATOR_HELP}\n\n${EXIT_CODES_HELP}`);
  // A command that is named needs none of the others; to declare all of them takes longer than many a command.
  const named = COMMANDS.get(argv[0] ?? '');
  if (named === undefined) {
    registerBrowse(host, faces);
    for (const register of COMMANDS.values()) register(host);
    program.hook('preSubcommand', refuseMisplaced);
  } else named(host);
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return host.exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode !== 0) return EXIT.usage;
    await host.run({}, async ({ output }) => output.print(help.trimEnd()));
    return host.exitCode;
  }
}

/** An option before the command is browsing's: the command would never see it, and open what --no-references keeps closed. */
function refuseMisplaced(program: Command, command: Command): void {
  const given = program.options.find((option) => program.getOptionValueSource(option.attributeName()) === 'cli');
  if (given !== undefined)
    program.error(`error: ${given.long} stands before '${command.name()}', and belongs behind it`);
}

class CommandHost implements Host {
  readonly program: Command;
  exitCode: number = EXIT.ok;

  constructor(program: Command) {
    this.program = program;
  }

  async run(options: CommandOptions, action: (session: Session) => Promise<void>): Promise<void> {
    const controller = new AbortController();
    const interrupt = (): void => controller.abort();
    const output = new Output(process.stdout, controller.signal);
    // A reader that has enough (`| head`) is no failure: stop, and say nothing.
    let isReaderGone = false;
    const onOutputError = (error: NodeJS.ErrnoException): void => {
      isReaderGone = isBrokenPipe(error);
      controller.abort(isReaderGone ? undefined : outputError(error));
    };
    for (const signal of INTERRUPTS) process.on(signal, interrupt);
    const releaseSignals = (): void => {
      for (const signal of INTERRUPTS) process.off(signal, interrupt);
    };
    process.stdout.on('error', onOutputError);
    try {
      await action({ ...this.#session(output, controller.signal), releaseSignals });
      await output.end();
    } catch (error) {
      if (isReaderGone || isBrokenPipe(error)) return;
      await output.end().catch(() => undefined);
      this.#fail(error, controller.signal, options);
    } finally {
      releaseSignals();
    }
  }

  #session(output: Output, signal: AbortSignal): Omit<Session, 'releaseSignals'> {
    const note = (message: string): void => {
      process.stderr.write(`sectorscope: ${message}\n`);
    };
    return {
      output,
      signal,
      note,
      leaveOut: (message) => {
        this.exitCode = EXIT.incomplete;
        note(message);
      },
      markNotable: () => {
        this.exitCode = EXIT.incomplete;
      },
      progress: (label) => new ProgressLine(label, process.stderr),
    };
  }

  #fail(error: unknown, signal: AbortSignal, options: CommandOptions): void {
    const first = firstError(error);
    const isAbort = (first as Error | undefined)?.name === 'AbortError';
    const cause = isAbort && (signal.reason as Error | undefined)?.name !== 'AbortError' ? signal.reason : first;
    this.exitCode = exitCodeOf(cause);
    const line = this.exitCode === EXIT.interrupted ? 'interrupted' : errorLine(cause);
    if (options.json === true) process.stderr.write(`${JSON.stringify({ error: errorJson(cause) })}\n`);
    else
      for (const each of [line, ...hintsFor(cause, options).map((hint) => `hint: ${hint}`)])
        process.stderr.write(`sectorscope: ${each}\n`);
    if (this.exitCode === EXIT.internal && process.env['SECTORSCOPE_DEBUG'] !== undefined) {
      process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    }
  }
}

/** What commander says of wrong usage, `error: ` before it and lines of help behind it, as every other error in JSON. */
function usageJson(text: string): string {
  return `${JSON.stringify({ error: errorJson(new UsageError(text.trim().replace(/^error: /, ''))) })}\n`;
}

function isBrokenPipe(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.code === 'EPIPE';
}
