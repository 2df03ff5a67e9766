import { type BlockDevice, type ReadOptions, readBytes } from '../device/block-device.ts';
import { ExtentDevice } from '../device/extent-device.ts';
import type { Directory, FileSystem, RegularFile } from './filesystem.ts';

/** A file's content (or a directory's own blocks) as a device, for the hex view, hashing and streaming. */
export function fileDevice(filesystem: FileSystem, node: RegularFile | Directory): ExtentDevice {
  return new ExtentDevice(node, filesystem.device.sectorSize);
}

/** The bytes that the storage of a file has behind its content: the rest of its last block, and blocks that it does not need. */
export async function slackDevice(
  filesystem: FileSystem,
  node: RegularFile,
  options?: ReadOptions,
): Promise<ExtentDevice> {
  return new ExtentDevice(await node.slack(options), filesystem.device.sectorSize);
}

/** A small file as bytes; `limit` is the most that is read. */
export async function readFile(
  filesystem: FileSystem,
  node: RegularFile,
  options: ReadOptions & { readonly limit?: number } = {},
): Promise<Uint8Array> {
  const device: BlockDevice = fileDevice(filesystem, node);
  return readBytes(device, 0, Math.min(node.size, options.limit ?? Number.MAX_SAFE_INTEGER), options);
}
