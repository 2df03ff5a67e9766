import { type Command, Option } from 'commander';
import {
  type ContainerFormatName,
  type CreateImageOptions,
  containerFormatNames,
  createImage,
  formatExactBytes,
} from '../../core/index.ts';
import { UsageError } from '../exit-codes.ts';
import { asSize, collect, type Host, passphraseOption } from '../image-command.ts';
import { environmentPassphrase, readPassphrase } from '../passphrase.ts';

interface Options {
  readonly format: ContainerFormatName;
  readonly size?: number;
  readonly backing?: string;
  readonly backingFormat?: ContainerFormatName;
  readonly clusterSize?: number;
  readonly blockSize?: number;
  readonly type?: 'fixed' | 'dynamic';
  readonly sectorSize?: '512' | '4096';
  readonly allowReference?: readonly string[];
  readonly references: boolean;
  readonly passphraseFile?: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

/** Options that mean something for some formats only. */
const FORMATS_OF_OPTION = {
  clusterSize: ['qcow2'],
  blockSize: ['vhdx'],
  type: ['vhdx'],
  sectorSize: ['vhdx'],
  backing: ['qcow2', 'vhdx'],
} as const satisfies Partial<Record<keyof Options, readonly ContainerFormatName[]>>;

const EXAMPLES = [
  'sectorscope create disk.qcow2 --format qcow2 --size 20GiB',
  'sectorscope create disk.vhdx --format vhdx --size 20GiB --type fixed',
  'sectorscope create top.qcow2 --format qcow2 --backing disk.qcow2 --backing-format qcow2',
];

export function registerCreate(host: Host): void {
  const formats = [...containerFormatNames];
  const command: Command = host.program
    .command('create <path>')
    .description('a new, empty image')
    .addOption(new Option('--format <name>', 'what to make').choices(formats).makeOptionMandatory())
    .option('--size <bytes>', 'of the disk: 20GiB; with a backing file, its size unless given', asSize)
    .option('--backing <path>', 'the image below, from the folder of the new one')
    .addOption(new Option('--backing-format <name>', 'its format; never guessed').choices(formats))
    .option('--cluster-size <bytes>', 'of qcow2, 512 to 2 MiB (default: 64 KiB)', asSize)
    .option('--block-size <bytes>', 'of vhdx, 1 to 256 MiB', asSize)
    .addOption(new Option('--type <name>', 'of vhdx (default: dynamic)').choices(['fixed', 'dynamic']))
    .addOption(new Option('--sector-size <bytes>', 'of vhdx, logical (default: 512)').choices(['512', '4096']))
    .addOption(passphraseOption('for an encrypted backing file'))
    .option('--allow-reference <path>', 'let the backing file refer to this file or folder too', collect)
    .option('--no-references', 'open no file that the backing file refers to')
    .option('--force', 'replace PATH when it is there')
    .option('--json', 'print JSON')
    .addHelpText('after', `\nExamples:\n${EXAMPLES.map((line) => `  $ ${line}`).join('\n')}`);
  command.action(async (path: string, options: Options) => {
    await host.run(options, async (session) => {
      const virtualSize = await createImage(path, createOptions(options));
      const { format } = options;
      if (options.json === true) await session.output.json({ path, format, virtualSize });
      else session.note(`${path}: ${format}, a disk of ${formatExactBytes(virtualSize)}`);
    });
  });
}

function createOptions(options: Options): CreateImageOptions {
  const { format, backing, backingFormat, sectorSize, force = false } = options;
  for (const [name, formats] of Object.entries(FORMATS_OF_OPTION)) {
    const isGiven = options[name as keyof typeof FORMATS_OF_OPTION] !== undefined;
    if (isGiven && !(formats as readonly string[]).includes(format))
      throw new UsageError(`--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} is not for ${format}`);
  }
  if (backing === undefined && options.passphraseFile !== undefined)
    throw new UsageError('--passphrase-file is for an encrypted backing file');
  if ((backing === undefined) !== (backingFormat === undefined))
    throw new UsageError('--backing and --backing-format go together');
  if (options.size === undefined && backing === undefined) throw new UsageError('--size is needed, or --backing');
  return {
    format,
    size: options.size,
    backing: backing === undefined ? undefined : { name: backing, format: backingFormat! },
    clusterSize: options.clusterSize,
    blockSize: options.blockSize,
    type: options.type,
    logicalSectorSize: sectorSize === undefined ? undefined : sectorSize === '4096' ? 4096 : 512,
    references: options.references ? 'beside' : 'none',
    allowReferences: options.allowReference,
    passphrase: readPassphrase(options.passphraseFile),
    offeredPassphrase: environmentPassphrase(),
    overwrite: force,
  };
}
