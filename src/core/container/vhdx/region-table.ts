import { guid, Struct, u32le, u64le } from '../../bytes/struct.ts';
import { KIB } from './header.ts';

/** Where the two copies of the region table stand; the checksum covers 64 KiB (MS-VHDX 2.2.3). */
export const REGION_TABLE_OFFSETS = [192 * KIB, 256 * KIB] as const;
export const REGION_TABLE_BYTES = 64 * KIB;
/** "regi". */
export const REGION_TABLE_SIGNATURE = 0x69676572;
/** MS-VHDX 2.2.3.1. */
export const MAX_REGIONS = 2047;

/** MS-VHDX 2.2.3.1. */
export const regionTableHeader = new Struct(
  'vhdx',
  'region table',
  { signature: u32le(0), checksum: u32le(4), entryCount: u32le(8) },
  16,
);

/** MS-VHDX 2.2.3.2; bit 0 of `required`: a reader that does not know the region must refuse the file. */
export const regionTableEntry = new Struct('vhdx', 'region table entry', {
  guid: guid(0),
  fileOffset: u64le(16),
  length: u32le(24),
  required: u32le(28),
});

/** The regions that the specification knows. */
export const REGION = {
  bat: '2DC27766-F623-4200-9D64-115E9BFD4A08',
  metadata: '8B7CA206-4790-4B9A-B8FE-575F050F886E',
} as const;
