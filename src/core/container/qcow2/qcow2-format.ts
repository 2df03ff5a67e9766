import { hasBit64 } from '../../bytes/bits.ts';
import { viewOf } from '../../bytes/struct.ts';
import { decodeName } from '../../bytes/text.ts';
import { type BlockDevice, readBytes } from '../../device/block-device.ts';
import { DiskError } from '../../errors.ts';
import type { OpenContext, Property } from '../../format.ts';
import type { BackingLayer, ContainerFormat } from '../container.ts';
import { featureList, INCOMPATIBLE, unreadableFeatures } from './features.ts';
import {
  checkHeader,
  extensionsEnd,
  firstClusterBytes,
  HEADER_V2_BYTES,
  type HeaderFields,
  headerV3,
  invalid,
  notSupported,
  parseHeader,
  QCOW2_MAGIC,
  type Qcow2Header,
} from './header.ts';
import { type HeaderExtensions, parseHeaderExtensions } from './header-extensions.ts';
import { COMPRESSION_TYPES, type CompressionType } from './inflate-cluster.ts';
import { MappingTable } from './mapping-table.ts';
import { Qcow2Container, type Qcow2Parts } from './qcow2-container.ts';
import { readSnapshotTable } from './snapshot-table.ts';
import { ENTRY_BYTES } from './table-entries.ts';
import { WritableQcow2Container } from './write/writable-qcow2-container.ts';

/** Encryption methods of the header (bytes 32 to 35), by their number. */
const ENCRYPTION_METHODS = ['none', 'AES', 'LUKS'];

async function probe(device: BlockDevice): Promise<boolean> {
  if (device.size < 4) return false;
  return viewOf(await readBytes(device, 0, 4)).getUint32(0) === QCOW2_MAGIC;
}

/** Reads header, extensions and L1 table, and opens the backing file; nothing is allocated for a field before it is checked. */
async function readParts(file: BlockDevice, context: OpenContext): Promise<Qcow2Parts> {
  const start = await readBytes(file, 0, Math.min(file.size, HEADER_V2_BYTES));
  const cluster = await readBytes(file, 0, Math.min(file.size, firstClusterBytes(start)));
  const fields = parseHeader(cluster);
  const end = extensionsEnd(fields, cluster.length);
  const extensions = parseHeaderExtensions(cluster, fields.headerLength, end);
  refuseUnreadable(fields, extensions);
  const header = checkHeader(fields, file.size);
  const compressionType = checkCompression(header);
  reportOddities(header, context);
  const snapshots = await listSnapshots(file, header, context);
  const backing = await openBacking(cluster, header, extensions, context);
  return {
    file,
    header,
    compressionType,
    l1Table: await readL1Table(file, header),
    backing,
    properties: [...propertiesOf(header, extensions, compressionType, backing), { key: 'snapshots', value: snapshots }],
    report: (diagnostic) => context.report(diagnostic),
  };
}

/** The part of the L1 table that the disk needs; a disk of no bytes needs none, and its table may be anywhere. */
async function readL1Table(file: BlockDevice, header: Qcow2Header): Promise<MappingTable> {
  const { l1TableOffset, l1EntriesUsed } = header;
  const bytes =
    l1EntriesUsed === 0 ? new Uint8Array(0) : await readBytes(file, l1TableOffset, l1EntriesUsed * ENTRY_BYTES);
  return new MappingTable(bytes, l1TableOffset);
}

/** QEMU's format for disk images (docs/interop/qcow2.txt in its source), versions 2 and 3. */
export const qcow2Format: ContainerFormat = {
  name: 'qcow2',
  probe,
  open: async (file, context) => new Qcow2Container(await readParts(file, context)),
  openWritable: async (file, context) => WritableQcow2Container.open(file, await readParts(file, context)),
};

function refuseUnreadable(header: HeaderFields, extensions: HeaderExtensions): void {
  const features = unreadableFeatures(header.incompatibleFeatures, extensions.featureNames);
  if (features.length > 0) {
    throw notSupported('incompatibleFeatures', 'only features that this version reads', features.join(', '));
  }
  if (header.cryptMethod !== 0) {
    const name = ENCRYPTION_METHODS[header.cryptMethod] ?? `method ${header.cryptMethod}`;
    throw notSupported('cryptMethod', 'no encryption', `${name} encryption`);
  }
}

/** The type and the incompatible bit that announces it must agree (section "Header", byte 104). */
function checkCompression(header: Qcow2Header): CompressionType {
  const type = COMPRESSION_TYPES[header.compressionType];
  if (type === undefined) {
    throw notSupported('compressionType', COMPRESSION_TYPES.join(' or '), `type ${header.compressionType}`);
  }
  const announced = hasBit64(header.incompatibleFeatures, INCOMPATIBLE.compressionType);
  if (announced !== (type !== 'zlib')) {
    throw invalid(
      'compressionType',
      announced ? 'a type other than zlib, as the feature bit says' : 'zlib, as the clear feature bit says',
      type,
    );
  }
  return type;
}

function reportOddities(header: Qcow2Header, context: OpenContext): void {
  const report = (field: keyof typeof headerV3.fields, message: string): void =>
    context.report({
      layer: 'qcow2',
      structure: `header ${field}`,
      offset: headerV3.fields[field].offset,
      message,
    });
  if (hasBit64(header.incompatibleFeatures, INCOMPATIBLE.dirty)) {
    report(
      'incompatibleFeatures',
      'the image was not closed cleanly: reference counts may be stale, data is not affected',
    );
  }
  if (hasBit64(header.incompatibleFeatures, INCOMPATIBLE.corrupt)) {
    report('incompatibleFeatures', 'the image is marked corrupt: QEMU refuses to write it until it is repaired');
  }
  if (header.virtualSize % 512 !== 0) {
    report(
      'size',
      `${header.virtualSize} bytes are no whole sectors: QEMU leaves out the last ${header.virtualSize % 512}`,
    );
  }
  if (header.refcountTableClusters === 0) report('refcountTableClusters', 'the image has no reference counts');
}

/** The names of the internal snapshots for people; the disk does not depend on them, so a damaged table is only reported. */
async function listSnapshots(file: BlockDevice, header: Qcow2Header, context: OpenContext): Promise<string | null> {
  const { snapshotsOffset, snapshotCount } = header;
  if (snapshotCount === 0) return null;
  try {
    const snapshots = await readSnapshotTable(file, snapshotsOffset, snapshotCount);
    return snapshots.map(({ id, name }) => `${id} ${name}`).join(', ');
  } catch (error) {
    if (!(error instanceof DiskError) || error.code !== 'CORRUPT') throw error;
    const { structure, offset, message } = error;
    context.report({ layer: 'qcow2', structure, offset, message: `the snapshots cannot be listed: ${message}` });
    return null;
  }
}

async function openBacking(
  cluster: Uint8Array,
  header: Qcow2Header,
  extensions: HeaderExtensions,
  context: OpenContext,
): Promise<BackingLayer | undefined> {
  if (header.backingName === undefined) return undefined;
  const { offset, length } = header.backingName;
  if (offset + length > cluster.length) {
    throw invalid('backingFileOffset', `a name inside the file of ${cluster.length} bytes`, offset);
  }
  const name = decodeName(cluster.subarray(offset, offset + length));
  const format = extensions.backingFormat;
  if (format === undefined) {
    context.report({
      layer: 'qcow2',
      structure: 'backing file name',
      offset,
      message: 'the image does not declare the format of its backing file; it was told from the content',
    });
  }
  const device = await context.openReference({ kind: 'backing file', name, format, offset });
  return { name, device };
}

function propertiesOf(
  header: Qcow2Header,
  extensions: HeaderExtensions,
  compressionType: CompressionType,
  backing: BackingLayer | undefined,
): Property[] {
  const { featureNames } = extensions;
  const joined = (names: readonly string[]): string | null => (names.length === 0 ? null : names.join(', '));
  return [
    { key: 'version', value: header.version },
    { key: 'clusterSize', value: header.clusterSize, unit: 'bytes' },
    { key: 'compressionType', value: compressionType },
    { key: 'refcountBits', value: header.refcountBits },
    { key: 'backingFile', value: backing?.name ?? null },
    { key: 'backingFormat', value: extensions.backingFormat ?? null },
    { key: 'snapshotCount', value: header.snapshotCount },
    {
      key: 'incompatibleFeatures',
      value: joined(featureList('incompatible', header.incompatibleFeatures, featureNames)),
    },
    { key: 'compatibleFeatures', value: joined(featureList('compatible', header.compatibleFeatures, featureNames)) },
    { key: 'autoclearFeatures', value: joined(featureList('autoclear', header.autoclearFeatures, featureNames)) },
  ];
}
