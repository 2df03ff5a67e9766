import { crc32WithoutField } from '../../bytes/crc32.ts';
import { guid, Struct, type StructValue, u32le, u64le, viewOf, word64le } from '../../bytes/struct.ts';
import { corrupt } from '../../errors.ts';

/** The GPT header (UEFI 2.10 section 5.3.2, table 5.5). LBAs count sectors of the disk. */
export const gptHeader = new Struct('gpt', 'header', {
  signature: word64le(0),
  revision: u32le(8),
  headerSize: u32le(12),
  headerCrc: u32le(16),
  reserved: u32le(20),
  myLba: u64le(24),
  alternateLba: u64le(32),
  firstUsableLba: u64le(40),
  lastUsableLba: u64le(48),
  diskGuid: guid(56),
  entryLba: u64le(72),
  entryCount: u32le(80),
  entrySize: u32le(84),
  entriesCrc: u32le(88),
});

export type GptHeader = StructValue<typeof gptHeader.fields>;

/** `EFI PART` as a little-endian word. */
export const GPT_SIGNATURE = 0x5452415020494645n;
/** The smallest entry (UEFI 2.10 section 5.3.3); larger ones keep its fields. */
export const MIN_ENTRY_BYTES = 128;

/** Whether a sector begins with `EFI PART`. */
export function hasGptSignature(sector: Uint8Array): boolean {
  return Buffer.from(sector.subarray(0, 8)).toString('latin1') === 'EFI PART';
}

/** Pure: the header in `sector`, one whole sector read at `lba`; CORRUPT unless signature, sizes, checksum and MyLBA hold. `name` is `primary header` or `backup header`. */
export function parseGptHeader(sector: Uint8Array, lba: number, name: string): GptHeader {
  const at = lba * sector.length;
  const refuse = (field: 'signature' | keyof GptHeader, expected: string, found: string | number): Error =>
    corrupt({
      layer: 'gpt',
      structure: `${name} ${field}`,
      offset: at + gptHeader.fields[field].offset,
      expected,
      found,
    });
  if (!hasGptSignature(sector)) throw refuse('signature', '"EFI PART"', 'something else');
  const view = viewOf(sector);
  const headerSize = gptHeader.fields.headerSize.get(view, 0);
  if (headerSize < gptHeader.size || headerSize > sector.length) {
    throw refuse('headerSize', `${gptHeader.size} to ${sector.length} bytes`, headerSize);
  }
  const headerCrc = gptHeader.fields.headerCrc.get(view, 0);
  const crc = crc32WithoutField(sector.subarray(0, headerSize), gptHeader.fields.headerCrc.offset);
  if (crc !== headerCrc) throw refuse('headerCrc', hex(crc), hex(headerCrc));
  // Only now: a field out of range in a header that is merely damaged would be a misleading thing to report.
  const header = gptHeader.parse(sector, 0, at);
  if (header.myLba !== lba) throw refuse('myLba', String(lba), header.myLba);
  if (header.entrySize < MIN_ENTRY_BYTES || header.entrySize % 8 !== 0) {
    throw refuse('entrySize', `a multiple of 8, at least ${MIN_ENTRY_BYTES}`, header.entrySize);
  }
  return header;
}

export function hex(word: number): string {
  return `0x${word.toString(16).padStart(8, '0')}`;
}
