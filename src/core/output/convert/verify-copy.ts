import { differences } from '../../compare/differences.ts';
import type { ContainerFormatName } from '../../container/container.ts';
import { openContainer } from '../../container/formats.ts';
import type { BlockDevice } from '../../device/block-device.ts';
import { FileDevice } from '../../device/file-device.ts';
import { denied, ioError } from '../../errors.ts';
import type { OpenContext } from '../../format.ts';
import type { CopyOptions } from '../copy-sparse.ts';

/** What we write names no other file. */
const noReferences: OpenContext = {
  openReference: async ({ kind, name }) => {
    throw denied({ layer: 'output', structure: kind, expected: 'an image that stands by itself', found: name });
  },
  report: () => undefined,
};

/**
 * Reads an image file back and compares its disk with `source`, byte for byte. IO when they differ; zeros that fill the last
 * sector are no difference.
 */
export async function verifyCopy(
  source: BlockDevice,
  path: string,
  format: ContainerFormatName,
  options: CopyOptions = {},
): Promise<void> {
  await using file = await FileDevice.open(path, { sectorSize: source.sectorSize });
  await using container = await openContainer(file, noReferences, format);
  for await (const { start, length } of differences(source, container, options)) {
    throw ioError({
      layer: 'output',
      structure: 'verification',
      offset: start,
      expected: 'what the source holds',
      found: `other bytes in the written image, at least ${length} of them`,
    });
  }
}
