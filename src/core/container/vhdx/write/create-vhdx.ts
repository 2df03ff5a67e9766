import { crc32c } from '../../../bytes/crc32c.ts';
import { randomGuid } from '../../../bytes/guid.ts';
import { viewOf } from '../../../bytes/struct.ts';
import type { ReadOptions, ResizableBlockDevice } from '../../../device/block-device.ts';
import {
  BAT_ENTRY_BYTES,
  type BatGeometry,
  PAYLOAD_BLOCK,
  packBatEntry,
  payloadEntryIndex,
} from '../block-allocation-table.ts';
import { ZERO_GUID } from '../current-header.ts';
import { fileIdentifier, HEADER_OFFSETS, KIB, VHDX_SIGNATURE } from '../header.ts';
import {
  REGION,
  REGION_TABLE_BYTES,
  REGION_TABLE_OFFSETS,
  REGION_TABLE_SIGNATURE,
  regionTableEntry,
  regionTableHeader,
} from '../region-table.ts';
import { buildHeader } from './header-updater.ts';
import { buildVhdxLayout, type VhdxLayout, type VhdxOptions } from './vhdx-layout.ts';

/** What the identifier says of who made the file (MS-VHDX 2.2.1). */
const CREATOR = 'Sectorscope';
/** Payload entries of a new BAT that are built and written at once. */
const BAT_CHUNK_ENTRIES = (64 * KIB) / BAT_ENTRY_BYTES;

/**
 * Makes `device` an empty VHDX whose disk reads as zeros, or as its parent. What the device held is cut off first. The
 * identifier is written last, after a flush: a creation that is interrupted leaves no file that passes as VHDX.
 */
export async function createVhdx(
  device: ResizableBlockDevice,
  options: VhdxOptions,
  { signal }: ReadOptions = {},
): Promise<VhdxLayout> {
  const layout = buildVhdxLayout(options);
  const { geometry, payloadOffset, type } = layout;
  const payloadBytes = type === 'fixed' ? geometry.payloadBlockCount * geometry.blockSize : 0;
  await startVhdx(device, layout, payloadOffset + payloadBytes);
  if (type === 'fixed') await writeFixedTable(device, layout, signal);
  await finishVhdx(device);
  return layout;
}

/**
 * Cuts the device off, extends it to `size` bytes of zeros and writes all structures of `layout` but the block allocation
 * table and the identifier: the file is no VHDX before `finishVhdx`.
 */
export async function startVhdx(device: ResizableBlockDevice, layout: VhdxLayout, size: number): Promise<void> {
  await device.resize(0);
  await device.resize(size);
  const { logOffset, logLength } = layout;
  const [fileWriteGuid, dataWriteGuid] = [randomGuid(), randomGuid()];
  for (const [index, offset] of HEADER_OFFSETS.entries()) {
    const sequenceNumber = BigInt(index + 1);
    const fields = { sequenceNumber, fileWriteGuid, dataWriteGuid, logGuid: ZERO_GUID, logLength, logOffset };
    await device.writeFrom(buildHeader(fields), offset);
  }
  const table = buildRegionTable(layout);
  for (const offset of REGION_TABLE_OFFSETS) await device.writeFrom(table, offset);
  await device.writeFrom(layout.metadata, layout.metadataOffset);
}

/** Makes everything durable, then writes the identifier that makes the file a VHDX. */
export async function finishVhdx(device: ResizableBlockDevice): Promise<void> {
  await device.flush();
  const creator = new Uint8Array(fileIdentifier.fields.creator.length);
  creator.set(Buffer.from(CREATOR, 'utf16le'));
  const signature = new TextEncoder().encode(VHDX_SIGNATURE);
  await device.writeFrom(fileIdentifier.build({ signature, creator }), 0);
  await device.flush();
}

/** The region table of a new file (MS-VHDX 2.2.3). */
function buildRegionTable(layout: VhdxLayout): Uint8Array {
  const table = new Uint8Array(REGION_TABLE_BYTES);
  const regions = [
    { guid: REGION.bat, fileOffset: layout.batOffset, length: layout.batLength, required: 1 },
    { guid: REGION.metadata, fileOffset: layout.metadataOffset, length: layout.metadataLength, required: 1 },
  ];
  regionTableHeader.write(table, { signature: REGION_TABLE_SIGNATURE, entryCount: regions.length });
  for (const [index, region] of regions.entries())
    regionTableEntry.write(table, region, regionTableHeader.size + index * regionTableEntry.size);
  regionTableHeader.write(table, { checksum: crc32c(table) });
  return table;
}

/** Every block present, one behind the other. */
async function writeFixedTable(
  device: ResizableBlockDevice,
  { geometry, batOffset, payloadOffset }: VhdxLayout,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (let first = 0; first < geometry.entryCount; first += BAT_CHUNK_ENTRIES) {
    signal?.throwIfAborted();
    const entries = fixedEntries(
      geometry,
      payloadOffset,
      first,
      Math.min(BAT_CHUNK_ENTRIES, geometry.entryCount - first),
    );
    await device.writeFrom(entries, batOffset + first * BAT_ENTRY_BYTES);
  }
}

/** `count` entries from entry `first` up; those of sector bitmap blocks are zero. */
function fixedEntries(geometry: BatGeometry, payloadOffset: number, first: number, count: number): Uint8Array {
  const bytes = new Uint8Array(count * BAT_ENTRY_BYTES);
  const view = viewOf(bytes);
  const { chunkRatio, blockSize, payloadBlockCount } = geometry;
  const chunk = Math.floor(first / (chunkRatio + 1));
  for (let block = first - chunk; block < payloadBlockCount; block++) {
    const index = payloadEntryIndex(block, geometry) - first;
    if (index < 0) continue;
    if (index >= count) break;
    const entry = packBatEntry(PAYLOAD_BLOCK.fullyPresent, payloadOffset + block * blockSize);
    view.setBigUint64(index * BAT_ENTRY_BYTES, entry, true);
  }
  return bytes;
}
