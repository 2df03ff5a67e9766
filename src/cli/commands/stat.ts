import {
  aclOf,
  aclText,
  type Directory,
  type ExtendedAttribute,
  errorText,
  escapeText,
  fileDevice,
  formatExactBytes,
  formatLocator,
  formatMode,
  formatTimestamp,
  type LeafExtent,
  leafExtents,
  octalMode,
  type RegularFile,
  type Target,
  textOrHex,
} from '../../core/index.ts';
import { addDeletedOption, type DeletedOption } from '../deleted-option.ts';
import { nodeJson } from '../describe.ts';
import { addImageCommand, type Host, targetOf } from '../image-command.ts';
import { mapRows, printMap } from '../map-rows.ts';
import { errorJson, errorLine, table } from '../output.ts';
import type { ImageOptions, Session } from '../session.ts';
import { wantsPath } from '../wants-path.ts';

type NodeTarget = Extract<Target, { kind: 'node' }>;

export function registerStat(host: Host): void {
  addImageCommand<ImageOptions & DeletedOption>(host, {
    usage: 'stat <image> <locator>',
    description: 'all that a file has: times, mode, owners, attributes, and where its bytes lie in the host files',
    examples: ['sectorscope stat disk.qcow2 p2:/etc/passwd', 'sectorscope stat --json disk.qcow2 p2:/etc'],
    options: addDeletedOption,
    action: async (image, [locator], options, session) => {
      const target = await targetOf(image, locator, session, { followLast: false, deleted: options.deleted });
      if (target.kind !== 'node') throw wantsPath('stat', target);
      if (options.json === true) await session.output.json(await statJson(target, session));
      else await printStat(target, session);
    },
  });
}

/** A part that is damaged does not hide the others: it is told, and the exit code says that something is missing. */
async function tried<Value>(session: Session, what: string, read: () => Promise<Value>): Promise<Value | undefined> {
  try {
    return await read();
  } catch (error) {
    session.signal.throwIfAborted();
    session.leaveOut(`${what}: ${errorLine(error)}`);
    return undefined;
  }
}

async function statJson(target: NodeTarget, session: Session): Promise<Record<string, unknown>> {
  const { node, volume, path } = target;
  const link = node.kind === 'symlink' ? await tried(session, 'target', () => node.target(session)) : undefined;
  const attributes = await tried(session, 'extended attributes', () => node.attributes(session));
  const extents: unknown[] = [];
  if (hasBytes(node)) {
    try {
      for await (const row of mapRows(extentsOf(target, node, session), target.image.layers)) extents.push(row);
    } catch (error) {
      session.signal.throwIfAborted();
      session.leaveOut(`extents: ${errorLine(error)}`);
      extents.push({ error: errorJson(error) });
    }
  }
  return {
    locator: formatLocator(volume.name, path),
    ...nodeJson(node, link),
    slack: await slackBytes(node, session),
    location: { start: (volume.partition?.start ?? 0) + node.location.start, length: node.location.length },
    attributes: attributes?.map((attribute) => ({ ...attribute, acl: aclOf(attribute) })) ?? null,
    extents,
  };
}

function hasBytes(node: NodeTarget['node']): node is RegularFile | Directory {
  return node.kind === 'file' || node.kind === 'directory';
}

/** Bytes that the file has behind its content; undefined for what has none, and where they cannot be told. */
async function slackBytes(node: NodeTarget['node'], session: Session): Promise<number | undefined> {
  if (node.kind !== 'file') return undefined;
  return (await tried(session, 'slack', () => node.slack(session)))?.size;
}

/** Where the content lies, down to the files of the host. */
function extentsOf(
  { filesystem }: NodeTarget,
  node: RegularFile | Directory,
  { signal }: Session,
): AsyncIterable<LeafExtent> {
  const device = fileDevice(filesystem, node);
  return leafExtents(device, { start: 0, length: device.size }, { signal });
}

async function printStat(target: NodeTarget, session: Session): Promise<void> {
  const { output } = session;
  await output.printAll(table(await facts(target, session)));
  const attributes = await tried(session, 'extended attributes', () => target.node.attributes(session));
  if (attributes !== undefined && attributes.length > 0) {
    await output.print('extended attributes');
    await output.printAll(
      table(attributes.map((attribute) => [`  ${escapeText(attribute.name)}`, valueText(attribute)])),
    );
  }
  const { node } = target;
  if (!hasBytes(node) || node.size === 0) return;
  await output.print('extents');
  await tried(session, 'extents', () =>
    printMap(mapRows(extentsOf(target, node, session), target.image.layers), target.image, output),
  );
}

function valueText(attribute: ExtendedAttribute): string {
  const acl = aclOf(attribute);
  return acl === undefined ? textOrHex(attribute.value) : aclText(acl);
}

async function facts({ node, volume, path }: NodeTarget, session: Session): Promise<string[][]> {
  const { start, length } = node.location;
  const slack = await slackBytes(node, session);
  const rows: (readonly [string, string | undefined])[] = [
    ['locator', formatLocator(volume.name, path)],
    ['kind', node.kind],
    [node.mode === undefined ? 'id' : 'inode', String(node.id)],
    ['size', formatExactBytes(node.size)],
    ['on disk', formatExactBytes(node.allocated)],
    ['slack', slack === undefined ? undefined : formatExactBytes(slack)],
    ['mode', node.mode === undefined ? undefined : `${formatMode(node.kind, node.mode)} ${octalMode(node.mode)}`],
    ['owner', node.uid === undefined ? undefined : `uid ${node.uid}, gid ${node.gid ?? '?'}`],
    ['project', node.projectId?.toString()],
    ['links', node.linkCount?.toString()],
    ['flags', node.flags.length === 0 ? undefined : node.flags.map(escapeText).join(', ')],
    ['deleted', node.deleted ? 'yes' : undefined],
    [
      'device',
      'device' in node && node.device !== undefined ? `${node.device.major}, ${node.device.minor}` : undefined,
    ],
    ['target', node.kind === 'symlink' ? await target(node, session) : undefined],
    ...Object.entries(node.times).map(
      ([name, time]) => [name, time === undefined ? undefined : formatTimestamp(time)] as const,
    ),
    [
      'stored at',
      length === 0
        ? undefined
        : `0x${((volume.partition?.start ?? 0) + start).toString(16)} of the disk, ${length} bytes`,
    ],
  ];
  return rows.flatMap(([label, text]) => (text === undefined ? [] : [[label, text]]));
}

async function target(node: Extract<NodeTarget['node'], { kind: 'symlink' }>, session: Session): Promise<string> {
  try {
    return escapeText(await node.target(session));
  } catch (error) {
    session.signal.throwIfAborted();
    return errorText(error);
  }
}
