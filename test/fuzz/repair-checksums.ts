import { crc32, crc32WithoutField } from '../../src/core/bytes/crc32.ts';
import { crc32cWithoutField } from '../../src/core/bytes/crc32c.ts';
import { HEADER_BYTES, HEADER_OFFSETS, vhdxHeader } from '../../src/core/container/vhdx/header.ts';
import {
  REGION_TABLE_BYTES,
  REGION_TABLE_OFFSETS,
  regionTableHeader,
} from '../../src/core/container/vhdx/region-table.ts';

const GPT_SIGNATURE = 'EFI PART';

/** Makes the checksums of a damaged image right again: what is behind them would never be reached otherwise. */
export function repairChecksums(bytes: Uint8Array): void {
  if (startsWith(bytes, 0, 'vhdxfile')) repairVhdx(bytes);
  for (const sectorSize of [512, 4096]) if (startsWith(bytes, sectorSize, GPT_SIGNATURE)) repairGpt(bytes, sectorSize);
}

function repairVhdx(bytes: Uint8Array): void {
  const structures = [
    ...HEADER_OFFSETS.map((offset) => ({ offset, length: HEADER_BYTES, field: vhdxHeader.fields.checksum.offset })),
    ...REGION_TABLE_OFFSETS.map((offset) => ({
      offset,
      length: REGION_TABLE_BYTES,
      field: regionTableHeader.fields.checksum.offset,
    })),
  ];
  for (const { offset, length, field } of structures) {
    if (offset + length > bytes.length) continue;
    const part = bytes.subarray(offset, offset + length);
    viewOf(part).setUint32(field, crc32cWithoutField(part, field), true);
  }
}

/** UEFI 5.3.2: the CRC of the header over its own size at 16, that of the entries at 88. */
function repairGpt(bytes: Uint8Array, at: number): void {
  const view = viewOf(bytes);
  const entriesAt = Number(view.getBigUint64(at + 72, true)) * at;
  const entriesLength = view.getUint32(at + 80, true) * view.getUint32(at + 84, true);
  if (entriesAt + entriesLength <= bytes.length)
    view.setUint32(at + 88, crc32(bytes.subarray(entriesAt, entriesAt + entriesLength)), true);
  const headerLength = view.getUint32(at + 12, true);
  if (headerLength < 92 || at + headerLength > bytes.length) return;
  view.setUint32(at + 16, crc32WithoutField(bytes.subarray(at, at + headerLength), 16), true);
}

function startsWith(bytes: Uint8Array, offset: number, text: string): boolean {
  return (
    offset + 512 <= bytes.length &&
    Buffer.from(bytes.buffer, bytes.byteOffset + offset, text.length).toString('latin1') === text
  );
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
