import { type Command, InvalidArgumentError, Option } from 'commander';
import {
  codePageNames,
  containerFormatNames,
  type DiskError,
  type Image,
  isPowerOfTwo,
  parseLocator,
  parseSize,
  type ResolveOptions,
  type Target,
  unsupported,
} from '../core/index.ts';
import { UsageError } from './exit-codes.ts';
import { PASSPHRASE_VARIABLE } from './passphrase.ts';
import { type ImageOptions, noteDiagnostics, openNamed, type Session } from './session.ts';

/** The options that decide how an error is told. */
export interface CommandOptions {
  readonly json?: boolean;
  readonly backing?: unknown;
  /** The image's name where no command was given, which may be meant for one. */
  readonly browsed?: string | undefined;
}

/** What a command is given to declare itself: the program, and how its action is run. */
export interface Host {
  readonly program: Command;
  /** Runs an action with a session; its errors become a line on standard error and an exit code. */
  run(options: CommandOptions, action: (session: Session) => Promise<void>): Promise<void>;
}

export interface ImageCommand<Options extends ImageOptions> {
  /** Name and arguments as commander has them, `ls <image> [locator]`; the first argument is the image. */
  readonly usage: string;
  readonly description: string;
  /** Lines of `sectorscope ...` for the help. */
  readonly examples: readonly string[];
  readonly options?: (command: Command) => void;
  /** Set where `--format` says what to write: the image's own is given by `--input-format` then. */
  readonly writesFormat?: boolean;
  /** Whether it opens another image with the same options. */
  readonly hasOther?: boolean;
  action(image: Image, args: readonly (string | undefined)[], options: Options, session: Session): Promise<void>;
}

const SECTOR_SIZE_LIMITS = { smallest: 512, largest: 65536 } as const;

/** Declares a command that opens an image read-only, works on it and closes it. */
export function addImageCommand<Options extends ImageOptions>(host: Host, spec: ImageCommand<Options>): void {
  const command = host.program.command(spec.usage).description(spec.description);
  spec.options?.(command);
  addImageOptions(command, spec.writesFormat === true ? '--input-format' : '--format').option('--json', 'print JSON');
  // Where two are compared no filesystem is read, and the word has another meaning.
  if (spec.hasOther !== true) addStrictOption(command);
  command.addHelpText('after', `\nExamples:\n${spec.examples.map((line) => `  $ ${line}`).join('\n')}`);
  command.action(async (...given: unknown[]) => {
    const [name, ...args] = command.processedArgs as [string, ...(string | undefined)[]];
    const options = given[command.registeredArguments.length] as Options;
    await host.run(options, async (session) => {
      const format = spec.writesFormat === true ? options.inputFormat : options.format;
      await using image = await openNamed(name, { ...options, format, isOneOfTwo: spec.hasOther }, session);
      try {
        await spec.action(image, args, options, session);
      } finally {
        noteDiagnostics(image, session);
      }
    });
  });
}

/** The options of everything that reads an image. */
export function addImageOptions(command: Command, formatFlag = '--format'): Command {
  return addOpenOptions(command, formatFlag)
    .option('--no-backing', 'leave the backing file alone: what only it has reads as zeros')
    .addOption(passphraseOption('for an encrypted image'))
    .addOption(choice('--log <what>', 'updates that are only in the log of the image', ['replay', 'ignore']))
    .option(
      '--code-page <number>',
      'the DOS code page of short names on FAT: 850, 932, ... (default: 437)',
      parseCodePage,
    )
    .addOption(choice('--unmapped <what>', 'what ranges that were given back read as', ['zeros', 'raw']));
}

/** For everything that may read a filesystem. */
export function addStrictOption(command: Command): Command {
  return command.option('--strict', 'end where a checksum of metadata is wrong, instead of telling it and reading on');
}

/** The options of everything that opens an image, to read it or to write it. */
export function addOpenOptions(command: Command, formatFlag = '--format'): Command {
  return command
    .option(
      `${formatFlag} <name>`,
      `take the image for this format instead of looking: ${containerFormatNames.join(', ')}`,
    )
    .option('--sector-size <bytes>', 'sector size of an image that does not say', parseSectorSize)
    .option('--allow-reference <path>', 'let the image refer to this file or folder too (again for more)', collect)
    .option('--no-references', 'open no file that the image refers to');
}

export function passphraseOption(purpose: string): Option {
  return new Option(
    '--passphrase-file <path>',
    `${purpose}: its first line (- for standard input; or ${PASSPHRASE_VARIABLE})`,
  );
}

function choice(flags: string, description: string, choices: readonly [string, ...string[]]): Option {
  return new Option(flags, `${description} (default: ${choices[0]})`).choices(choices);
}

export function collect(value: string, previous: readonly string[] = []): string[] {
  return [...previous, value];
}

function parseSectorSize(text: string): number {
  const bytes = asSize(text);
  const { smallest, largest } = SECTOR_SIZE_LIMITS;
  if (isPowerOfTwo(bytes) && bytes >= smallest && bytes <= largest) return bytes;
  throw new InvalidArgumentError(`Expected a power of two from ${smallest} to ${largest}.`);
}

function parseCodePage(text: string): string {
  const name = text.toLowerCase().replace(/^(cp|ibm|windows-)/, '');
  if (codePageNames.includes(name)) return name;
  throw new InvalidArgumentError(`Expected one of ${codePageNames.join(', ')}.`);
}

/** A number of bytes as the user writes it, for an option. */
export function asSize(text: string): number {
  try {
    return parseSize(text, SECTOR_SIZE_LIMITS.smallest);
  } catch (error) {
    throw new InvalidArgumentError((error as DiskError).message);
  }
}

/** The same for what is counted in sectors of the image, and so is told only when it is open. */
export function bytesFrom(text: string, sectorSize: number): number {
  try {
    return parseSize(text, sectorSize);
  } catch (error) {
    throw new UsageError((error as DiskError).message);
  }
}

/** The image that a LOCATOR of no more than a view leads to: for commands about a disk as a whole. */
export async function imageOf(image: Image, locator: string | undefined, session: Session): Promise<Image> {
  const target = await targetOf(image, locator, session);
  if (target.kind === 'disk') return target.image;
  const expected = 'no place, or a view such as snapshot=NAME or layer=1';
  throw unsupported({ layer: 'locator', expected, found: locator });
}

/** Follows the LOCATOR argument. */
export async function targetOf(
  image: Image,
  locator: string | undefined,
  session: Session,
  { followLast = true, deleted }: Omit<ResolveOptions, 'signal'> = {},
): Promise<Target> {
  return image.resolve(parseLocator(locator), { signal: session.signal, followLast, deleted });
}
