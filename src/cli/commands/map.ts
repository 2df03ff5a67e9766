import { fileDevice, leafExtents, type Target } from '../../core/index.ts';
import { addDeletedOption, type DeletedOption } from '../deleted-option.ts';
import { addImageCommand, type Host, targetOf } from '../image-command.ts';
import { mapRows, printMap } from '../map-rows.ts';
import type { ImageOptions } from '../session.ts';
import { deviceOf } from '../target-bytes.ts';

export function registerMap(host: Host): void {
  addImageCommand<ImageOptions & DeletedOption>(host, {
    usage: 'map <image> [locator]',
    description: 'where the bytes of the disk, a partition or a file lie in the host files',
    examples: [
      'sectorscope map disk.qcow2',
      'sectorscope map disk.qcow2 snapshot=before',
      'sectorscope map --json disk.qcow2 p2:/etc/passwd',
    ],
    options: addDeletedOption,
    action: async (image, [locator], options, session) => {
      const { output, signal } = session;
      const target = await targetOf(image, locator, session, { deleted: options.deleted });
      const device = mappedDevice(target);
      const rows = mapRows(leafExtents(device, { start: 0, length: device.size }, { signal }), target.image.layers);
      if (options.json === true) await output.jsonArray(rows);
      else await printMap(rows, image, output);
    },
  });
}

/** A directory has blocks to map as well. */
function mappedDevice(target: Target): ReturnType<typeof deviceOf>['device'] {
  if (target.kind === 'node' && target.node.kind === 'directory') return fileDevice(target.filesystem, target.node);
  return deviceOf(target).device;
}
