import { type BlockDevice, fileDevice, formatLocator, type Image, type Target } from '../core/index.ts';
import { requireFile, targetOf } from './image-command.ts';
import type { Session } from './session.ts';

/** The bytes that a locator stands for, as a device, and its name in print. */
export interface TargetBytes {
  readonly device: BlockDevice;
  readonly name: string;
}

export async function bytesOf(image: Image, locator: string | undefined, session: Session): Promise<TargetBytes> {
  return deviceOf(await targetOf(image, locator, session));
}

/** A directory or a special file has no bytes to give: UNSUPPORTED. */
export function deviceOf(target: Target): TargetBytes {
  switch (target.kind) {
    case 'disk':
      return { device: target.device, name: 'disk' };
    case 'partition':
      return { device: target.device, name: `p${target.partition.number}` };
    case 'node': {
      const node = requireFile(target);
      return { device: fileDevice(target.filesystem, node), name: formatLocator(target.volume.name, target.path) };
    }
  }
}
