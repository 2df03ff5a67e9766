import type { BlockDevice } from '../device/block-device.ts';
import type { Format, OpenContext } from '../format.ts';
import { extCopyFormat, extFormat } from './ext/ext-format.ts';
import { fatCopyFormat, fatFormat } from './fat/fat-format.ts';
import type { FileSystem } from './filesystem.ts';
import { identifyContent } from './signatures.ts';

/** Every filesystem format, in the order they are tried: FAT last, because a boot sector may outlive its filesystem. */
export const filesystemFormats: readonly Format<FileSystem>[] = [extFormat, fatFormat];

/** Those whose first structure is damaged, by its copy. FAT's lies where ext would have written over it. */
const copyFormats: readonly Format<FileSystem>[] = [fatCopyFormat, extCopyFormat];

/** The filesystem on a device, or undefined when none that we read is there. */
export async function openFileSystem(device: BlockDevice, context: OpenContext): Promise<FileSystem | undefined> {
  for (const format of filesystemFormats) if (await format.probe(device)) return format.open(device, context);
  // Something else was made on it since: what is left of ext or FAT is old.
  if ((await identifyContent(device)) !== undefined) return undefined;
  for (const format of copyFormats) if (await format.probe(device)) return format.open(device, context);
  return undefined;
}
