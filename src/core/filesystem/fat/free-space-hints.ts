import { type BlockDevice, readBytes } from '../../device/block-device.ts';
import { corrupt } from '../../errors.ts';
import type { Diagnostic } from '../../format.ts';
import { bootSector } from './boot-sector.ts';
import { bootSector32 } from './boot-sector-32.ts';
import { FS_INFO_LEAD, FS_INFO_STRUCTURE, FS_INFO_TRAIL, FS_INFO_UNKNOWN, fsInfo } from './fs-info.ts';
import type { FatGeometry } from './geometry.ts';

/** FSInfo sector numbers that mean "none". */
const NO_SECTOR = [0, 0xffff];

/** What FSInfo tells; each undefined when unknown or beyond what can be. */
export interface FreeSpaceHints {
  readonly freeClusters: number | undefined;
  readonly nextFree: number | undefined;
  readonly backupBootSector: number;
  /** Of `freeClusters`, in bytes. */
  readonly offset: number;
}

/** FAT32's FSInfo; undefined on FAT12 and FAT16 and where the boot sector names none. */
export async function readFreeSpaceHints(
  device: BlockDevice,
  sector: Uint8Array,
  geometry: FatGeometry,
  report: (diagnostic: Diagnostic) => void,
): Promise<FreeSpaceHints | undefined> {
  if (geometry.entryBits !== 32) return undefined;
  const { fsInfoSector, backupBootSector } = bootSector32.parse(sector);
  if (NO_SECTOR.includes(fsInfoSector)) return undefined;
  const { offset: field } = bootSector32.fields.fsInfoSector;
  if (fsInfoSector >= bootSector.parse(sector).reservedSectors) {
    throw corrupt({
      layer: 'fat',
      structure: 'boot sector fsInfoSector',
      offset: field,
      expected: 'a reserved sector',
      found: fsInfoSector,
    });
  }
  const origin = fsInfoSector * geometry.sectorSize;
  const info = fsInfo.parse(await readBytes(device, origin, fsInfo.size), 0, origin);
  const isSigned =
    info.leadSignature === FS_INFO_LEAD &&
    info.structureSignature === FS_INFO_STRUCTURE &&
    info.trailSignature === FS_INFO_TRAIL;
  if (!isSigned) {
    report({
      layer: 'fat',
      structure: 'FSInfo',
      offset: origin,
      message: 'FSInfo lacks its signatures and is ignored',
    });
    return undefined;
  }
  const offset = origin + fsInfo.fields.freeCount.offset;
  const isCount = info.freeCount <= geometry.clusterCount;
  if (!isCount && info.freeCount !== FS_INFO_UNKNOWN) {
    const message = `FSInfo tells ${info.freeCount} free clusters of ${geometry.clusterCount}`;
    report({ layer: 'fat', structure: 'FSInfo', offset, message });
  }
  return {
    freeClusters: isCount ? info.freeCount : undefined,
    nextFree: info.nextFree >= 2 && info.nextFree <= geometry.maxCluster ? info.nextFree : undefined,
    backupBootSector,
    offset,
  };
}
