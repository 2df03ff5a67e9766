import path from 'node:path';
import type { Command } from 'commander';
import { escapeText, extract, formatLocator, madeText, unsupported } from '../../core/index.ts';
import { addDeletedOption, type DeletedOption } from '../deleted-option.ts';
import { addImageCommand, type Host, targetOf } from '../image-command.ts';
import { errorJson, errorLine } from '../output.ts';
import { addPartialOption, lostJson, type PartialOption, tellLost, writeReadable } from '../partial-option.ts';
import type { ImageOptions } from '../session.ts';
import { deviceOf, requireFile, writeBytes } from '../target-bytes.ts';

interface ExtractCommandOptions extends ImageOptions, PartialOption, DeletedOption {
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
      addDeletedOption(addPartialOption(command)).option(
        '--owner',
        'the user and the group by their numbers too (as root; otherwise all is yours)',
      ),
    action: async (image, [locator, destination], options, session) => {
      const { output, signal } = session;
      const target = await targetOf(image, locator, session, {
        followLast: destination === '-',
        deleted: options.deleted,
      });
      if (target.kind !== 'node') {
        throw unsupported({
          layer: 'extract',
          expected: 'a file or a directory (export writes a disk or a partition)',
          found: locator,
        });
      }
      if (destination === '-') {
        if (options.partial === true) await writeReadable(target.filesystem, requireFile(target), target.path, session);
        else await writeBytes(deviceOf(target).device, session);
        return;
      }
      const progress = session.progress('Extracting');
      const { owner, partial } = options;
      const name = path.posix.basename(target.path);
      const made = { entries: 0 };
      const onEntry = (): void => void made.entries++;
      const report = await extract(target.filesystem, target.node, name, destination!, {
        signal,
        owner,
        onEntry,
        partial,
        deleted: target.deleted,
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
          lost: lostJson(report.lost),
        });
      else session.note(`${madeText(report)} extracted`);
      const base = target.node.kind === 'directory' ? target.path.replace(/\/$/, '') : path.posix.dirname(target.path);
      const placeOf = (name: string): string => formatLocator(target.volume.name, path.posix.join('/', base, name));
      for (const range of report.lost) tellLost(placeOf(range.path), [range], session);
      for (const left of skipped) session.leaveOut(`left out ${placeOf(left.path)}: ${errorLine(left.reason)}`);
    },
  });
}
