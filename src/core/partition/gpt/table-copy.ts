import { crc32 } from '../../bytes/crc32.ts';
import { type BlockDevice, readBytes } from '../../device/block-device.ts';
import { corrupt } from '../../errors.ts';
import { type GptHeader, gptHeader, hasGptSignature, hex, parseGptHeader } from './header.ts';

export type CopyName = 'primary' | 'backup';

/** One of the two copies of a GPT, its header valid. */
export interface TableCopy {
  readonly name: CopyName;
  readonly sectorSize: number;
  readonly header: GptHeader;
  /** The entry array, its checksum valid. */
  readonly entries: Uint8Array;
  /** Where the array was found: the header's own place, or the other copy's when that one was damaged. */
  readonly entryLba: number;
}

/** Why a copy could not be used, and what of it could. */
export interface DamagedCopy {
  readonly name: CopyName;
  readonly sectorSize: number;
  readonly lba: number;
  readonly fault: unknown;
  /** Whether `EFI PART` stood there. */
  readonly signed: boolean;
  /** Valid, when only the entry array is damaged. */
  readonly header: GptHeader | undefined;
  /** As the damaged header has it: a hint, checked by what stands there. */
  readonly alternateLba: number | undefined;
}

/** The most that a partition entry array may take: 32,768 entries of 128 bytes; real ones have 128 to 1024. */
const MAX_ENTRY_ARRAY_BYTES = 4 * 1024 * 1024;

/** Reads the copy whose header stands at `lba`. Damage, and a device that fails, is a value: there may be another copy. */
export async function readCopy(
  device: BlockDevice,
  name: CopyName,
  lba: number,
  sectorSize: number,
): Promise<TableCopy | DamagedCopy> {
  let header: GptHeader | undefined;
  let sector: Uint8Array | undefined;
  try {
    sector = await readSector(device, name, lba, sectorSize);
    header = parseGptHeader(sector, lba, `${name} header`);
    const entries = await readEntries(device, header, sectorSize, header.entryLba, name);
    return { name, sectorSize, header, entries, entryLba: header.entryLba };
  } catch (fault) {
    const signed = sector !== undefined && hasGptSignature(sector);
    const alternateLba = signed ? hintedLba(sector!) : undefined;
    return { name, sectorSize, lba, fault, signed, header, alternateLba };
  }
}

export function isDamaged(copy: TableCopy | DamagedCopy): copy is DamagedCopy {
  return 'fault' in copy;
}

async function readSector(device: BlockDevice, name: CopyName, lba: number, sectorSize: number): Promise<Uint8Array> {
  const offset = lba * sectorSize;
  if (lba < 1 || offset + sectorSize > device.size) {
    throw corrupt({
      layer: 'gpt',
      structure: `${name} header`,
      offset,
      expected: `a sector inside ${device.size} bytes`,
      found: `LBA ${lba}`,
    });
  }
  return readBytes(device, offset, sectorSize);
}

/** The entry array that `header` describes, read at `entryLba`; bounded before anything is allocated. */
export async function readEntries(
  device: BlockDevice,
  header: GptHeader,
  sectorSize: number,
  entryLba: number,
  name: CopyName,
): Promise<Uint8Array> {
  const offset = entryLba * sectorSize;
  const length = header.entryCount * header.entrySize;
  const details = { layer: 'gpt', structure: `${name} entry array`, offset };
  if (length > MAX_ENTRY_ARRAY_BYTES) {
    const found = `${header.entryCount} entries of ${header.entrySize} bytes`;
    throw corrupt({ ...details, expected: `at most ${MAX_ENTRY_ARRAY_BYTES} bytes`, found });
  }
  if (entryLba < 1 || offset + length > device.size) {
    throw corrupt({ ...details, expected: `a place inside ${device.size} bytes`, found: `${length} bytes there` });
  }
  const bytes = await readBytes(device, offset, length);
  const crc = crc32(bytes);
  if (crc !== header.entriesCrc) {
    throw corrupt({ ...details, expected: `checksum ${hex(header.entriesCrc)}`, found: hex(crc) });
  }
  return bytes;
}

function hintedLba(sector: Uint8Array): number | undefined {
  const lba = gptHeader.fields.alternateLba.get(new DataView(sector.buffer, sector.byteOffset), 0);
  return Number.isSafeInteger(lba) ? lba : undefined;
}
