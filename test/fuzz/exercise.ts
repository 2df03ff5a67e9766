import { openContainer } from '../../src/core/container/formats.ts';
import {
  type BlockDevice,
  type Container,
  type Extent,
  type FileSystem,
  fileDevice,
  LostRanges,
  openFileSystem,
  RangeView,
  type RegularFile,
  readableParts,
  readBytes,
  walk,
} from '../../src/core/index.ts';
import { openPartitionTable } from '../../src/core/partition/formats.ts';
import { testContext } from '../helpers/context.ts';

const MAX_EXTENTS = 2000;
const MAX_ENTRIES = 300;
const READ_BYTES = 64 * 1024;
const RANDOM_READS = 6;
const MAX_PARTS = 20;
/** Of what a search for deleted files finds, so many are read; all of them are counted. */
const MAX_RECOVERED = 100;

export type OnError = (error: unknown) => void;

/**
 * Does with an image what the faces do: opens every layer, lists, maps and reads a part of everything. Each failure is
 * handed over and ends only what it concerns.
 */
export async function exercise(file: BlockDevice, random: () => number, onError: OnError): Promise<void> {
  const attempt = async <Value>(action: () => Promise<Value>): Promise<Value | undefined> => {
    try {
      return await action();
    } catch (error) {
      onError(error);
      return undefined;
    }
  };
  const context = testContext();
  const container = await attempt(() => openContainer(file, context));
  if (container === undefined) return;
  await attempt(() => readSome(container, random));
  await attempt(() => mapSome(container));
  for (const { id } of container.snapshots?.slice(0, 3) ?? []) {
    const view = await attempt(() => openContainer(file, context, undefined, { snapshot: id }));
    if (view !== undefined) await attempt(() => readSome(view, random));
  }
  for (const options of [{ log: 'ignore' }, { unmapped: 'raw' }] as const) {
    if (container.format !== 'vhdx') break;
    const view = await attempt(() => openContainer(file, context, undefined, options));
    if (view !== undefined) await attempt(() => readSome(view, random));
  }
  const table = await attempt(() => openPartitionTable(container, context));
  const ranges = table?.partitions.slice(0, 8) ?? [{ start: 0, length: container.size }];
  for (const { start, length } of ranges) {
    const from = Math.min(start, container.size);
    const view = new RangeView(container, {
      start: from,
      length: Math.max(0, Math.min(length, container.size - from)),
    });
    const filesystem = await attempt(() => openFileSystem(view, context));
    if (filesystem === undefined) continue;
    await attempt(() => readFiles(filesystem, random, onError));
    await attempt(() => checkAll(filesystem));
    await attempt(() => recoverSome(filesystem, random, onError));
  }
  await container[Symbol.asyncDispose]();
}

async function readSome(device: BlockDevice, random: () => number): Promise<void> {
  const length = Math.min(READ_BYTES, device.size);
  await readBytes(device, 0, length);
  await readBytes(device, device.size - length, length);
  for (let read = 0; read < RANDOM_READS; read++) {
    const some = Math.floor(random() * length);
    await readBytes(device, Math.floor(random() * (device.size - some)), some);
  }
}

async function mapSome(container: Container): Promise<void> {
  let count = 0;
  let end = 0;
  for await (const extent of container.extents({ start: 0, length: container.size })) {
    checkExtent(extent, end, container.size);
    end = extent.start + extent.length;
    if (++count > MAX_EXTENTS) break;
  }
}

/** What the contract of `extents` says, whatever the image says. */
function checkExtent(extent: Extent, from: number, size: number): void {
  if (extent.start !== from || !(extent.length > 0) || extent.start + extent.length > size)
    throw new Error(`an extent of ${extent.length} at ${extent.start}, after ${from}, of ${size}`);
  if (
    extent.kind === 'data' &&
    !(extent.sourceOffset >= 0 && extent.sourceOffset + extent.length <= extent.source.size)
  )
    throw new Error(`data from ${extent.sourceOffset}, ${extent.length} bytes of ${extent.source.size}`);
}

async function readFiles(filesystem: FileSystem, random: () => number, onError: OnError): Promise<void> {
  let count = 0;
  for await (const { entry } of walk(filesystem, filesystem.rootId, { deleted: true, onError })) {
    if (++count > MAX_ENTRIES) return;
    try {
      const node = await filesystem.node(entry.nodeId, { deleted: entry.deleted });
      if (node.kind === 'file') {
        await readSome(fileDevice(filesystem, node), random);
        await salvageSome(filesystem, node);
      } else if (node.kind === 'symlink') await node.target();
    } catch (error) {
      onError(error);
    }
  }
}

/** What is given of a damaged file lies in it, in order, and so does what is lost. */
async function salvageSome(filesystem: FileSystem, node: RegularFile): Promise<void> {
  const lost = new LostRanges();
  let end = 0;
  let parts = 0;
  let failure: unknown;
  try {
    for await (const { start, bytes } of readableParts(filesystem, node, lost)) {
      if (start < end || start + bytes.length > node.size) throw new Error(`a part at ${start} after ${end}`);
      end = start + bytes.length;
      if (++parts > MAX_PARTS) break;
    }
  } catch (error) {
    failure = error;
  }
  for (const { start, length } of lost.list())
    if (!(start >= 0 && length > 0 && start + length <= node.size))
      throw new Error(`lost: ${length} at ${start} of ${node.size}`);
  if (failure !== undefined) throw failure;
}

/** A damaged part of a filesystem is a finding, and what is told of it can be printed. */
async function checkAll(filesystem: FileSystem): Promise<void> {
  for await (const { severity, code, structure, offset, message } of filesystem.check()) {
    if (!['error', 'warning', 'note'].includes(severity)) throw new Error(`${code} has the severity ${severity}`);
    if (!/^[a-z0-9-]+$/.test(code) || structure === '' || message === '')
      throw new Error(`a finding without words: ${code}`);
    if (offset !== undefined && !(Number.isSafeInteger(offset) && offset >= 0)) throw new Error(`${code} at ${offset}`);
  }
}

async function recoverSome(filesystem: FileSystem, random: () => number, onError: OnError): Promise<void> {
  const keys = new Set<string>();
  for await (const { key, node } of filesystem.recoverable()) {
    if (keys.has(key) || !/^[!-~]+$/.test(key)) throw new Error(`the key ${key} is not one`);
    keys.add(key);
    if (keys.size > MAX_RECOVERED) continue;
    try {
      if (node.kind === 'file') await readSome(fileDevice(filesystem, node), random);
      else if (node.kind === 'symlink') await node.target();
      else if (node.kind === 'directory') for await (const _ of node.entries()) break;
    } catch (error) {
      onError(error);
    }
  }
}
