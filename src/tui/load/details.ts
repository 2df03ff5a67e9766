import {
  type BlockDevice,
  divideUp,
  errorText,
  escapeText,
  FileDevice,
  formatBytes,
  formatCount,
  formatExactBytes,
  hasValue,
  type Image,
  type LayoutRow,
  layoutRows,
  type Partition,
  type PartitionTable,
} from '../../core/index.ts';
import { formatPlace, formatProperty } from '../text/format.ts';
import { schemeName } from '../text/item-label.ts';
import type { Details, Fact, Section, TableRow } from './facts.ts';
import { fileDetails } from './node-details.ts';
import type { EntryItem, TreeItem } from './tree-item.ts';
import { noticeFacts, referenceSections, viewDetails, viewsDetails } from './view-details.ts';

/** ink-table draws every row it is given. */
const MAX_TABLE_ROWS = 50;

const RECOVERABLES_FACTS: readonly Fact[] = [
  ['shows', 'deleted files, earlier versions and chains without a name, as far as they can be found'],
  ['to do', 'open it to search the filesystem; Esc stops; x recovers one, or here all that are likely'],
  ['certainty', 'intact, likely (not sure), damaged (in part), lost (only its facts)'],
];

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
    case 'recoverable':
      return fileDetails(item, signal);
    case 'recoverables':
      return { sections: [{ title: 'Recoverable files', facts: RECOVERABLES_FACTS }] };
    case 'host-file':
      return {
        sections: [
          {
            title: 'Image file',
            facts: [
              ['path', hostPath(item.image)],
              ['size', formatExactBytes(item.image.container.file.size)],
              ['shows', `the bytes of the ${item.image.container.format} file itself, not of the disk in it`],
            ],
          },
        ],
      };
    case 'views':
      return viewsDetails(item.image, item.of);
    case 'view':
      return viewDetails(item.entry);
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

/** A layer's image is called as the layer above calls it: its file has a path. */
function hostPath({ container: { file }, path }: Image): string {
  return escapeText(file instanceof FileDevice ? file.path : path);
}

function diskDetails({ image }: Extract<TreeItem, { kind: 'disk' }>): Details {
  const { container, disk, partitionTable } = image;
  const facts: Fact[] = [
    ['path', escapeText(image.path)],
    ['format', container.format],
    ['disk size', formatExactBytes(disk.size)],
    ['file size', formatExactBytes(container.file.size)],
    ['sectors', `${formatCount(Math.floor(disk.size / disk.sectorSize))} of ${disk.sectorSize} bytes`],
    ['partition table', partitionTable === undefined ? 'none' : schemeName(partitionTable.scheme)],
    ...(image.diagnostics.length === 0
      ? []
      : [['diagnostics', `${image.diagnostics.length}: press ! to read them`] as const]),
  ];
  facts.unshift(...noticeFacts(image));
  const sections: Section[] = [{ title: 'Disk image', facts }];
  const known = container.properties.filter((property) => hasValue(property) && property.value !== disk.size);
  if (known.length > 0) sections.push({ title: container.format, facts: known.map(formatProperty) });
  sections.push(...referenceSections(image));
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
    size: formatBytes(row.length),
    sectors: String(divideUp(row.length, sectorSize)),
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
    ['size', formatExactBytes(length)],
    ['sectors', formatCount(Math.floor(length / sectorSize))],
  ];
}

async function volumeDetails({ image, volume, partition }: Extract<TreeItem, { kind: 'volume' }>): Promise<Details> {
  const sectorSize = image.partitionTable?.sectorSize ?? image.disk.sectorSize;
  const sections: Section[] = [];
  if (partition === undefined) {
    const facts = rangeFacts(0, image.disk.size, sectorSize);
    sections.push({ title: 'Whole disk, no partition table', facts });
    if (image.partitionError !== undefined) facts.push(['partition table', errorText(image.partitionError)]);
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
    return { title: 'Content', facts: [['error', errorText(error)]] };
  }
}

function filesystemFacts({ type, label, blockSize, usage, properties }: EntryItem['filesystem']): Fact[] {
  const used = usage.free === undefined ? undefined : usage.total - usage.free;
  const facts: Fact[] = [
    ['type', type],
    ['label', label === '' ? 'none' : escapeText(label)],
    ['block size', formatExactBytes(blockSize)],
    ['total', formatExactBytes(usage.total)],
    ...(used === undefined ? [] : [['used', formatExactBytes(used)] as const]),
    ...(usage.free === undefined ? [] : [['free', formatExactBytes(usage.free)] as const]),
  ];
  const known = new Set(facts.map(([label]) => label));
  return [...facts, ...properties.map(formatProperty).filter(([label]) => !known.has(label))];
}

function filesystemDetails({ volume, filesystem }: Extract<TreeItem, { kind: 'filesystem' }>): Details {
  const where: Fact[] = [['on', volume.name === '' ? 'the whole disk' : volume.name]];
  return { sections: [{ title: `${filesystem.type} filesystem`, facts: [...where, ...filesystemFacts(filesystem)] }] };
}
