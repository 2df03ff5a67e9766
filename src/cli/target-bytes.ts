import {
  type BlockDevice,
  fileDevice,
  formatLocator,
  formatView,
  type Image,
  type RegularFile,
  slackDevice,
  streamBytes,
  streamReadable,
  type Target,
  unsupported,
} from '../core/index.ts';
import { targetOf } from './image-command.ts';
import type { Session } from './session.ts';
import { wantsPath } from './wants-path.ts';

/** The bytes that a locator stands for, as a device, and its name in print. */
export interface TargetBytes {
  readonly device: BlockDevice;
  readonly name: string;
}

export async function bytesOf(
  image: Image,
  locator: string | undefined,
  session: Session,
  options: { readonly slack?: boolean | undefined; readonly deleted?: boolean | undefined } = {},
): Promise<TargetBytes> {
  const target = await targetOf(image, locator, session, { deleted: options.deleted });
  if (options.slack !== true) return deviceOf(target);
  if (target.kind !== 'node') throw wantsPath('slack', target);
  return { device: await slackDevice(target.filesystem, requireFile(target), session), ...named(target) };
}

function named(target: Target & { kind: 'node' }): { readonly name: string } {
  return { name: formatLocator(target.volume.name, target.path) };
}

/** A directory or a special file has no bytes to give: UNSUPPORTED. */
export function deviceOf(target: Target): TargetBytes {
  switch (target.kind) {
    case 'disk':
      return { device: target.device, name: target.image.view === undefined ? 'disk' : formatView(target.image.view) };
    case 'partition':
      return { device: target.device, name: target.volume.name };
    case 'node': {
      const node = requireFile(target);
      return { device: fileDevice(target.filesystem, node), ...named(target) };
    }
  }
}

/** The regular file that a target is; anything else is UNSUPPORTED. */
export function requireFile(target: Target & { kind: 'node' }): RegularFile {
  const { node, filesystem, path } = target;
  if (node.kind === 'file') return node;
  throw unsupported({
    layer: filesystem.type,
    structure: path,
    expected: 'a regular file',
    found: `a ${node.kind}`,
  });
}

/** All bytes of a device in order, as the session may be canceled. */
export function allBytes(device: BlockDevice, { signal }: Session): AsyncGenerator<Uint8Array, void> {
  return streamBytes(device, { start: 0, length: device.size }, { signal });
}

/** The same to standard output, as they are: where they cannot be read to the end, all before that too. */
export async function writeBytes(device: BlockDevice, session: Session): Promise<void> {
  const { signal } = session;
  for await (const chunk of streamReadable(device, { start: 0, length: device.size }, { signal }))
    await session.output.write(chunk);
}
