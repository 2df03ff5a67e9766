import { bitNumbers } from '../../bytes/bits.ts';
import { roundUp } from '../../bytes/rounding.ts';
import { Struct, u8, u16be, u32be, u64be, word64be } from '../../bytes/struct.ts';
import { decodeName } from '../../bytes/text.ts';
import { type BlockDevice, readBytes } from '../../device/block-device.ts';
import { corrupt, type DiskError } from '../../errors.ts';

/** The bitmaps extension (header extension 0x23852875). */
export const bitmapsExtension = new Struct('qcow2', 'bitmaps extension', {
  bitmapCount: u32be(0),
  reserved: u32be(4),
  directorySize: u64be(8),
  directoryOffset: u64be(16),
});

/** The fixed part of an entry; extra data, name and padding to a multiple of 8 follow (section "Bitmap directory"). */
export const bitmapEntry = new Struct('qcow2', 'bitmap directory entry', {
  tableOffset: word64be(0),
  tableSize: u32be(8),
  flags: u32be(12),
  type: u8(16),
  granularityBits: u8(17),
  nameSize: u16be(18),
  extraDataSize: u32be(20),
});

const FLAGS = ['in use', 'auto', 'extra data compatible'];
const DIRTY_TRACKING = 1;
/** QEMU's limit on the number of bitmaps. */
const MAX_BITMAPS = 65535;
/** The most that is read of a directory: every bitmap there may be, with names of usual length. */
const MAX_DIRECTORY_BYTES = 8 * 1024 * 1024;
const MAX_GRANULARITY_BITS = 63;

/** A persistent bitmap: which ranges of the disk were written to since some time. */
export interface Bitmap {
  readonly name: string;
  /** The number whose power of two is how many bytes of the disk one bit stands for. */
  readonly granularityBits: number;
  /** `in use` (not saved correctly), `auto` (to be kept up to date), in words. */
  readonly flags: readonly string[];
}

/** The persistent bitmaps that the extension's data points to. CORRUPT when it, the directory or an entry is damaged. */
export async function readBitmapDirectory(
  file: BlockDevice,
  extension: { readonly offset: number; readonly data: Uint8Array },
): Promise<Bitmap[]> {
  const fields = bitmapsExtension.parse(extension.data, 0, extension.offset);
  const { bitmapCount, directorySize, directoryOffset } = fields;
  const fail = (field: keyof typeof bitmapsExtension.fields, expected: string): DiskError => {
    const offset = extension.offset + bitmapsExtension.fields[field].offset;
    return corrupt({
      layer: 'qcow2',
      structure: `${bitmapsExtension.name} ${field}`,
      offset,
      expected,
      found: fields[field],
    });
  };
  if (bitmapCount === 0 || bitmapCount > MAX_BITMAPS) throw fail('bitmapCount', `1 to ${MAX_BITMAPS}`);
  if (directorySize > MAX_DIRECTORY_BYTES) throw fail('directorySize', `at most ${MAX_DIRECTORY_BYTES} bytes`);
  if (directoryOffset + directorySize > file.size)
    throw fail('directoryOffset', `a directory of ${directorySize} bytes inside ${file.size}`);
  return parseDirectory(await readBytes(file, directoryOffset, directorySize), directoryOffset, bitmapCount);
}

function parseDirectory(bytes: Uint8Array, origin: number, count: number): Bitmap[] {
  const bitmaps: Bitmap[] = [];
  // Each step takes an entry of at least 24 bytes.
  let at = 0;
  while (bitmaps.length < count) {
    const entry = bitmapEntry.parse(bytes, at, origin + at);
    const nameAt = at + bitmapEntry.size + entry.extraDataSize;
    const end = nameAt + entry.nameSize;
    const fail = (field: keyof typeof bitmapEntry.fields, expected: string): DiskError => {
      const offset = origin + at + bitmapEntry.fields[field].offset;
      return corrupt({
        layer: 'qcow2',
        structure: `${bitmapEntry.name} ${field}`,
        offset,
        expected,
        found: entry[field],
      });
    };
    if (end > bytes.length) throw fail('nameSize', `an entry inside the directory of ${bytes.length} bytes`);
    if (entry.type !== DIRTY_TRACKING) throw fail('type', `${DIRTY_TRACKING}, a dirty tracking bitmap`);
    if (entry.granularityBits > MAX_GRANULARITY_BITS) throw fail('granularityBits', `at most ${MAX_GRANULARITY_BITS}`);
    bitmaps.push({
      name: decodeName(bytes.subarray(nameAt, end)),
      granularityBits: entry.granularityBits,
      flags: bitNumbers(entry.flags).map((bit) => FLAGS[bit] ?? `flag ${bit}`),
    });
    at += roundUp(end - at, 8);
  }
  return bitmaps;
}
