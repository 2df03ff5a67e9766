import {
  escapeText,
  escapeUnprintable,
  formatBytes,
  formatView,
  hasValue,
  type Image,
  type Property,
  propertyLabel,
  propertyText,
  type Snapshot,
} from '../../core/index.ts';
import {
  layerJson,
  partitionTableJson,
  pathOf,
  snapshotDate,
  snapshotJson,
  type VolumeContent,
  volumeContent,
  volumeJson,
} from '../describe.ts';
import { addImageCommand, type Host, imageOf } from '../image-command.ts';
import { errorJson, errorLine, table } from '../output.ts';
import type { Session } from '../session.ts';

export function registerInfo(host: Host): void {
  addImageCommand(host, {
    usage: 'info <image> [locator]',
    description: 'what the image is: container, layers, snapshots, partition table, filesystems',
    examples: [
      'sectorscope info disk.qcow2',
      'sectorscope info disk.qcow2 snapshot=before',
      'sectorscope info --json disk.qcow2 | jq .volumes',
    ],
    action: async (opened, [locator], options, session) => {
      const image = await imageOf(opened, locator, session);
      const volumes = [];
      for (const volume of image.volumes) volumes.push(await volumeContent(volume));
      if (options.json === true) await session.output.json(infoJson(image, volumes));
      else await printInfo(image, volumes, session);
      const failed = [image.partitionError, ...volumes.map(({ error }) => error)].filter(
        (error) => error !== undefined,
      );
      for (const error of failed) session.leaveOut(errorLine(error));
    },
  });
}

function infoJson(image: Image, volumes: readonly VolumeContent[]): unknown {
  return {
    path: image.path,
    view: image.view === undefined ? null : formatView(image.view),
    chain: image.layers.map(layerJson),
    snapshots: (image.container.snapshots ?? []).map(snapshotJson),
    references: image.references,
    partitionTable: image.partitionTable === undefined ? null : partitionTableJson(image.partitionTable),
    ...(image.partitionError === undefined ? {} : { partitionError: errorJson(image.partitionError) }),
    volumes: volumes.map(volumeJson),
    diagnostics: image.diagnostics,
  };
}

async function printInfo(image: Image, volumes: readonly VolumeContent[], { output }: Session): Promise<void> {
  await output.printAll(containerLines(image));
  if (image.partitionTable !== undefined) {
    await output.print(
      `partition table: ${image.partitionTable.scheme.toUpperCase()}, ${image.partitionTable.partitions.length} partitions`,
    );
    await output.printAll(
      propertyLines([
        { key: 'sectorSize', value: image.partitionTable.sectorSize, unit: 'bytes' },
        ...image.partitionTable.properties,
      ]),
    );
  } else
    await output.print(
      image.partitionError === undefined
        ? 'partition table: none'
        : `partition table: ${errorLine(image.partitionError)}`,
    );
  for (const volume of volumes) await output.printAll(volumeLines(volume));
}

/** The layers, what they are named by and what was opened for it, and the snapshots. */
function* containerLines(image: Image): Generator<string, void> {
  const { container, references } = image;
  for (const [depth, { name, container: layer }] of image.layers.entries()) {
    const view = image.view === undefined ? '' : `, ${formatView(image.view)}`;
    yield depth === 0 ? escapeText(name) + view : `backing layer ${depth}: ${escapeText(name)}`;
    const path = pathOf(layer);
    yield* propertyLines([
      ...(path === null && depth > 0 ? [] : [{ key: 'format', value: layer.format }]),
      ...(depth === 0 || path === null ? [] : [{ key: 'path', value: path }]),
      { key: 'virtualSize', value: layer.size, unit: 'bytes' },
      { key: 'fileSize', value: layer.file.size, unit: 'bytes' },
      { key: 'sectorSize', value: layer.sectorSize, unit: 'bytes' },
      // Snapshots have a table of their own.
      ...layer.properties.filter(({ key }) => key !== 'snapshots'),
    ]);
  }
  if (references.length > 0) yield 'references:';
  for (const { kind, name, path, opened, rule } of references) {
    const found = path === undefined ? '' : ` = ${escapeText(path)}`;
    yield `  ${kind} ${escapeText(name)}${found}: ${opened ? 'opened' : 'not opened'}, ${escapeUnprintable(rule)}`;
  }
  const snapshots = container.snapshots ?? [];
  if (snapshots.length > 0) yield `snapshots: ${snapshots.length}`;
  yield* snapshotLines(snapshots);
}

function snapshotLines(snapshots: readonly Snapshot[]): string[] {
  if (snapshots.length === 0) return [];
  // The name last: it may be long, and the other columns keep their places.
  const head = ['  id', 'date (UTC)', 'virtual size', 'VM state', 'name'];
  const rows = snapshots.map(({ id, name, date, virtualSize, vmStateSize }) => [
    `  ${escapeText(id)}`,
    snapshotDate(date).replace('T', ' ').replace('Z', ''),
    formatBytes(virtualSize),
    vmStateSize === 0 ? '-' : formatBytes(vmStateSize),
    escapeText(name),
  ]);
  return table([head, ...rows], ['left', 'left', 'right', 'right', 'left']);
}

function volumeLines({ volume, filesystem, content, error }: VolumeContent): string[] {
  const { partition } = volume;
  const type = partition === undefined ? undefined : partition.type.name || partition.type.id;
  const named = partition?.name === undefined || partition.name === '' ? '' : ` "${escapeText(partition.name)}"`;
  const head =
    partition === undefined ? 'the whole disk' : `${volume.name}:${named} ${type}, ${formatBytes(partition.length)}`;
  if (error !== undefined) return [head, `  ${errorLine(error)}`];
  if (filesystem === undefined)
    return [head, `  no filesystem that we read${content === undefined ? '' : ` (${content})`}`];
  const { total, free } = filesystem.usage;
  return [
    head,
    ...propertyLines([
      { key: 'filesystem', value: filesystem.type },
      { key: 'label', value: filesystem.label },
      { key: 'blockSize', value: filesystem.blockSize, unit: 'bytes' },
      { key: 'total', value: total, unit: 'bytes' },
      ...(free === undefined ? [] : [{ key: 'free', value: free, unit: 'bytes' } as const]),
      ...filesystem.properties,
    ]),
  ];
}

function propertyLines(properties: readonly Property[]): string[] {
  return table(
    properties.filter(hasValue).map((property) => [`  ${propertyLabel(property.key)}`, propertyText(property)]),
  );
}
