import type { Command } from 'commander';
import { denied, exportDevice, formatBytes, type Image } from '../../core/index.ts';
import { addImageCommand, type Host } from '../image-command.ts';
import type { ImageOptions } from '../session.ts';
import { bytesOf, writeBytes } from '../target-bytes.ts';

interface ExportOptions extends ImageOptions {
  readonly force?: boolean;
}

export function registerExport(host: Host): void {
  addImageCommand<ExportOptions>(host, {
    // commander wants optional arguments last: with two given, the second is OUT.
    usage: 'export <image> <locator-or-out> [out]',
    description: 'the virtual disk, a partition or a file to a raw file, with holes where it is zero',
    examples: [
      'sectorscope export disk.qcow2 disk.raw',
      'sectorscope export disk.qcow2 p1 esp.img',
      'sectorscope export disk.qcow2 p1 - | md5sum',
    ],
    options: (command: Command) =>
      command.usage('[options] <image> [locator] <out>').option('--force', 'replace OUT when it is there'),
    action: async (image, args, options, session) => {
      const [locator, out] = args[1] === undefined ? [undefined, args[0]!] : [args[0], args[1]];
      const { device, name } = await bytesOf(image, locator, session);
      const { output, signal } = session;
      if (out === '-') {
        await writeBytes(device, session);
        return;
      }
      await requireOther(image, out);
      const progress = session.progress(`Exporting ${name}`);
      try {
        await exportDevice(device, out, { overwrite: options.force === true, signal, onProgress: progress.update });
      } finally {
        progress.end();
      }
      if (options.json === true) await output.json({ locator: name, out, size: device.size });
      else session.note(`${name}: ${formatBytes(device.size)} written to ${out}`);
    },
  });
}

/** Not even `--force` replaces a file that the image itself is made of. */
export async function requireOther(image: Image, out: string): Promise<void> {
  if (!(await image.hasFile(out))) return;
  throw denied({ layer: 'output', structure: out, expected: 'another file', found: 'a file of the image itself' });
}
