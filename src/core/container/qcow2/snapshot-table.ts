import { roundUp } from '../../bytes/rounding.ts';
import { Struct, u16be, u32be, u64be, word64be } from '../../bytes/struct.ts';
import { decodeName } from '../../bytes/text.ts';
import { type BlockDevice, readBytes } from '../../device/block-device.ts';
import { corrupt } from '../../errors.ts';

/** The fixed part of an entry; extra data, id, name and padding to a multiple of 8 follow (qcow2 specification, section "Snapshots"). */
export const snapshotEntry = new Struct('qcow2', 'snapshot table entry', {
  l1TableOffset: u64be(0),
  l1Size: u32be(8),
  idSize: u16be(12),
  nameSize: u16be(14),
  dateSeconds: u32be(16),
  dateNanoseconds: u32be(20),
  vmClockNanoseconds: word64be(24),
  vmStateSize: u32be(32),
  extraDataSize: u32be(36),
});

export interface Snapshot {
  readonly id: string;
  readonly name: string;
}

/** The largest extra data that QEMU accepts, in bytes. */
const MAX_EXTRA_DATA_BYTES = 1024;
/** What is read of the table at first, and the most that is ever read: entries of usual length for every snapshot there may be. */
const FIRST_READ_BYTES = 64 * 1024;
const MAX_TABLE_BYTES = 8 * 1024 * 1024;

/** The internal snapshots of an image. CORRUPT when the table leaves the file, is absurdly long, or an entry is damaged. */
export async function readSnapshotTable(file: BlockDevice, tableOffset: number, count: number): Promise<Snapshot[]> {
  const available = Math.min(MAX_TABLE_BYTES, Math.max(0, file.size - tableOffset));
  for (let length = Math.min(FIRST_READ_BYTES, available); ; length = Math.min(length * 8, available)) {
    const bytes = await readBytes(file, Math.min(tableOffset, file.size), length);
    const snapshots = parseSnapshots(bytes, tableOffset, count);
    if (snapshots.length === count) return snapshots;
    if (length === available) {
      throw corrupt({
        layer: 'qcow2',
        structure: 'snapshot table',
        offset: tableOffset,
        expected: `${count} entries inside ${available} bytes`,
        found: snapshots.length,
      });
    }
  }
}

/** The entries that `bytes` holds in full, at most `count`. */
function parseSnapshots(bytes: Uint8Array, tableOffset: number, count: number): Snapshot[] {
  const snapshots: Snapshot[] = [];
  let at = 0;
  while (snapshots.length < count && at + snapshotEntry.size <= bytes.length) {
    const { extraDataSize, idSize, nameSize } = snapshotEntry.parse(bytes, at, tableOffset + at);
    if (extraDataSize > MAX_EXTRA_DATA_BYTES) {
      throw corrupt({
        layer: 'qcow2',
        structure: 'snapshot table entry extraDataSize',
        offset: tableOffset + at + snapshotEntry.fields.extraDataSize.offset,
        expected: `at most ${MAX_EXTRA_DATA_BYTES} bytes`,
        found: extraDataSize,
      });
    }
    const idAt = at + snapshotEntry.size + extraDataSize;
    const nameAt = idAt + idSize;
    const end = nameAt + nameSize;
    if (end > bytes.length) break;
    snapshots.push({ id: decodeName(bytes.subarray(idAt, nameAt)), name: decodeName(bytes.subarray(nameAt, end)) });
    at += roundUp(end - at, 8);
  }
  return snapshots;
}
