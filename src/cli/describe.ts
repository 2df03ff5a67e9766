import {
  type Container,
  FileDevice,
  type FileNode,
  type FileSystem,
  formatTimestamp,
  type Layer,
  octalMode,
  type Partition,
  type PartitionTable,
  type Property,
  type Snapshot,
  type Volume,
} from '../core/index.ts';
import { errorJson } from './output.ts';

/** What `--json` says of each core object: the same keys in every command. Offsets and sizes are bytes. */

export function propertiesJson(properties: readonly Property[]): Record<string, unknown> {
  return Object.fromEntries(properties.map(({ key, value }) => [key, value]));
}

export function layerJson({ name, container }: Layer): unknown {
  const { format, size, sectorSize, file, properties } = container;
  const path = pathOf(container);
  return {
    name,
    path,
    // What was left out was not looked at.
    format: path === null && properties.some(({ key }) => key === 'leftOut') ? null : format,
    virtualSize: size,
    sectorSize,
    fileSize: file.size,
    properties: propertiesJson(properties),
  };
}

/** The host's file that a container is; null for a layer that was left out. */
export function pathOf({ file }: Container): string | null {
  return file instanceof FileDevice ? file.path : null;
}

export function snapshotJson({ id, name, date, virtualSize, vmStateSize }: Snapshot): unknown {
  return { id, name, date: snapshotDate(date), virtualSize, vmStateSize };
}

/** `2024-05-06T07:08:09.123Z`; a date that no calendar has as the number it is. */
export function snapshotDate(date: number): string {
  const moment = new Date(date);
  return Number.isNaN(moment.getTime()) ? `${date} ms after 1970` : moment.toISOString();
}

export function partitionJson(partition: Partition): Record<string, unknown> {
  const { number, kind, start, length, startSector, sectorCount, type, name, guid, flags } = partition;
  return {
    number,
    kind,
    start,
    length,
    startSector,
    sectorCount,
    type: type.id,
    typeName: type.name,
    name,
    guid,
    flags,
  };
}

export function partitionTableJson(table: PartitionTable): Record<string, unknown> {
  return {
    scheme: table.scheme,
    sectorSize: table.sectorSize,
    properties: propertiesJson(table.properties),
    partitions: table.partitions.map(partitionJson),
  };
}

export function filesystemJson(filesystem: FileSystem): Record<string, unknown> {
  const { type, label, blockSize, usage, properties } = filesystem;
  return { type, label, blockSize, total: usage.total, free: usage.free, properties: propertiesJson(properties) };
}

/** What a volume bears: a filesystem, something known by name, nothing, or an error. */
export interface VolumeContent {
  readonly volume: Volume;
  readonly filesystem?: FileSystem | undefined;
  readonly content?: string | undefined;
  readonly error?: unknown;
}

export async function volumeContent(volume: Volume): Promise<VolumeContent> {
  try {
    const filesystem = await volume.filesystem();
    return filesystem === undefined ? { volume, content: await volume.content() } : { volume, filesystem };
  } catch (error) {
    return { volume, error };
  }
}

export function volumeJson({ volume, filesystem, content, error }: VolumeContent): unknown {
  return {
    name: volume.name,
    start: volume.partition?.start ?? 0,
    length: volume.device.size,
    filesystem: filesystem === undefined ? null : filesystemJson(filesystem),
    content: content ?? null,
    ...(error === undefined ? {} : { error: errorJson(error) }),
  };
}

/** A node's facts; `path` is absolute in its filesystem. */
export function nodeJson(node: FileNode, target?: string): Record<string, unknown> {
  const { id, kind, size, allocated, mode, uid, gid, projectId, linkCount, flags, times, deleted } = node;
  const moments = Object.fromEntries(
    Object.entries(times).map(([name, time]) => [name, time === undefined ? undefined : formatTimestamp(time)]),
  );
  const permissions = mode === undefined ? undefined : octalMode(mode);
  const device = 'device' in node ? node.device : undefined;
  return {
    id,
    kind,
    size,
    allocated,
    mode: permissions,
    uid,
    gid,
    projectId,
    linkCount,
    flags,
    times: moments,
    deleted,
    device,
    target,
  };
}
