import { bitField } from '../../bytes/bits.ts';
import { viewOf } from '../../bytes/struct.ts';
import { type BlockDevice, readBytes } from '../../device/block-device.ts';
import { DiskError } from '../../errors.ts';
import { BOOT_SIGNATURE, bootSector } from './boot-sector.ts';
import { bootSector32 } from './boot-sector-32.ts';
import { type FatGeometry, looksLikeFat, parseGeometry } from './geometry.ts';

/** Where the specification (section 3.3, BPB_BkBootSec) wants the copy, in sectors; nobody puts it elsewhere. */
const COPY_SECTOR = 6;
const SECTOR_SIZES = [512, 1024, 2048, 4096];
/** Above the media byte the entry of cluster 0 has ones; the uppermost four bits of 32 are nobody's. */
const FIRST_ENTRY_ONES = 0xfffff;

/** A boot sector, and where it was found, in bytes. */
export interface FoundBootSector {
  readonly sector: Uint8Array;
  readonly offset: number;
}

/** The copy that a FAT32 has of its boot sector, if its FAT begins where the copy says: what is left of an older volume does not. */
export async function findBootSectorCopy(device: BlockDevice): Promise<FoundBootSector | undefined> {
  for (const sectorSize of SECTOR_SIZES) {
    const offset = COPY_SECTOR * sectorSize;
    if (offset + bootSector.size > device.size) return undefined;
    const sector = await readBytes(device, offset, bootSector.size);
    const geometry = geometryOfCopy(sector, sectorSize);
    if (geometry !== undefined && (await hasFat(device, geometry))) return { sector, offset };
  }
  return undefined;
}

function geometryOfCopy(sector: Uint8Array, sectorSize: number): FatGeometry | undefined {
  const { bytesPerSector, sectorsPerFat16, signature } = bootSector.parse(sector);
  if (signature !== BOOT_SIGNATURE || bytesPerSector !== sectorSize || sectorsPerFat16 !== 0) return undefined;
  if (bootSector32.parse(sector).backupBootSector !== COPY_SECTOR || !looksLikeFat(sector)) return undefined;
  try {
    return parseGeometry(sector, () => undefined);
  } catch (error) {
    if (error instanceof DiskError) return undefined;
    throw error;
  }
}

async function hasFat(device: BlockDevice, { fatOffset, entryBits }: FatGeometry): Promise<boolean> {
  if (entryBits !== 32 || fatOffset + 4 > device.size) return false;
  const first = viewOf(await readBytes(device, fatOffset, 4)).getUint32(0, true);
  return bitField(first, 8, 20) === FIRST_ENTRY_ONES;
}
