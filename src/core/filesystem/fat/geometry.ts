import { bitField, hasBit } from '../../bytes/bits.ts';
import { divideDown, divideUp, isPowerOfTwo } from '../../bytes/rounding.ts';
import { corrupt } from '../../errors.ts';
import type { Diagnostic } from '../../format.ts';
import { bootSector } from './boot-sector.ts';
import { bootSector32 } from './boot-sector-32.ts';
import { SLOT_BYTES } from './directory-entry.ts';

/** FAT specification section 3.5: the type follows from the number of clusters and from nothing else. */
const FAT12_CLUSTERS_BELOW = 4085;
const FAT16_CLUSTERS_BELOW = 65525;
/** Section 3.1. */
const MIN_SECTOR_BYTES = 512;
const MAX_SECTOR_BYTES = 4096;
const MAX_SECTORS_PER_CLUSTER = 128;
/** The highest numbers of FAT32 mean bad cluster and end of chain. */
const MAX_FAT32_CLUSTER = 0x0ffffff6;
const FIRST_CLUSTER = 2;

/** Where everything lies, from the boot sector alone; offsets and sizes in bytes. */
export interface FatGeometry {
  readonly type: 'fat12' | 'fat16' | 'fat32';
  /** Where the boot sector that tells it lies: 0, or the place of its copy. */
  readonly bootOffset: number;
  readonly entryBits: 12 | 16 | 32;
  readonly sectorSize: number;
  readonly totalSectors: number;
  readonly size: number;
  readonly clusterSize: number;
  readonly clusterCount: number;
  /** Clusters are numbered 2 to this. */
  readonly maxCluster: number;
  readonly fatCount: number;
  readonly activeFat: number;
  readonly mirrored: boolean;
  /** Of the active FAT. */
  readonly fatOffset: number;
  /** Of one FAT. */
  readonly fatBytes: number;
  /** The fixed root directory of FAT12 and FAT16; empty on FAT32. */
  readonly rootOffset: number;
  readonly rootBytes: number;
  /** Where FAT32's root begins; 0 on the others. */
  readonly rootCluster: number;
  readonly dataOffset: number;
}

type Common = ReturnType<typeof bootSector.parse>;

/** Whether the fields of a boot sector are such as only a FAT has; NTFS, exFAT, BitLocker and code of an MBR fail it. */
export function looksLikeFat(sector: Uint8Array): boolean {
  const boot = bootSector.parse(sector);
  const oemName = String.fromCharCode(...boot.oemName);
  if (oemName === 'NTFS    ' || oemName === 'EXFAT   ' || oemName === '-FVE-FS-') return false;
  return hasJump(boot.jump) && basicFault(boot) === undefined;
}

/** A short or near jump over the fields, or nothing at all. */
function hasJump(jump: Uint8Array): boolean {
  return jump[0] === 0xeb || jump[0] === 0xe9 || jump.every((byte) => byte === 0);
}

interface Fault {
  readonly field: keyof typeof bootSector.fields;
  readonly expected: string;
}

function basicFault(boot: Common): Fault | undefined {
  const { bytesPerSector, sectorsPerCluster, media } = boot;
  const fits = bytesPerSector >= MIN_SECTOR_BYTES && bytesPerSector <= MAX_SECTOR_BYTES;
  if (!fits || !isPowerOfTwo(bytesPerSector))
    return { field: 'bytesPerSector', expected: 'a power of two from 512 to 4096' };
  if (!isPowerOfTwo(sectorsPerCluster) || sectorsPerCluster > MAX_SECTORS_PER_CLUSTER)
    return { field: 'sectorsPerCluster', expected: 'a power of two from 1 to 128' };
  if (boot.reservedSectors === 0) return { field: 'reservedSectors', expected: 'at least 1' };
  if (boot.fatCount === 0) return { field: 'fatCount', expected: 'at least 1' };
  if (media !== 0xf0 && media < 0xf8) return { field: 'media', expected: '0xf0 or 0xf8 to 0xff' };
  return undefined;
}

/** Reads and validates the first 512 bytes of a FAT, or their copy at `bootOffset`; what is odd but readable goes to `report`. */
export function parseGeometry(
  sector: Uint8Array,
  report: (diagnostic: Diagnostic) => void,
  bootOffset = 0,
): FatGeometry {
  const boot = bootSector.parse(sector);
  const fault = basicFault(boot);
  if (fault !== undefined) throw fieldError(fault.field, fault.expected, Number(boot[fault.field]));
  const boot32 = bootSector32.parse(sector);
  const isLaidOutAs32 = boot.sectorsPerFat16 === 0;
  const sectorsPerFat = isLaidOutAs32 ? boot32.sectorsPerFat32 : boot.sectorsPerFat16;
  if (sectorsPerFat === 0) throw fieldError('sectorsPerFat16', 'the sectors of a FAT, here or at offset 0x24', 0);
  const totalSectors = boot.totalSectors16 === 0 ? boot.totalSectors32 : boot.totalSectors16;
  const sectorSize = boot.bytesPerSector;
  const rootSectors = divideUp(boot.rootEntryCount * SLOT_BYTES, sectorSize);
  if (!isLaidOutAs32 && rootSectors === 0) throw fieldError('rootEntryCount', 'at least 1 entry', 0);
  const rootSector = boot.reservedSectors + boot.fatCount * sectorsPerFat;
  const dataSector = rootSector + rootSectors;
  const announced = divideDown(Math.max(0, totalSectors - dataSector), boot.sectorsPerCluster);
  if (announced === 0) {
    const field = boot.totalSectors16 === 0 ? 'totalSectors32' : 'totalSectors16';
    throw fieldError(field, `more than the ${dataSector} sectors before the first cluster`, totalSectors);
  }
  const entryBits = chooseEntryBits(isLaidOutAs32, announced, boot, report);
  const fatBytes = sectorsPerFat * sectorSize;
  const clusterCount = clampClusters(announced, entryBits, fatBytes, report);
  const active = isLaidOutAs32 ? activeFat(boot32.extendedFlags, boot.fatCount, report) : 0;
  return {
    type: `fat${entryBits}`,
    bootOffset,
    entryBits,
    sectorSize,
    totalSectors,
    size: totalSectors * sectorSize,
    clusterSize: boot.sectorsPerCluster * sectorSize,
    clusterCount,
    maxCluster: clusterCount + FIRST_CLUSTER - 1,
    fatCount: boot.fatCount,
    activeFat: active,
    mirrored: !(isLaidOutAs32 && hasBit(boot32.extendedFlags, 7)),
    fatOffset: (boot.reservedSectors + active * sectorsPerFat) * sectorSize,
    fatBytes,
    rootOffset: rootSector * sectorSize,
    rootBytes: isLaidOutAs32 ? 0 : boot.rootEntryCount * SLOT_BYTES,
    rootCluster: isLaidOutAs32 ? boot32.rootCluster : 0,
    dataOffset: dataSector * sectorSize,
  };
}

/**
 * By the number of clusters; but a boot sector without a 16-bit FAT size has FAT32's fields and root and can be read in no
 * other way, so Linux, fsck.fat and 7z take it for FAT32 however few clusters there are: mkfs.fat -F 32 makes such volumes.
 */
function chooseEntryBits(
  isLaidOutAs32: boolean,
  clusters: number,
  boot: Common,
  report: (diagnostic: Diagnostic) => void,
): 12 | 16 | 32 {
  if (isLaidOutAs32) {
    if (clusters < FAT16_CLUSTERS_BELOW) {
      const message = `FAT32 with ${clusters} clusters, fewer than the ${FAT16_CLUSTERS_BELOW} that the specification wants`;
      report({ layer: 'fat', structure: 'boot sector', offset: bootSector.fields.sectorsPerFat16.offset, message });
    }
    return 32;
  }
  if (clusters < FAT12_CLUSTERS_BELOW) return 12;
  if (clusters < FAT16_CLUSTERS_BELOW) return 16;
  throw fieldError(
    'sectorsPerFat16',
    `0, since ${clusters} clusters are FAT32 and ${FAT16_CLUSTERS_BELOW} the fewest of it`,
    boot.sectorsPerFat16,
  );
}

/** A FAT with fewer entries than clusters cannot name the last ones: they do not exist, as for Linux. */
function clampClusters(
  announced: number,
  entryBits: 12 | 16 | 32,
  fatBytes: number,
  report: (diagnostic: Diagnostic) => void,
): number {
  const entries = divideDown(fatBytes * 8, entryBits);
  const most = Math.min(entries - FIRST_CLUSTER, MAX_FAT32_CLUSTER - FIRST_CLUSTER + 1);
  if (announced <= most) return announced;
  if (most < 1) throw fieldError('sectorsPerFat16', 'a FAT with at least 3 entries', entries);
  const message = `the FAT has room for ${most} clusters and the volume has ${announced}: the last ones cannot be used`;
  report({ layer: 'fat', structure: 'boot sector', offset: bootSector.fields.sectorsPerFat16.offset, message });
  return most;
}

/** FAT specification section 3.3, BPB_ExtFlags. */
function activeFat(flags: number, fatCount: number, report: (diagnostic: Diagnostic) => void): number {
  if (!hasBit(flags, 7)) return 0;
  const active = bitField(flags, 0, 4);
  if (active < fatCount) return active;
  const message = `the active FAT is number ${active} of ${fatCount}: the first is read instead`;
  report({ layer: 'fat', structure: 'boot sector', offset: bootSector32.fields.extendedFlags.offset, message });
  return 0;
}

function fieldError(field: keyof typeof bootSector.fields, expected: string, found: number): Error {
  const { offset } = bootSector.fields[field];
  return corrupt({ layer: 'fat', structure: `boot sector ${field}`, offset, expected, found });
}

export function isDataCluster(geometry: FatGeometry, cluster: number): boolean {
  return cluster >= FIRST_CLUSTER && cluster <= geometry.maxCluster;
}

/** Where a cluster's bytes lie. */
export function clusterOffset(geometry: FatGeometry, cluster: number): number {
  return geometry.dataOffset + (cluster - FIRST_CLUSTER) * geometry.clusterSize;
}
