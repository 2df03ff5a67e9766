import { hasBit64 } from '../../bytes/bits.ts';
import { viewOf } from '../../bytes/struct.ts';
import { decodeName } from '../../bytes/text.ts';
import { type BlockDevice, readBytes } from '../../device/block-device.ts';
import { unsupported } from '../../errors.ts';
import type { OpenContext } from '../../format.ts';
import { type BackingLayer, type ContainerFormat, type ContainerOptions, isContainer } from '../container.ts';
import { listSnapshots, openState } from './disk-state.ts';
import { checkEncryption, openEncryption } from './encryption.ts';
import { AUTOCLEAR, INCOMPATIBLE, unreadableFeatures } from './features.ts';
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
import { EXTENSION, type HeaderExtensions, parseHeaderExtensions } from './header-extensions.ts';
import { COMPRESSION_TYPES, type CompressionType } from './inflate-cluster.ts';
import { describeBitmaps, propertiesOf } from './properties.ts';
import { Qcow2Container, type Qcow2Parts } from './qcow2-container.ts';
import { publicSnapshot } from './snapshot-table.ts';
import { WritableQcow2Container } from './write/writable-qcow2-container.ts';

/** The specification has no limit for it; no system that we know takes a longer path. */
const MAX_DATA_FILE_NAME = 4096;

async function probe(device: BlockDevice): Promise<boolean> {
  if (device.size < 4) return false;
  return viewOf(await readBytes(device, 0, 4)).getUint32(0) === QCOW2_MAGIC;
}

/**
 * Reads header, extensions and L1 table, unlocks the data and opens the files that the image names; nothing is allocated for a
 * field before it is checked.
 */
async function readParts(file: BlockDevice, context: OpenContext, options: ContainerOptions = {}): Promise<Qcow2Parts> {
  const start = await readBytes(file, 0, Math.min(file.size, HEADER_V2_BYTES));
  const cluster = await readBytes(file, 0, Math.min(file.size, firstClusterBytes(start)));
  const fields = parseHeader(cluster);
  const end = extensionsEnd(fields, cluster.length);
  const extensions = parseHeaderExtensions(cluster, fields.headerLength, end);
  refuseUnreadable(fields, extensions);
  checkEncryption(fields, options.passphrase, context);
  const header = checkHeader(fields, file.size);
  const compressionType = checkCompression(header);
  reportOddities(header, context);
  const snapshots = await listSnapshots(file, header, context, options.snapshot);
  const bitmaps = await describeBitmaps(file, header, extensions, context);
  const state = await openState(file, header, context, snapshots ?? [], options.snapshot);
  const encryption = await openEncryption(file, fields, extensions, options.passphrase);
  const dataFile = header.hasDataFile ? await openDataFile(extensions, context) : file;
  const backing = await openBacking(cluster, header, extensions, context);
  const { snapshot, virtualSize, l1Table } = state;
  const facts = { header, extensions, compressionType, backing, encryption, bitmaps, snapshots, snapshot };
  return {
    file,
    header,
    compressionType,
    virtualSize,
    l1Table,
    dataFile,
    encryption,
    backing,
    snapshots: (snapshots ?? []).map(publicSnapshot),
    properties: propertiesOf(facts),
    report: (diagnostic) => context.report(diagnostic),
  };
}

/** QEMU's format for disk images (docs/interop/qcow2.txt in its source), versions 2 and 3. */
export const qcow2Format: ContainerFormat = {
  name: 'qcow2',
  options: ['snapshot', 'passphrase'],
  probe,
  open: async (file, context, options) => new Qcow2Container(await readParts(file, context, options)),
  openWritable: async (file, context) => WritableQcow2Container.open(file, await readParts(file, context)),
};

function refuseUnreadable(header: HeaderFields, extensions: HeaderExtensions): void {
  const features = unreadableFeatures(header.incompatibleFeatures, extensions.featureNames);
  if (features.length > 0) {
    throw notSupported('incompatibleFeatures', 'only features that this version reads', features.join(', '));
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
  if (hasBit64(header.autoclearFeatures, AUTOCLEAR.rawDataFile)) {
    if (!header.hasDataFile) report('autoclearFeatures', 'the raw external data bit is set, but there is no data file');
    else if (header.backingName !== undefined) {
      report(
        'autoclearFeatures',
        'the data file is marked raw, but there is a backing file: it is no whole disk alone',
      );
    }
  }
  if (header.refcountTableClusters === 0) report('refcountTableClusters', 'the image has no reference counts');
}

/** Opens the external data file (section "Header", incompatible bit 2); what lies in it is never looked into. */
async function openDataFile(extensions: HeaderExtensions, context: OpenContext): Promise<BlockDevice> {
  const { dataFileName: name } = extensions;
  const offset = extensions.all.find(({ type }) => type === EXTENSION.dataFileName)?.offset;
  const details = { layer: 'qcow2', structure: 'external data file name' };
  if (name === undefined) {
    throw unsupported({
      ...details,
      offset: offset ?? headerV3.fields.incompatibleFeatures.offset,
      expected: 'a header extension that names the external data file',
      found: 'no name',
    });
  }
  if (name.length > MAX_DATA_FILE_NAME) {
    const expected = `at most ${MAX_DATA_FILE_NAME} characters`;
    throw unsupported({ ...details, offset, expected, found: `${name.length} characters` });
  }
  const device = await context.openReference({ kind: 'data file', name, format: 'raw', offset });
  // The data file itself, not the raw container over it: a map ends there, as it ends at the image file.
  return isContainer(device) ? device.file : device;
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
