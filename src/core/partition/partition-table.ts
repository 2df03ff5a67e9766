import type { ByteRange } from '../device/block-device.ts';
import type { Property } from '../format.ts';

export interface PartitionType {
  /** As the table has it: `0x83`, or a GUID. */
  readonly id: string;
  /** In words; empty when unknown. */
  readonly name: string;
}

/** One entry of a partition table: a range of the disk. */
export interface Partition extends ByteRange {
  /** Linux's numbering: MBR primaries 1 to 4, logicals from 5; GPT the entry's place from 1. The `2` of `p2`. */
  readonly number: number;
  readonly kind: 'primary' | 'extended' | 'logical' | 'gpt';
  readonly startSector: number;
  readonly sectorCount: number;
  readonly type: PartitionType;
  /** GPT's partition name; empty on MBR. */
  readonly name: string;
  /** GPT's unique partition GUID. */
  readonly guid?: string;
  /** In words: `bootable`, `required`, `legacy BIOS bootable`, ... */
  readonly flags: readonly string[];
}

/** A part of the disk that is no partition: the table's own sectors, or nothing. */
export interface TableRegion extends ByteRange {
  /** `protective MBR`, `primary GPT header`, `boot record of p5`, ... */
  readonly name: string;
}

export interface PartitionTable {
  /** `hybrid` is a GPT whose MBR lists real partitions too. */
  readonly scheme: 'mbr' | 'gpt' | 'hybrid';
  /** Bytes; the unit of every sector number in the table. */
  readonly sectorSize: number;
  /** By number; an extended partition is listed before its logicals. */
  readonly partitions: readonly Partition[];
  /** Where the table itself lives, ascending. */
  readonly metadata: readonly TableRegion[];
  readonly properties: readonly Property[];
}

/** A row of a disk's layout: partitions, table sectors and gaps in the order of the disk. */
export type LayoutRow = ByteRange &
  (
    | { readonly kind: 'partition'; readonly partition: Partition }
    | { readonly kind: 'metadata'; readonly name: string }
    | { readonly kind: 'gap' }
  );

/**
 * The whole disk as rows, sorted by start: every partition, every part of the table, and the gaps between them, none of
 * which reaches past the disk. An extended partition is a row of its own: it does not hide the gaps between its logicals,
 * and a gap ends where it ends.
 */
export function layoutRows(table: PartitionTable, diskSize: number): LayoutRow[] {
  const rows: LayoutRow[] = [
    ...table.metadata.map(
      (region): LayoutRow => ({ kind: 'metadata', name: region.name, start: region.start, length: region.length }),
    ),
    ...table.partitions.map(
      (partition): LayoutRow => ({ kind: 'partition', partition, start: partition.start, length: partition.length }),
    ),
  ].sort((left, right) => left.start - right.start || right.length - left.length);
  const frameEnds = rows.filter(isFrame).map(({ start, length }) => start + length);
  const laidOut: LayoutRow[] = [];
  let covered = 0;
  const fillTo = (place: number): void => {
    const end = Math.min(place, diskSize);
    const cuts = [...frameEnds.filter((cut) => cut > covered && cut < end), end].sort((left, right) => left - right);
    for (const cut of cuts) {
      if (cut > covered) laidOut.push({ kind: 'gap', start: covered, length: cut - covered });
      covered = Math.max(covered, cut);
    }
  };
  for (const row of rows) {
    fillTo(row.start);
    laidOut.push(row);
    if (!isFrame(row)) covered = Math.max(covered, row.start + row.length);
  }
  fillTo(diskSize);
  return laidOut;
}

function isFrame(row: LayoutRow): boolean {
  return row.kind === 'partition' && row.partition.kind === 'extended';
}
