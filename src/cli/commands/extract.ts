import path from 'node:path';
import type { Command } from 'commander';
import { escapeText, extract, formatBytes, unsupported } from '../../core/index.ts';
import { addDeletedOption, type DeletedOption } from '../deleted-option.ts';
import { addImageCommand, type Host, targetOf } from '../image-command.ts';
import { counted, errorJson, errorLine } from '../output.ts';
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
      const report = await extract(target.filesystem, target.node, name, destination!, {
        signal,
        owner,
        partial,
        deleted: target.deleted,
        onProgress: progress.update,
      }).finally(() => progress.end());
      const skipped = report.skipped.map((left) => ({ path: left.path, reason: left.reason }));
      if (options.json === true)
        await output.json({
          ...report,
          skipped: skipped.map((left) => ({ path: left.path, reason: errorJson(left.reason) })),
          lost: lostJson(report.lost),
        });
      else
        session.note(
          `${counted(report.files, 'file', 'files')} (${formatBytes(report.bytes)}), ${counted(report.directories, 'directory', 'directories')}, ${counted(report.symlinks + report.hardLinks, 'link', 'links')} extracted`,
        );
      for (const range of report.lost) tellLost(escapeText(range.path), [range], session);
      for (const left of skipped) session.leaveOut(`left out ${escapeText(left.path)}: ${errorLine(left.reason)}`);
    },
  });
}
