import { decodeUtf16Little } from '../../bytes/text.ts';
import { type BlockDevice, readBytes } from '../../device/block-device.ts';
import { corrupt, errorWithRemedy } from '../../errors.ts';
import type { OpenContext, Property } from '../../format.ts';
import type { BackingLayer, Container, ContainerFormat, ContainerOptions } from '../container.ts';
import { BAT_ENTRY_BYTES, type BatGeometry, batGeometry } from './block-allocation-table.ts';
import { type CurrentHeader, readCurrentHeader, ZERO_GUID } from './current-header.ts';
import { fileIdentifier, VHDX_SIGNATURE } from './header.ts';
import { readMetadata, type VhdxMetadata } from './metadata-items.ts';
import { openParent } from './open-parent.ts';
import { type Region, type Regions, readRegions } from './regions.ts';
import { hasPendingLog, replayLog } from './replay-log.ts';
import { VhdxContainer, type VhdxParts } from './vhdx-container.ts';
import { openWritableVhdx } from './write/open-writable.ts';

async function probe(device: BlockDevice): Promise<boolean> {
  if (device.size < VHDX_SIGNATURE.length) return false;
  return latin1(await readBytes(device, 0, VHDX_SIGNATURE.length)) === VHDX_SIGNATURE;
}

/** Everything that was read of an image. */
export interface VhdxImage {
  readonly parts: VhdxParts;
  readonly current: CurrentHeader;
  readonly regions: Regions;
  readonly metadata: VhdxMetadata;
}

/**
 * Reads headers, log, regions and metadata in this order, each through what the one before says, and opens the parent.
 * `replayedWhere` is what is said of the log: opening to write replays it for real, after this.
 */
async function readImage(
  file: BlockDevice,
  context: OpenContext,
  options: ContainerOptions = {},
  replayedWhere = 'in memory',
): Promise<VhdxImage> {
  const creator = await readCreator(file);
  const current = await readCurrentHeader(file, context);
  const log = await readLog(file, current, context, options.log ?? 'replay', replayedWhere);
  const regions = await readRegions(log.device, current.fields, context);
  const metadata = await readMetadata(log.device, regions.metadata, context);
  const geometry = checkGeometry(metadata, regions.bat);
  const parent = await openParent(metadata, context);
  const parts: VhdxParts = {
    file,
    replayed: log.device,
    geometry,
    batOffset: regions.bat.fileOffset,
    virtualSize: metadata.virtualSize,
    sectorSize: metadata.logicalSectorSize,
    dataWriteGuid: current.fields.dataWriteGuid,
    parent,
    rawUnmapped: options.unmapped === 'raw',
    properties: propertiesOf(creator, current, metadata, log, parent),
    report: (diagnostic) => context.report(diagnostic),
  };
  return { parts, current, regions, metadata };
}

async function open(file: BlockDevice, context: OpenContext, options?: ContainerOptions): Promise<Container> {
  return new VhdxContainer((await readImage(file, context, options)).parts);
}

/** Microsoft's format for virtual disks (MS-VHDX), version 1. */
export const vhdxFormat: ContainerFormat = {
  name: 'vhdx',
  options: ['log', 'unmapped'],
  probe,
  open,
  openWritable: async (file, context) => openWritableVhdx(file, await readImage(file, context, {}, 'into the file')),
};

async function readCreator(file: BlockDevice): Promise<string> {
  const bytes = await readBytes(file, 0, Math.min(file.size, fileIdentifier.size));
  const found = latin1(bytes.subarray(0, VHDX_SIGNATURE.length));
  if (found !== VHDX_SIGNATURE)
    throw corrupt({ layer: 'vhdx', structure: 'file identifier', offset: 0, expected: VHDX_SIGNATURE, found });
  const { creator } = fileIdentifier.parse(bytes);
  return decodeUtf16Little(creator).split('\0', 1)[0]!;
}

interface LogState {
  readonly device: BlockDevice;
  readonly entryCount: number;
  /** In words; undefined when there is nothing to say. */
  readonly said: string | undefined;
}

async function readLog(
  file: BlockDevice,
  current: CurrentHeader,
  context: OpenContext,
  wish: 'replay' | 'ignore',
  replayedWhere: string,
): Promise<LogState> {
  if (!hasPendingLog(current.fields)) {
    const message = 'the header says that the log is in use, but gives it no length: nothing is replayed';
    if (current.fields.logGuid !== ZERO_GUID)
      context.report({ layer: 'vhdx', structure: `header ${current.number}`, offset: current.offset, message });
    return { device: file, entryCount: 0, said: undefined };
  }
  const replayed =
    wish === 'ignore'
      ? { device: file, entryCount: 0 }
      : await replayLog(file, current, context).catch((error: unknown) => {
          throw errorWithRemedy(error, 'ignoreLog');
        });
  const { entryCount } = replayed;
  if (wish === 'replay' && entryCount === 0) return { ...replayed, said: 'in use but empty' };
  const entries = entryCount === 1 ? '1 log entry' : `${entryCount} log entries`;
  const said =
    wish === 'replay' ? `${entries} replayed ${replayedWhere}` : 'pending, ignored: the disk as before its replay';
  context.report({ layer: 'vhdx', structure: 'log', offset: current.fields.logOffset, message: said });
  return { ...replayed, said };
}

function checkGeometry(metadata: VhdxMetadata, bat: Region): BatGeometry {
  const { virtualSize, blockSize, logicalSectorSize, hasParent } = metadata;
  const geometry = batGeometry(virtualSize, blockSize, logicalSectorSize, hasParent);
  if (geometry.entryCount * BAT_ENTRY_BYTES <= bat.length) return geometry;
  throw corrupt({
    layer: 'vhdx',
    structure: 'BAT',
    offset: bat.fileOffset,
    expected: `room for the ${geometry.entryCount} entries of a disk of ${virtualSize} bytes`,
    found: `${bat.length} bytes`,
  });
}

function propertiesOf(
  creator: string,
  { number, fields }: CurrentHeader,
  metadata: VhdxMetadata,
  log: LogState,
  parent: BackingLayer | undefined,
): Property[] {
  const type = metadata.hasParent ? 'differencing' : metadata.leaveBlockAllocated ? 'fixed' : 'dynamic';
  return [
    { key: 'type', value: type },
    { key: 'blockSize', value: metadata.blockSize, unit: 'bytes' },
    { key: 'logicalSectorSize', value: metadata.logicalSectorSize, unit: 'bytes' },
    { key: 'physicalSectorSize', value: metadata.physicalSectorSize ?? null, unit: 'bytes' },
    { key: 'virtualDiskId', value: metadata.virtualDiskId ?? null },
    { key: 'parent', value: parent?.name ?? null },
    { key: 'log', value: log.said ?? null },
    { key: 'logEntriesReplayed', value: log.entryCount },
    { key: 'currentHeader', value: number },
    { key: 'headerSequenceNumber', value: String(fields.sequenceNumber) },
    { key: 'fileWriteGuid', value: fields.fileWriteGuid },
    { key: 'dataWriteGuid', value: fields.dataWriteGuid },
    { key: 'creator', value: creator === '' ? null : creator },
  ];
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}
