import {
  type BlockDevice,
  type Directory,
  type ExtendedAttribute,
  type Extent,
  escapeText,
  type FileNode,
  type LayoutRow,
  layoutRows,
  type NodeTimes,
  type Partition,
  type PartitionTable,
  type RegularFile,
} from '../../core/index.ts';
import {
  formatCount,
  formatError,
  formatExactSize,
  formatMode,
  formatOffset,
  formatPlace,
  formatProperty,
  formatSize,
  formatTime,
} from '../text/format.ts';
import { schemeName } from '../text/item-label.ts';
import { type EntryItem, locatorOf, type TreeItem } from './tree-item.ts';

/** A label and what it says; both printable. */
export type Fact = readonly [label: string, value: string];

export interface Section {
  readonly title: string;
  readonly facts: readonly Fact[];
}

/** A row of the partition table, printable. */
export type TableRow = Readonly<Record<'part' | 'start' | 'size' | 'sectors' | 'type' | 'name', string>>;

export interface Details {
  readonly sections: readonly Section[];
  /** The partition table, for the disk and the table itself. */
  readonly table?: readonly TableRow[] | undefined;
  /** For the status line: a file's size, and where it begins on the disk. */
  readonly summary?: readonly string[] | undefined;
}

/** Extents shown; the rest are counted as far as the limit after it goes. */
const MAX_SHOWN_EXTENTS = 12;
const MAX_COUNTED_EXTENTS = 10_000;
/** Attribute values are shown as far as this many bytes. */
const MAX_SHOWN_VALUE_BYTES = 64;
const MAX_SHOWN_ATTRIBUTES = 64;
/** ink-table draws every row it is given. */
const MAX_TABLE_ROWS = 50;

/** Everything the details tab says of an item. */
export async function loadDetails(item: TreeItem, signal: AbortSignal): Promise<Details> {
  switch (item.kind) {
    case 'disk':
      return diskDetails(item);
    case 'table':
      return tableDetails(item.table, item.image.disk);
    case 'volume':
      return volumeDetails(item);
    case 'filesystem':
      return filesystemDetails(item);
    case 'entry':
      return entryDetails(item, signal);
    case 'host-file':
      return {
        sections: [
          {
            title: 'Image file',
            facts: [
              ['path', escapeText(item.image.path)],
              ['size', formatExactSize(item.image.container.file.size)],
              ['shows', `the bytes of the ${item.image.container.format} file itself, not of the disk in it`],
            ],
          },
        ],
      };
    case 'backing':
      return {
        sections: [
          {
            title: 'Backing layer',
            facts: [
              ['name', escapeText(item.name)],
              ['virtual size', formatExactSize(item.device.size)],
              ...('properties' in item.device ? layerFacts(item.device) : []),
            ],
          },
        ],
      };
    case 'region':
    case 'gap': {
      const title = item.kind === 'gap' ? 'Unallocated' : 'Partition table structure';
      const named: Fact[] = item.kind === 'gap' ? [] : [['structure', escapeText(item.name)]];
      const { start, length } = item.range;
      return { sections: [{ title, facts: [...named, ...rangeFacts(start, length, item.image.disk.sectorSize)] }] };
    }
    case 'error':
      return { sections: [{ title: 'Error', facts: [['message', item.text]] }] };
    case 'note':
    case 'loading':
      return { sections: [] };
  }
}

function layerFacts(device: BlockDevice): Fact[] {
  const { format, properties } = device as BlockDevice & { format: string; properties: PartitionTable['properties'] };
  return [['format', format], ...properties.map(formatProperty)];
}

function diskDetails({ image }: Extract<TreeItem, { kind: 'disk' }>): Details {
  const { container, disk, partitionTable } = image;
  const facts: Fact[] = [
    ['path', escapeText(image.path)],
    ['format', container.format],
    ['disk size', formatExactSize(disk.size)],
    ['file size', formatExactSize(container.file.size)],
    ['sectors', `${formatCount(Math.floor(disk.size / disk.sectorSize))} of ${disk.sectorSize} bytes`],
    ['partition table', partitionTable === undefined ? 'none' : schemeName(partitionTable.scheme)],
    ...(image.diagnostics.length === 0
      ? []
      : [['diagnostics', `${image.diagnostics.length}: press ! to read them`] as const]),
  ];
  const sections: Section[] = [{ title: 'Disk image', facts }];
  const known = container.properties.filter(({ value }) => value !== null && value !== disk.size);
  if (known.length > 0) sections.push({ title: container.format, facts: known.map(formatProperty) });
  return {
    sections,
    ...(partitionTable === undefined ? {} : { table: tableRows(partitionTable, disk.size) }),
  };
}

function tableDetails(table: PartitionTable, disk: BlockDevice): Details {
  return {
    sections: [
      {
        title: `${schemeName(table.scheme)} partition table`,
        facts: [
          ['partitions', String(table.partitions.length)],
          ['sector size', `${table.sectorSize} bytes`],
          ...table.properties.map(formatProperty).filter(([label]) => label !== 'sector size'),
        ],
      },
    ],
    table: tableRows(table, disk.size),
  };
}

function tableRows(table: PartitionTable, diskSize: number): TableRow[] {
  const rows = layoutRows(table, diskSize);
  const shown = rows.slice(0, MAX_TABLE_ROWS).map((row) => tableRow(row, table.sectorSize));
  const left = rows.length - shown.length;
  if (left === 0) return shown;
  return [...shown, { part: '…', start: '', size: '', sectors: '', type: `${left} more rows`, name: '' }];
}

function tableRow(row: LayoutRow, sectorSize: number): TableRow {
  const partition = row.kind === 'partition' ? row.partition : undefined;
  const place = {
    start: String(Math.floor(row.start / sectorSize)),
    size: formatSize(row.length),
    sectors: String(Math.floor(row.length / sectorSize)),
  };
  if (partition === undefined) {
    const type = row.kind === 'metadata' ? escapeText(row.name) : 'unallocated';
    return { part: '', ...place, type, name: '' };
  }
  return { part: `p${partition.number}`, ...place, type: typeOf(partition), name: escapeText(partition.name) };
}

function typeOf({ type }: Partition): string {
  return escapeText(type.name === '' ? type.id : type.name);
}

function rangeFacts(start: number, length: number, sectorSize: number): Fact[] {
  const end = start + length;
  return [
    ['start', formatPlace(start, sectorSize)],
    ['end', `${formatPlace(end, sectorSize)}, exclusive`],
    ['size', formatExactSize(length)],
    ['sectors', formatCount(Math.floor(length / sectorSize))],
  ];
}

async function volumeDetails({ image, volume, partition }: Extract<TreeItem, { kind: 'volume' }>): Promise<Details> {
  const sectorSize = image.partitionTable?.sectorSize ?? image.disk.sectorSize;
  const sections: Section[] = [];
  if (partition === undefined) {
    const facts = rangeFacts(0, image.disk.size, sectorSize);
    sections.push({ title: 'Whole disk, no partition table', facts });
    if (image.partitionError !== undefined) facts.push(['partition table', formatError(image.partitionError)]);
  } else {
    const facts: Fact[] = [
      ['number', `${partition.number} (${partition.kind})`],
      [
        'type',
        partition.type.name === '' ? partition.type.id : `${escapeText(partition.type.name)} (${partition.type.id})`,
      ],
      ...(partition.name === '' ? [] : [['name', escapeText(partition.name)] as const]),
      ...(partition.guid === undefined ? [] : [['GUID', partition.guid] as const]),
      ...(partition.flags.length === 0 ? [] : [['flags', partition.flags.map(escapeText).join(', ')] as const]),
      ...rangeFacts(partition.start, partition.length, sectorSize),
      ...(partition.start + partition.length > image.disk.size
        ? [['warning', 'reaches past the end of the disk'] as const]
        : []),
    ];
    sections.push({ title: 'Partition', facts });
  }
  if (volume !== undefined) sections.push(await contentSection(volume));
  return { sections };
}

async function contentSection(volume: NonNullable<Extract<TreeItem, { kind: 'volume' }>['volume']>): Promise<Section> {
  try {
    const filesystem = await volume.filesystem();
    if (filesystem === undefined) {
      const content = (await volume.content()) ?? 'nothing that is recognized';
      return { title: 'Content', facts: [['holds', escapeText(content)]] };
    }
    return { title: filesystem.type, facts: filesystemFacts(filesystem) };
  } catch (error) {
    return { title: 'Content', facts: [['error', formatError(error)]] };
  }
}

function filesystemFacts({ type, label, blockSize, usage, properties }: EntryItem['filesystem']): Fact[] {
  const used = usage.free === undefined ? undefined : usage.total - usage.free;
  const facts: Fact[] = [
    ['type', type],
    ['label', label === '' ? 'none' : escapeText(label)],
    ['block size', formatExactSize(blockSize)],
    ['total', formatExactSize(usage.total)],
    ...(used === undefined ? [] : [['used', formatExactSize(used)] as const]),
    ...(usage.free === undefined ? [] : [['free', formatExactSize(usage.free)] as const]),
  ];
  const known = new Set(facts.map(([label]) => label));
  return [...facts, ...properties.map(formatProperty).filter(([label]) => !known.has(label))];
}

function filesystemDetails({ volume, filesystem }: Extract<TreeItem, { kind: 'filesystem' }>): Details {
  const where: Fact[] = [['on', volume.name === '' ? 'the whole disk' : volume.name]];
  return { sections: [{ title: `${filesystem.type} filesystem`, facts: [...where, ...filesystemFacts(filesystem)] }] };
}

async function entryDetails(item: EntryItem, signal: AbortSignal): Promise<Details> {
  const node = await item.filesystem.node(item.nodeId, { signal });
  const base = item.volume.partition?.start ?? 0;
  const sectorSize = item.filesystem.device.sectorSize;
  const sections: Section[] = [
    { title: node.kind === 'file' ? 'File' : capitalized(node.kind), facts: await nodeFacts(item, node, signal) },
    { title: 'Times', facts: timeFacts(node.times) },
  ];
  if (node.kind === 'file' || node.kind === 'directory')
    sections.push(await guarded('Extents', () => extentSection(node, base, sectorSize, signal)));
  const attributes = await guarded('Extended attributes', async () =>
    attributeSection(await node.attributes({ signal })),
  );
  const summary = [formatSize(node.size), await beginning(node, base, sectorSize, signal)];
  return { sections: [...sections, attributes].filter(({ facts }) => facts.length > 0), summary };
}

/** Where the first byte of a file or directory lies on the disk; empty when it lies nowhere. */
async function beginning(node: FileNode, base: number, sectorSize: number, signal: AbortSignal): Promise<string> {
  if ((node.kind !== 'file' && node.kind !== 'directory') || node.size === 0) return '';
  try {
    for await (const extent of node.extents({ start: 0, length: 1 }, { signal })) {
      if (extent.kind === 'data') return `begins at disk ${formatPlace(base + extent.sourceOffset, sectorSize)}`;
    }
  } catch {
    signal.throwIfAborted();
    // The section on extents tells the error.
  }
  return '';
}

/** A part of a damaged node that cannot be read does not hide the parts that can. */
async function guarded(title: string, load: () => Promise<Section>): Promise<Section> {
  try {
    return await load();
  } catch (error) {
    return { title, facts: [['error', formatError(error)]] };
  }
}

async function nodeFacts(item: EntryItem, node: FileNode, signal: AbortSignal): Promise<Fact[]> {
  const base = item.volume.partition?.start ?? 0;
  const facts: Fact[] = [['name', item.label]];
  const locator = locatorOf(item);
  facts.push(['locator', locator ?? 'none: deleted']);
  facts.push([node.mode === undefined ? 'id' : 'inode', String(node.id)]);
  facts.push(['size', formatExactSize(node.size)]);
  facts.push(['on disk', formatExactSize(node.allocated)]);
  if (node.mode !== undefined) facts.push(['mode', formatMode(node.mode, node.kind)]);
  if (node.uid !== undefined) facts.push(['owner', `uid ${node.uid}, gid ${node.gid ?? '?'}`]);
  if (node.linkCount !== undefined) facts.push(['links', String(node.linkCount)]);
  if (node.flags.length > 0) facts.push(['flags', node.flags.map(escapeText).join(', ')]);
  if (item.deleted || node.deleted) facts.push(['deleted', 'yes']);
  if (node.kind === 'symlink') facts.push(['target', await targetOf(node, signal)]);
  if ('device' in node && node.device !== undefined)
    facts.push(['device', `major ${node.device.major}, minor ${node.device.minor}`]);
  const { start, length } = node.location;
  if (length > 0)
    facts.push(['stored at', `disk ${formatOffset(base + start)}, ${length} bytes (the node's own structure)`]);
  return facts;
}

async function targetOf(node: Extract<FileNode, { kind: 'symlink' }>, signal: AbortSignal): Promise<string> {
  try {
    return escapeText(await node.target({ signal }));
  } catch (error) {
    return formatError(error);
  }
}

function timeFacts(times: NodeTimes): Fact[] {
  const named = [
    ['modified', times.modified],
    ['accessed', times.accessed],
    ['changed', times.changed],
    ['created', times.created],
    ['deleted', times.deleted],
  ] as const;
  return named.flatMap(([label, time]) => (time === undefined ? [] : [[label, formatTime(time)] as const]));
}

async function extentSection(
  node: RegularFile | Directory,
  base: number,
  sectorSize: number,
  signal: AbortSignal,
): Promise<Section> {
  const facts: Fact[] = [];
  let count = 0;
  if (node.size > 0) {
    for await (const extent of node.extents({ start: 0, length: node.size }, { signal })) {
      if (count < MAX_SHOWN_EXTENTS) facts.push([formatOffset(extent.start), extentText(extent, base, sectorSize)]);
      count += 1;
      if (count >= MAX_COUNTED_EXTENTS) break;
    }
  }
  if (count > MAX_SHOWN_EXTENTS) {
    const more =
      count >= MAX_COUNTED_EXTENTS
        ? `at least ${formatCount(count - MAX_SHOWN_EXTENTS)}`
        : formatCount(count - MAX_SHOWN_EXTENTS);
    facts.push(['…', `${more} more`]);
  }
  return { title: count === 1 ? 'Extent' : `Extents${count === 0 ? '' : ` (${formatCount(count)})`}`, facts };
}

function extentText(extent: Extent, base: number, sectorSize: number): string {
  const size = formatSize(extent.length);
  switch (extent.kind) {
    case 'data':
      return `${size} at disk ${formatPlace(base + extent.sourceOffset, sectorSize)}`;
    case 'zero':
      return `${size} ${extent.explicit ? 'zero, allocated but not written' : 'hole'}`;
    case 'encoded':
      return `${size} ${extent.encoding}, at disk ${formatPlace(base + extent.sourceOffset, sectorSize)}`;
    case 'inherited':
      return `${size} in a lower layer`;
  }
}

function attributeSection(attributes: readonly ExtendedAttribute[]): Section {
  const facts = attributes
    .slice(0, MAX_SHOWN_ATTRIBUTES)
    .map(({ name, value }): Fact => [escapeText(name), valueText(value)]);
  return { title: 'Extended attributes', facts };
}

function valueText(value: Uint8Array): string {
  const shown = value.subarray(0, MAX_SHOWN_VALUE_BYTES);
  const isText = shown.every((byte) => byte >= 0x20 && byte < 0x7f);
  const text = isText ? escapeText(Buffer.from(shown).toString('latin1')) : Buffer.from(shown).toString('hex');
  return `${isText ? text : `0x${text}`}${shown.length < value.length ? `… (${value.length} bytes)` : ''}`;
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
