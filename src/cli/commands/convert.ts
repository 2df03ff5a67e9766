import { stat } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import { type ConvertOptions, convertImage, denied, formatBytes } from '../../core/index.ts';
import { addImageCommand, asSize, type Host } from '../image-command.ts';
import type { ImageOptions, Session } from '../session.ts';
import { bytesOf } from '../target-bytes.ts';
import { requireOther } from './export.ts';

interface Options extends ImageOptions {
  readonly format: ConvertOptions['format'];
  readonly compress?: 'zlib' | 'zstd';
  readonly clusterSize?: number;
  readonly blockSize?: number;
  readonly verify?: boolean;
  readonly force?: boolean;
}

export function registerConvert(host: Host): void {
  addImageCommand<Options>(host, {
    // commander wants optional arguments last: with two given, the second is OUT.
    usage: 'convert <image> <locator-or-out> [out]',
    description: 'the virtual disk, a partition or a file to a new image that stands by itself, sparse',
    examples: [
      'sectorscope convert disk.vhdx disk.qcow2 --format qcow2 --compress zstd --verify',
      'sectorscope convert overlay.qcow2 whole.vhdx --format vhdx',
      'sectorscope convert disk.img disk.qcow2 --format qcow2 --input-format raw --cluster-size 128KiB',
    ],
    writesFormat: true,
    options: (command: Command) =>
      command
        .usage('[options] <image> [locator] <out>')
        .addOption(
          new Option('--format <name>', 'what to write').choices(['raw', 'qcow2', 'vhdx']).makeOptionMandatory(),
        )
        .addOption(new Option('--compress <type>', 'store what becomes smaller compressed').choices(['zlib', 'zstd']))
        .option('--cluster-size <bytes>', 'of qcow2, 512 to 2 MiB (default: 64 KiB)', asSize)
        .option('--block-size <bytes>', 'of vhdx, 1 to 256 MiB (default: 32 MiB)', asSize)
        .option(
          '--verify',
          'read the new image back and compare it with the source; a difference removes it, exit code 8',
        )
        .option('--force', 'replace OUT when it is there'),
    action: async (image, args, options, session) => {
      const [locator, out] = args[1] === undefined ? [undefined, args[0]!] : [args[0], args[1]];
      if (out === '-') {
        const why =
          options.format === 'raw' ? 'export writes a raw disk there' : 'tables are written when their place is known';
        throw denied({ layer: 'output', structure: 'OUT', expected: `a file: ${why}`, found: 'standard output' });
      }
      const { device, name } = await bytesOf(image, locator, session);
      await requireOther(image, out);
      await convert(device, name, out, options, session);
      const { size, blocks } = await stat(out);
      const { format, verify = false } = options;
      const stored = blocks * 512;
      if (options.json === true) {
        const facts = {
          locator: name,
          out,
          format,
          virtualSize: device.size,
          fileSize: size,
          stored,
          verified: verify,
        };
        await session.output.json(facts);
      } else {
        const parts = [`${formatBytes(device.size)} written to ${out}`, `${formatBytes(stored)} of ${format}`];
        session.note(`${name}: ${parts.join(', ')}${verify ? ', verified' : ''}`);
      }
    },
  });
}

async function convert(
  device: Parameters<typeof convertImage>[0],
  name: string,
  out: string,
  options: Options,
  { signal, progress }: Session,
): Promise<void> {
  const { format, compress, clusterSize, blockSize, verify = false, force = false } = options;
  const converting = progress(`Converting ${name}`);
  const verifying = progress(`Verifying ${out}`);
  try {
    await convertImage(device, out, {
      format,
      compression: compress,
      clusterSize,
      blockSize,
      overwrite: force,
      verify,
      signal,
      onProgress: converting.update,
      onVerifyProgress: verifying.update,
    });
  } finally {
    converting.end();
    verifying.end();
  }
}
