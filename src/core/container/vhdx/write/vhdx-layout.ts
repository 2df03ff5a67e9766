import { roundUp } from '../../../bytes/rounding.ts';
import { outOfRange, unsupported } from '../../../errors.ts';
import { BAT_ENTRY_BYTES, type BatGeometry, batGeometry } from '../block-allocation-table.ts';
import { MIB } from '../header.ts';
import { buildMetadata, type ParentReference } from './metadata-region.ts';

export type VhdxType = 'fixed' | 'dynamic' | 'differencing';

/** What a new VHDX file is to be; all sizes in bytes. */
export interface VhdxOptions {
  readonly virtualSize: number;
  readonly type: VhdxType;
  /** A power of two from 1 MiB to 256 MiB. */
  readonly blockSize?: number | undefined;
  readonly logicalSectorSize?: 512 | 4096 | undefined;
  readonly physicalSectorSize?: 512 | 4096 | undefined;
  /** A multiple of 1 MiB. */
  readonly logSize?: number | undefined;
  /** Needed for a differencing disk, and for no other. */
  readonly parent?: ParentReference | undefined;
}

/** Where everything of a new file stands, and the bytes of what is known before any data; all offsets in bytes of the file. */
export interface VhdxLayout {
  readonly virtualSize: number;
  readonly type: VhdxType;
  readonly logicalSectorSize: number;
  readonly physicalSectorSize: number;
  readonly geometry: BatGeometry;
  readonly logOffset: number;
  readonly logLength: number;
  readonly metadataOffset: number;
  readonly metadataLength: number;
  /** The used start of the metadata region; zeros follow. */
  readonly metadata: Uint8Array;
  readonly batOffset: number;
  readonly batLength: number;
  /** Where the first payload or sector bitmap block may stand. */
  readonly payloadOffset: number;
}

/** MS-VHDX 2.6.2.2. */
export const MAX_VIRTUAL_SIZE = 64 * 1024 ** 4;
export const MIN_BLOCK_SIZE = MIB;
/** MS-VHDX 2.6.2.1. */
export const MAX_BLOCK_SIZE = 256 * MIB;
/** What Hyper-V's New-VHD takes: large blocks for a disk of its own, small ones where each may repeat the parent's. */
const DEFAULT_BLOCK_SIZE = { fixed: 32 * MIB, dynamic: 32 * MIB, differencing: 2 * MIB } as const;
const DEFAULT_LOG_BYTES = MIB;
/** The length of a log is a 32-bit field (MS-VHDX 2.2.2). */
const MAX_LOG_BYTES = 4095 * MIB;
const METADATA_REGION_BYTES = MIB;
/** The identifier, the headers and the region tables take the first MiB (MS-VHDX 2.2). */
const LOG_OFFSET = MIB;

/** Checks the options and lays the file out: header section, log, metadata, block allocation table, payload. Pure. */
export function buildVhdxLayout(options: VhdxOptions): VhdxLayout {
  const { virtualSize, type, parent } = options;
  const blockSize = options.blockSize ?? DEFAULT_BLOCK_SIZE[type];
  const logicalSectorSize = options.logicalSectorSize ?? 512;
  const physicalSectorSize = options.physicalSectorSize ?? 4096;
  const logLength = options.logSize ?? DEFAULT_LOG_BYTES;
  checkVirtualSize(virtualSize, logicalSectorSize);
  checkBlockSize(blockSize);
  checkSectorSize('logical sector size', logicalSectorSize);
  checkSectorSize('physical sector size', physicalSectorSize);
  if (logLength < MIB || logLength > MAX_LOG_BYTES || logLength % MIB !== 0)
    throw badOption('log size', `a multiple of ${MIB} bytes up to ${MAX_LOG_BYTES}`, logLength);
  if ((parent !== undefined) !== (type === 'differencing'))
    throw badOption('parent', type === 'differencing' ? 'a parent' : `none in a ${type} disk`, parent ? 'one' : 'none');
  const geometry = batGeometry(virtualSize, blockSize, logicalSectorSize, parent !== undefined);
  const metadataOffset = LOG_OFFSET + logLength;
  const batOffset = metadataOffset + METADATA_REGION_BYTES;
  const batLength = roundUp(geometry.entryCount * BAT_ENTRY_BYTES, MIB);
  return {
    virtualSize,
    type,
    logicalSectorSize,
    physicalSectorSize,
    geometry,
    logOffset: LOG_OFFSET,
    logLength,
    metadataOffset,
    metadataLength: METADATA_REGION_BYTES,
    metadata: buildMetadata({
      virtualSize,
      blockSize,
      logicalSectorSize,
      physicalSectorSize,
      leaveBlockAllocated: type === 'fixed',
      parent,
    }),
    batOffset,
    batLength,
    payloadOffset: batOffset + batLength,
  };
}

/** Refuses a size in bytes that no VHDX can have (MS-VHDX 2.6.2.2). */
export function checkVirtualSize(size: number, logicalSectorSize: number): void {
  if (Number.isSafeInteger(size) && size > 0 && size <= MAX_VIRTUAL_SIZE && size % logicalSectorSize === 0) return;
  throw badOption('virtual disk size', `a multiple of ${logicalSectorSize} bytes up to ${MAX_VIRTUAL_SIZE}`, size);
}

function checkBlockSize(size: number): void {
  for (let allowed = MIN_BLOCK_SIZE; allowed <= MAX_BLOCK_SIZE; allowed *= 2) if (size === allowed) return;
  throw badOption('block size', `a power of two from ${MIN_BLOCK_SIZE} to ${MAX_BLOCK_SIZE} bytes`, size);
}

function checkSectorSize(structure: string, size: number): void {
  if (size !== 512 && size !== 4096)
    throw unsupported({ layer: 'vhdx', structure, expected: '512 or 4096 bytes', found: size });
}

function badOption(structure: string, expected: string, found: string | number): Error {
  return outOfRange({ layer: 'vhdx', structure, expected, found });
}
