import { divideUp } from '../../bytes/rounding.ts';
import { type BlockDevice, readBytes } from '../../device/block-device.ts';
import { corrupt, DiskError, notFound } from '../../errors.ts';
import type { OpenContext } from '../../format.ts';
import { MAX_L1_ENTRIES, type Qcow2Header } from './header.ts';
import { MappingTable } from './mapping-table.ts';
import { type Qcow2Snapshot, readSnapshotTable, snapshotEntry, snapshotTitle } from './snapshot-table.ts';
import { ENTRY_BYTES, l2TableSpan } from './table-entries.ts';

/** One state of the disk that an image has: the present one, or an internal snapshot. */
export interface DiskState {
  /** Undefined for the present state. */
  readonly snapshot: Qcow2Snapshot | undefined;
  /** Bytes. */
  readonly virtualSize: number;
  readonly l1Table: MappingTable;
}

/**
 * The internal snapshots of an image. The present state does not depend on them: when it is that which is asked for, a damaged
 * table is only reported, and told as undefined.
 */
export async function listSnapshots(
  file: BlockDevice,
  header: Qcow2Header,
  context: OpenContext,
  wanted: string | undefined,
): Promise<readonly Qcow2Snapshot[] | undefined> {
  if (header.snapshotCount === 0) return [];
  try {
    return await readSnapshotTable(file, header);
  } catch (error) {
    if (!(error instanceof DiskError) || error.code !== 'CORRUPT' || wanted !== undefined) throw error;
    const { structure, offset, message } = error;
    context.report({ layer: 'qcow2', structure, offset, message: `the snapshots cannot be listed: ${message}` });
    return undefined;
  }
}

/** The state that is asked for: the snapshot whose ID is `wanted`, else the first of that name; without it the present one. */
export async function openState(
  file: BlockDevice,
  header: Qcow2Header,
  context: OpenContext,
  snapshots: readonly Qcow2Snapshot[],
  wanted: string | undefined,
): Promise<DiskState> {
  if (wanted === undefined) {
    const { l1TableOffset, l1EntriesUsed } = header;
    return {
      snapshot: undefined,
      virtualSize: header.virtualSize,
      l1Table: await readL1Table(file, l1TableOffset, l1EntriesUsed),
    };
  }
  const snapshot = snapshots.find(({ id }) => id === wanted) ?? snapshots.find(({ name }) => name === wanted);
  if (snapshot === undefined) throw noSuchSnapshot(header, snapshots, wanted);
  const entriesUsed = checkSnapshotTable(snapshot, header, file.size, context);
  const l1Table = await readL1Table(file, snapshot.l1TableOffset, entriesUsed);
  return { snapshot, virtualSize: snapshot.virtualSize, l1Table };
}

/** Names listed by an error. */
const MAX_LISTED = 20;

function noSuchSnapshot(header: Qcow2Header, snapshots: readonly Qcow2Snapshot[], wanted: string): DiskError {
  const listed = snapshots.slice(0, MAX_LISTED).map(snapshotTitle).join(', ');
  const more = snapshots.length > MAX_LISTED ? ` and ${snapshots.length - MAX_LISTED} more` : '';
  return notFound({
    layer: 'qcow2',
    structure: 'snapshot table',
    offset: header.snapshotsOffset,
    expected: snapshots.length === 0 ? 'a snapshot, but the image has none' : `one of ${listed}${more}`,
    found: wanted,
  });
}

/** An L1 table, or the part of one that a disk needs; a disk of no bytes needs none, and its table may be anywhere. */
export async function readL1Table(file: BlockDevice, offset: number, entryCount: number): Promise<MappingTable> {
  const bytes = entryCount === 0 ? new Uint8Array(0) : await readBytes(file, offset, entryCount * ENTRY_BYTES);
  return new MappingTable(bytes, offset);
}

/** Checks a snapshot's L1 table as the header's is checked; returns how many entries its disk needs and the table has. */
function checkSnapshotTable(
  snapshot: Qcow2Snapshot,
  header: Qcow2Header,
  fileSize: number,
  context: OpenContext,
): number {
  const place = (field: keyof typeof snapshotEntry.fields) => ({
    layer: 'qcow2',
    structure: `snapshot table entry ${field}`,
    offset: snapshot.entryOffset + snapshotEntry.fields[field].offset,
  });
  const { l1TableOffset, l1EntryCount, virtualSize } = snapshot;
  const needed = divideUp(virtualSize, l2TableSpan(header));
  if (l1EntryCount > MAX_L1_ENTRIES)
    throw corrupt({ ...place('l1Size'), expected: `at most ${MAX_L1_ENTRIES} entries`, found: l1EntryCount });
  if (needed > MAX_L1_ENTRIES) {
    const expected = `a disk of at most ${MAX_L1_ENTRIES} L1 entries`;
    throw corrupt({ ...place('extraDataSize'), expected, found: virtualSize });
  }
  if (l1TableOffset % header.clusterSize !== 0)
    throw corrupt({ ...place('l1TableOffset'), expected: `a multiple of ${header.clusterSize}`, found: l1TableOffset });
  if (l1EntryCount > 0 && l1TableOffset + l1EntryCount * ENTRY_BYTES > fileSize) {
    const expected = `a table of ${l1EntryCount} entries inside ${fileSize} bytes`;
    throw corrupt({ ...place('l1TableOffset'), expected, found: l1TableOffset });
  }
  if (l1EntryCount < needed) {
    // QEMU goes on with such a one as well: a table that was made for a smaller disk.
    const message = `the L1 table has ${l1EntryCount} entries, the disk needs ${needed}: the rest is unallocated`;
    context.report({ ...place('l1Size'), message });
  }
  return Math.min(needed, l1EntryCount);
}
