import type { BlockDevice } from '../device/block-device.ts';
import type { Format, OpenContext } from '../format.ts';
import { extFormat } from './ext/ext-format.ts';
import { fatFormat } from './fat/fat-format.ts';
import type { FileSystem } from './filesystem.ts';

/** Every filesystem format, in the order they are tried: FAT last, because a boot sector may outlive its filesystem. */
export const filesystemFormats: readonly Format<FileSystem>[] = [extFormat, fatFormat];

/** The filesystem on a device, or undefined when none that we read is there. */
export async function openFileSystem(device: BlockDevice, context: OpenContext): Promise<FileSystem | undefined> {
  for (const format of filesystemFormats) if (await format.probe(device)) return format.open(device, context);
  return undefined;
}
