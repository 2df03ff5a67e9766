import path from 'node:path';
import type { Command } from 'commander';
import { escapeText, extract, formatLocator, madeText, unsupported } from '../../core/index.ts';
import { addImageCommand, type Host, targetOf } from '../image-command.ts';
import { errorJson, errorLine } from '../output.ts';
import type { ImageOptions } from '../session.ts';
import { deviceOf, writeBytes } from '../target-bytes.ts';

interface ExtractCommandOptions extends ImageOptions {
  readonly owner?: boolean;
}

export function registerExtract(host: Host): void {
  addImageCommand<ExtractCommandOptions>(host, {
    usage: 'extract <image> <locator> <dest>',
    description:
      'a file or a directory with all below it, out of the image: times, permissions, links and holes are kept; extended attributes, set-id bits and special files are not',
    examples: [
      'sectorscope extract disk.qcow2 p2:/etc ./etc',
      'sectorscope extract disk.qcow2 p2:/var/log/syslog .',
      'sectorscope extract disk.qcow2 p2:/etc/passwd -',
    ],
    options: (command: Command) =>
      command.option('--owner', 'the user and the group by their numbers too (as root; otherwise all is yours)'),
    action: async (image, [locator, destination], options, session) => {
      const { output, signal } = session;
      const target = await targetOf(image, locator, session, destination === '-');
      if (target.kind !== 'node') {
        throw unsupported({
          layer: 'extract',
          expected: 'a file or a directory (export writes a disk or a partition)',
          found: locator,
        });
      }
      if (destination === '-') {
        await writeBytes(deviceOf(target).device, session);
        return;
      }
      const progress = session.progress('Extracting');
      const { owner } = options;
      const name = path.posix.basename(target.path);
      const made = { entries: 0 };
      const onEntry = (): void => void made.entries++;
      const report = await extract(target.filesystem, target.node, name, destination!, {
        signal,
        owner,
        onEntry,
        onProgress: progress.update,
      })
        .catch((error: unknown) => {
          progress.end();
          if (signal.aborted && made.entries > 0)
            session.note(`what was whole by then stays in ${escapeText(destination!)}; no file is half-written`);
          throw error;
        })
        .finally(() => progress.end());
      const skipped = report.skipped.map((left) => ({ path: left.path, reason: left.reason }));
      if (options.json === true)
        await output.json({
          ...report,
          skipped: skipped.map((left) => ({ path: left.path, reason: errorJson(left.reason) })),
        });
      else session.note(`${madeText(report)} extracted`);
      const base = target.node.kind === 'directory' ? target.path.replace(/\/$/, '') : path.posix.dirname(target.path);
      for (const left of skipped) {
        const place = formatLocator(target.volume.name, path.posix.join('/', base, left.path));
        session.leaveOut(`left out ${place}: ${errorLine(left.reason)}`);
      }
    },
  });
}
