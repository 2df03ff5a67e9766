import fs from 'node:fs';
import type { ReadOptions } from '../device/block-device.ts';
import type { FileSystem, LostRange, RegularFile } from '../filesystem/filesystem.ts';
import { LostRanges, readableParts } from '../filesystem/readable-parts.ts';
import { nonZeroRuns } from './copy-sparse.ts';

/**
 * Writes what can be read of a damaged file to an empty file, each byte at its offset, and gives what is lost: holes stand for
 * it. The file has its whole size afterwards.
 */
export async function copyReadable(
  filesystem: FileSystem,
  node: RegularFile,
  descriptor: number,
  options?: ReadOptions,
): Promise<readonly LostRange[]> {
  const lost = new LostRanges();
  for await (const { start, bytes } of readableParts(filesystem, node, lost, options)) {
    for (const [from, to] of nonZeroRuns(bytes, start))
      for (let at = from; at < to; ) at += fs.writeSync(descriptor, bytes, at, to - at, start + at);
  }
  fs.ftruncateSync(descriptor, node.size);
  return lost.list();
}
