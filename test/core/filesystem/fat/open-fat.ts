import type { FatFileSystem } from '../../../../src/core/filesystem/fat/fat-file-system.ts';
import { openFat } from '../../../../src/core/filesystem/fat/fat-format.ts';
import type { BlockDevice, Directory, DirectoryEntry, Extent, RegularFile } from '../../../../src/core/index.ts';
import { MemoryDevice } from '../../../../src/core/index.ts';
import { testContext } from '../../../helpers/context.ts';

export interface OpenedFat {
  readonly filesystem: FatFileSystem;
  readonly messages: () => string[];
}

export async function opened(source: Uint8Array | BlockDevice): Promise<OpenedFat> {
  const context = testContext();
  const device = source instanceof Uint8Array ? new MemoryDevice(source) : source;
  const filesystem = await openFat(device, context);
  return { filesystem, messages: () => context.diagnostics.map(({ message }) => message) };
}

export async function rootEntries(filesystem: FatFileSystem, deleted = false): Promise<DirectoryEntry[]> {
  const root = await filesystem.root();
  const entries: DirectoryEntry[] = [];
  for await (const entry of root.entries({ deleted })) entries.push(entry);
  return entries;
}

export async function fileNamed(filesystem: FatFileSystem, name: string): Promise<RegularFile> {
  const node = await nodeNamed(filesystem, name);
  if (node.kind !== 'file') throw new Error(`${name} is a ${node.kind}`);
  return node;
}

export async function nodeNamed(filesystem: FatFileSystem, name: string): Promise<RegularFile | Directory> {
  const entry = (await rootEntries(filesystem, true)).find((found) => found.name === name);
  if (entry === undefined) throw new Error(`no ${name}`);
  return filesystem.node(entry.nodeId);
}

/** Start, length and place in the device of every extent. */
export async function extentsOf(node: {
  size: number;
  extents(range: { start: number; length: number }): AsyncIterable<Extent>;
}) {
  const extents: [number, number, number][] = [];
  for await (const extent of node.extents({ start: 0, length: node.size }))
    extents.push([extent.start, extent.length, extent.kind === 'data' ? extent.sourceOffset : -1]);
  return extents;
}
