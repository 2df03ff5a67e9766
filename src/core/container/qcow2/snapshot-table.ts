import { divideDown, roundUp } from '../../bytes/rounding.ts';
import { Struct, u16be, u32be, u64be, word64be } from '../../bytes/struct.ts';
import { decodeName } from '../../bytes/text.ts';
import { type BlockDevice, readBytes } from '../../device/block-device.ts';
import { corrupt } from '../../errors.ts';
import type { Snapshot } from '../container.ts';
import type { Qcow2Header } from './header.ts';

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

/** The extra data behind it, each field there only when the extra data is long enough; offsets count from its beginning. */
export const snapshotExtraData = new Struct('qcow2', 'snapshot extra data', {
  vmStateSizeLarge: u64be(0),
  diskSize: u64be(8),
  instructionCount: word64be(16),
});

/** An internal snapshot with the place of its L1 table, which is not checked yet. */
export interface Qcow2Snapshot extends Snapshot {
  /** Where its entry stands in the file. */
  readonly entryOffset: number;
  readonly l1TableOffset: number;
  readonly l1EntryCount: number;
}

/** Without what only this format knows. */
export function publicSnapshot({ id, name, date, virtualSize, vmStateSize }: Snapshot): Snapshot {
  return { id, name, date, virtualSize, vmStateSize };
}

/** How a snapshot is named in properties and errors. */
export function snapshotTitle({ id, name }: Snapshot): string {
  return `${id} ${name}`;
}

/** The largest extra data that QEMU accepts, in bytes. */
const MAX_EXTRA_DATA_BYTES = 1024;
/** What is read of the table at first, and the most that is ever read: entries of usual length for every snapshot there may be. */
const FIRST_READ_BYTES = 64 * 1024;
const MAX_TABLE_BYTES = 8 * 1024 * 1024;

/** The part of the header that tells where the table is. */
export type SnapshotTablePlace = Pick<Qcow2Header, 'snapshotsOffset' | 'snapshotCount' | 'virtualSize'>;

/**
 * The internal snapshots of an image; one that does not tell its own disk size has the image's. CORRUPT when the table leaves
 * the file, is absurdly long, or an entry is damaged.
 */
export async function readSnapshotTable(file: BlockDevice, place: SnapshotTablePlace): Promise<Qcow2Snapshot[]> {
  const { snapshotsOffset: tableOffset, snapshotCount: count } = place;
  const available = Math.min(MAX_TABLE_BYTES, Math.max(0, file.size - tableOffset));
  for (let length = Math.min(FIRST_READ_BYTES, available); ; length = Math.min(length * 8, available)) {
    const bytes = await readBytes(file, Math.min(tableOffset, file.size), length);
    const snapshots = parseSnapshots(bytes, place);
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

/** The entries that `bytes` holds in full, at most as many as there are. */
function parseSnapshots(bytes: Uint8Array, place: SnapshotTablePlace): Qcow2Snapshot[] {
  const { snapshotsOffset: tableOffset, snapshotCount: count } = place;
  const snapshots: Qcow2Snapshot[] = [];
  let at = 0;
  while (snapshots.length < count && at + snapshotEntry.size <= bytes.length) {
    const entryOffset = tableOffset + at;
    const entry = snapshotEntry.parse(bytes, at, entryOffset);
    if (entry.extraDataSize > MAX_EXTRA_DATA_BYTES) {
      throw corrupt({
        layer: 'qcow2',
        structure: 'snapshot table entry extraDataSize',
        offset: entryOffset + snapshotEntry.fields.extraDataSize.offset,
        expected: `at most ${MAX_EXTRA_DATA_BYTES} bytes`,
        found: entry.extraDataSize,
      });
    }
    const extraAt = at + snapshotEntry.size;
    const idAt = extraAt + entry.extraDataSize;
    const nameAt = idAt + entry.idSize;
    const end = nameAt + entry.nameSize;
    if (end > bytes.length) break;
    const extra = parseExtraData(bytes.subarray(extraAt, idAt), tableOffset + extraAt);
    snapshots.push({
      id: decodeName(bytes.subarray(idAt, nameAt)),
      name: decodeName(bytes.subarray(nameAt, end)),
      date: entry.dateSeconds * 1000 + divideDown(entry.dateNanoseconds, 1_000_000),
      virtualSize: extra.diskSize ?? place.virtualSize,
      vmStateSize: extra.vmStateSizeLarge ?? entry.vmStateSize,
      entryOffset,
      l1TableOffset: entry.l1TableOffset,
      l1EntryCount: entry.l1Size,
    });
    at += roundUp(end - at, 8);
  }
  return snapshots;
}

/** The fields that the extra data is long enough for. */
function parseExtraData(extra: Uint8Array, origin: number): { vmStateSizeLarge?: number; diskSize?: number } {
  const padded = new Uint8Array(snapshotExtraData.size);
  padded.set(extra.subarray(0, padded.length));
  const { vmStateSizeLarge, diskSize } = snapshotExtraData.parse(padded, 0, origin);
  const has = ({ offset, length }: { offset: number; length: number }) => extra.length >= offset + length;
  return {
    ...(has(snapshotExtraData.fields.vmStateSizeLarge) ? { vmStateSizeLarge } : {}),
    ...(has(snapshotExtraData.fields.diskSize) ? { diskSize } : {}),
  };
}
