import { hasMask } from '../../bytes/bits.ts';
import { type BlockDevice, readBytes } from '../../device/block-device.ts';
import { DiskError, faultText, unsupported } from '../../errors.ts';
import type { Diagnostic, Format, OpenContext, Property } from '../../format.ts';
import { BoundedReporter } from '../bounded-reporter.ts';
import type { FileSystem } from '../filesystem.ts';
import { type BootFacts, readBootFacts } from './boot-facts.ts';
import { BOOT_SIGNATURE, bootSector } from './boot-sector.ts';
import { findBootSectorCopy } from './boot-sector-copy.ts';
import { type CodePage, codePageNamed, codePageNames, DEFAULT_CODE_PAGE } from './code-page.ts';
import { compareFatCopy, differenceText } from './fat-copies.ts';
import { FatFileSystem } from './fat-file-system.ts';
import type { FatTable } from './fat-table.ts';
import { type FreeSpaceHints, readFreeSpaceHints } from './free-space-hints.ts';
import { type FatGeometry, looksLikeFat, parseGeometry } from './geometry.ts';
import { CLEAN_BITS } from './volume-state.ts';

/** A FAT larger than this is not counted through, and not compared, while opening, in bytes: free space is then undefined. */
const MAX_COUNTED_FAT_BYTES = 4 * 1024 * 1024;
/** More copies than anyone makes; up to 255 could be told. */
const MAX_COMPARED_COPIES = 4;

export const fatFormat: Format<FileSystem> = {
  name: 'fat',
  async probe(device) {
    return device.size >= bootSector.size && looksLikeFat(await readBytes(device, 0, bootSector.size));
  },
  open: openFat,
};

/** A FAT32 whose boot sector is damaged, by the copy of it. */
export const fatCopyFormat: Format<FileSystem> = {
  name: 'fat',
  probe: async (device) => (await findBootSectorCopy(device)) !== undefined,
  open: openFat,
};

/** Opens a FAT12, FAT16 or FAT32 (Microsoft's "FAT: General Overview of On-Disk Format", version 1.03 and later). */
export async function openFat(device: BlockDevice, context: OpenContext): Promise<FatFileSystem> {
  const reporter = new BoundedReporter((diagnostic) => context.report(diagnostic));
  const report = (diagnostic: Diagnostic): void => reporter.report(diagnostic);
  const { sector, geometry } = await readGeometry(device, report);
  reportBootOddities(sector, geometry, device, report);
  const codePage = requireCodePage(context.codePage ?? DEFAULT_CODE_PAGE);
  const boot = readBootFacts(sector, geometry, codePage);
  const filesystem = new FatFileSystem(device, geometry, codePage, reporter);
  const state = await ifReadable(() => readState(filesystem.table, boot, report), report);
  const hints = await ifReadable(() => readFreeSpaceHints(device, sector, geometry, report), report);
  const free = await ifReadable(() => countFree(filesystem.table), report);
  if (free !== undefined && hints?.freeClusters !== undefined && hints.freeClusters !== free) {
    const message = `FSInfo tells ${hints.freeClusters} free clusters, the FAT has ${free}`;
    report({ layer: 'fat', structure: 'FSInfo', offset: hints.offset, message });
  }
  await ifReadable(() => reportCopies(filesystem, report), report);
  const rootLabel = await ifReadable(() => findLabel(filesystem), report);
  filesystem.setFacts({
    label: rootLabel ?? boot.label,
    free: free === undefined ? undefined : free * geometry.clusterSize,
    properties: describe(geometry, boot, state, hints),
  });
  return filesystem;
}

/** By the boot sector, or by FAT32's copy of it where that is damaged, which is said. */
async function readGeometry(
  device: BlockDevice,
  report: (diagnostic: Diagnostic) => void,
): Promise<{ readonly sector: Uint8Array; readonly geometry: FatGeometry }> {
  try {
    const sector = await readBytes(device, 0, Math.min(bootSector.size, device.size));
    return { sector, geometry: parseGeometry(sector, report) };
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    const copy = await findBootSectorCopy(device);
    if (copy === undefined) throw error;
    const { sector, offset } = copy;
    const message = `it is damaged (${faultText(error)}): its copy at offset 0x${offset.toString(16)} is used`;
    report({ layer: 'fat', structure: 'boot sector', offset: error.offset ?? 0, message });
    return { sector, geometry: parseGeometry(sector, report, offset) };
  }
}

function requireCodePage(name: string): CodePage {
  const codePage = codePageNamed(name);
  if (codePage !== undefined) return codePage;
  throw unsupported({ layer: 'fat', structure: 'code page', expected: codePageNames.join(', '), found: name });
}

/** A damaged part costs what it would have told, not the whole filesystem; a failing device does. */
async function ifReadable<Value>(
  read: () => Promise<Value>,
  report: (diagnostic: Diagnostic) => void,
): Promise<Value | undefined> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof DiskError) || error.code === 'IO') throw error;
    report({ layer: 'fat', structure: error.structure, offset: error.offset, message: faultText(error) });
    return undefined;
  }
}

function reportBootOddities(
  sector: Uint8Array,
  geometry: FatGeometry,
  device: BlockDevice,
  report: (diagnostic: Diagnostic) => void,
): void {
  const { signature } = bootSector.parse(sector);
  if (signature !== BOOT_SIGNATURE) {
    const { offset } = bootSector.fields.signature;
    report({ layer: 'fat', structure: 'boot sector', offset, message: 'the signature 55 AA is missing' });
  }
  if (geometry.size > device.size) {
    const message = `the filesystem has ${geometry.size} bytes and the device ${device.size}: its end is missing`;
    report({ layer: 'fat', structure: 'boot sector', offset: device.size, message });
  }
}

interface VolumeState {
  readonly clean: boolean;
  readonly sound: boolean;
}

/** Windows keeps the state in FAT[1], Linux in the boot sector; either may say dirty. */
async function readState(
  table: FatTable,
  boot: BootFacts,
  report: (diagnostic: Diagnostic) => void,
): Promise<VolumeState> {
  const { geometry } = table;
  const bits = CLEAN_BITS[geometry.entryBits];
  const flags = bits === undefined ? 0 : await table.entry(1);
  const state = {
    clean: !boot.dirty && (bits === undefined || hasMask(flags, bits.clean)),
    sound: !boot.surfaceTestWanted && (bits === undefined || hasMask(flags, bits.sound)),
  };
  const offset = boot.dirty || boot.surfaceTestWanted ? boot.stateOffset : table.entryOffset(1);
  if (!state.clean)
    report({ layer: 'fat', structure: 'volume state', offset, message: 'the volume was not cleanly unmounted' });
  if (!state.sound)
    report({ layer: 'fat', structure: 'volume state', offset, message: 'disk errors were met on the volume' });
  return state;
}

/** A copy that differs is told while opening where that is cheap; the check looks at FATs of every size. */
async function reportCopies(
  { device, geometry }: FatFileSystem,
  report: (diagnostic: Diagnostic) => void,
): Promise<void> {
  if (!geometry.mirrored || geometry.fatBytes > MAX_COUNTED_FAT_BYTES) return;
  for (let copy = 1; copy < Math.min(geometry.fatCount, MAX_COMPARED_COPIES); copy++) {
    const difference = await compareFatCopy(device, geometry, copy);
    if (difference === undefined) continue;
    const { offset } = difference;
    report({ layer: 'fat', structure: `FAT ${copy + 1}`, offset, message: differenceText(geometry, difference) });
  }
}

async function countFree(table: FatTable): Promise<number | undefined> {
  return table.geometry.fatBytes <= MAX_COUNTED_FAT_BYTES ? table.countFree() : undefined;
}

/** The label is an entry of the root; the boot sector's may be older. */
async function findLabel(filesystem: FatFileSystem): Promise<string | undefined> {
  const root = await filesystem.root();
  for await (const batch of root.decode()) {
    const found = batch.find(({ kind, deleted }) => kind === 'label' && !deleted);
    if (found !== undefined) return found.name;
  }
  return undefined;
}

function describe(
  geometry: FatGeometry,
  boot: BootFacts,
  state: VolumeState | undefined,
  hints: FreeSpaceHints | undefined,
): Property[] {
  return [
    { key: 'oemName', value: boot.oemName },
    { key: 'serialNumber', value: boot.serialNumber ?? null },
    { key: 'bootSectorLabel', value: boot.label },
    { key: 'sectorSize', value: geometry.sectorSize, unit: 'bytes' },
    { key: 'clusterSize', value: geometry.clusterSize, unit: 'bytes' },
    { key: 'clusterCount', value: geometry.clusterCount },
    { key: 'totalSectors', value: geometry.totalSectors },
    { key: 'fatCount', value: geometry.fatCount },
    { key: 'fatSize', value: geometry.fatBytes, unit: 'bytes' },
    { key: 'fatOffset', value: geometry.fatOffset, unit: 'bytes' },
    { key: 'activeFat', value: geometry.activeFat },
    { key: 'fatMirrored', value: geometry.mirrored },
    ...rootProperties(geometry),
    { key: 'dataOffset', value: geometry.dataOffset, unit: 'bytes' },
    { key: 'media', value: `0x${boot.media.toString(16)}` },
    { key: 'hiddenSectors', value: boot.hiddenSectors },
    { key: 'cleanlyUnmounted', value: state?.clean ?? null },
    { key: 'diskErrors', value: state === undefined ? null : !state.sound },
    ...(hints === undefined
      ? []
      : [
          { key: 'fsInfoFreeClusters', value: hints.freeClusters ?? null },
          { key: 'fsInfoNextFree', value: hints.nextFree ?? null },
          { key: 'backupBootSector', value: hints.backupBootSector },
        ]),
  ];
}

function rootProperties(geometry: FatGeometry): Property[] {
  if (geometry.entryBits === 32) return [{ key: 'rootCluster', value: geometry.rootCluster }];
  return [
    { key: 'rootOffset', value: geometry.rootOffset, unit: 'bytes' },
    { key: 'rootSize', value: geometry.rootBytes, unit: 'bytes' },
  ];
}
