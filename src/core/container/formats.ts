import type { BlockDevice } from '../device/block-device.ts';
import { unsupported } from '../errors.ts';
import type { Format, OpenContext } from '../format.ts';
import type { Container } from './container.ts';
import { qcow2Format } from './qcow2/qcow2-format.ts';
import { rawFormat } from './raw.ts';

/** Every container format, in the order they are tried; raw, which matches everything, stands last. */
export const containerFormats: readonly Format<Container>[] = [qcow2Format, rawFormat];

/** Opens the container that `device` holds: the format named, or the first whose magic matches. */
export async function openContainer(
  device: BlockDevice,
  context: OpenContext,
  formatName?: string | undefined,
): Promise<Container> {
  for (const format of containerFormats) {
    if (formatName === undefined ? await format.probe(device) : format.name === formatName)
      return format.open(device, context);
  }
  throw unsupported({
    layer: 'container',
    expected: `one of ${containerFormats.map((format) => format.name).join(', ')}`,
    found: formatName ?? 'nothing that matches',
  });
}
