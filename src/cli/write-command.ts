import { denied, openWritableImage, rehearseWritableImage, type WritableImage } from '../core/index.ts';
import { UsageError } from './exit-codes.ts';
import { addOpenOptions, type Host, passphraseOption } from './image-command.ts';
import { environmentPassphrase, readPassphrase } from './passphrase.ts';
import { type ImageOptions, noteDiagnostics, openOptions, type Session } from './session.ts';

/** The options of a command that writes to an image. */
export interface WriteOptions extends ImageOptions {
  /** The user's explicit word. */
  readonly write?: boolean;
  /** Of `write`: `-` is standard input. */
  readonly input?: string;
}

export interface WriteCommand<Options extends WriteOptions> {
  /** As commander has them; the first argument is the image. */
  readonly usage: string;
  readonly description: string;
  readonly examples: readonly string[];
  readonly options?: (command: ReturnType<Host['program']['command']>) => void;
  /**
   * What the command would do, in words that follow "this would"; throws for what cannot be done. What it writes to the image
   * is kept in memory, and forgotten.
   */
  plan(
    image: WritableImage,
    args: readonly (string | undefined)[],
    options: Options,
    session: Session,
  ): Promise<string>;
  run(image: WritableImage, args: readonly (string | undefined)[], options: Options, session: Session): Promise<void>;
}

/** Declares a command that writes to an image: with `--write` it does, without it only looks, and says what it would do. */
export function addWriteCommand<Options extends WriteOptions>(host: Host, spec: WriteCommand<Options>): void {
  const command = host.program.command(spec.usage).description(spec.description);
  spec.options?.(command);
  addOpenOptions(command)
    .addOption(passphraseOption('for an encrypted backing file'))
    .option('--write', 'do it; without it nothing is written')
    .option('--json', 'print JSON')
    .addHelpText('after', `\nExamples:\n${spec.examples.map((line) => `  $ ${line}`).join('\n')}`);
  command.action(async (...given: unknown[]) => {
    const [path, ...args] = command.processedArgs as [string, ...(string | undefined)[]];
    const options = given[command.registeredArguments.length] as Options;
    const { format, sectorSize, references, allowReferences } = openOptions({ ...options, backing: true });
    await host.run(options, async (session) => {
      if (path === '-') throw new UsageError('IMAGE must be a file here: standard input is only read');
      if (options.input === '-' && options.passphraseFile === '-')
        throw new UsageError('--passphrase-file - and --input - both take standard input');
      const passphrase = readPassphrase(options.passphraseFile);
      const offeredPassphrase = passphrase ?? environmentPassphrase();
      const common = { format, sectorSize, references, allowReferences, offeredPassphrase };
      if (options.write !== true) {
        await using image = await rehearseWritableImage(path, common);
        try {
          const found = `none: this would ${await spec.plan(image, args, options, session)}`;
          throw denied({ layer: command.name(), structure: path, expected: '--write', found });
        } finally {
          noteDiagnostics(image, session, 'with --write');
        }
      }
      await using image = await openWritableImage(path, { ...common, writable: true });
      try {
        await spec.run(image, args, options, session);
      } finally {
        noteDiagnostics(image, session);
      }
    });
  });
}
