import { escapeText, formatBytes, type Image, type Property, propertyLabel, propertyText } from '../../core/index.ts';
import {
  chainOf,
  containerJson,
  partitionTableJson,
  type VolumeContent,
  volumeContent,
  volumeJson,
} from '../describe.ts';
import { addImageCommand, type Host } from '../image-command.ts';
import { errorJson, errorLine, table } from '../output.ts';
import type { Session } from '../session.ts';

export function registerInfo(host: Host): void {
  addImageCommand(host, {
    usage: 'info <image>',
    description: 'what the image is: container, backing chain, partition table, filesystems',
    examples: ['sectorscope info disk.qcow2', 'sectorscope info --json disk.qcow2 | jq .volumes'],
    action: async (image, _args, options, session) => {
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
    chain: chainOf(image).map(({ name, container }) => containerJson(name, container)),
    partitionTable: image.partitionTable === undefined ? null : partitionTableJson(image.partitionTable),
    ...(image.partitionError === undefined ? {} : { partitionError: errorJson(image.partitionError) }),
    volumes: volumes.map(volumeJson),
    diagnostics: image.diagnostics,
  };
}

async function printInfo(image: Image, volumes: readonly VolumeContent[], { output }: Session): Promise<void> {
  for (const [depth, { name, container }] of chainOf(image).entries()) {
    await output.print(depth === 0 ? escapeText(name) : `backing layer ${depth}: ${escapeText(name)}`);
    await output.printAll(
      propertyLines([
        { key: 'format', value: container.format },
        { key: 'virtualSize', value: container.size, unit: 'bytes' },
        { key: 'fileSize', value: container.file.size, unit: 'bytes' },
        { key: 'sectorSize', value: container.sectorSize, unit: 'bytes' },
        ...container.properties,
      ]),
    );
  }
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
  // A fact that is not there is for `--json`; people need not read past it.
  const known = properties.filter(({ value }) => value !== null && value !== '');
  return table(known.map((property) => [`  ${propertyLabel(property.key)}`, propertyText(property)]));
}
