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
 * The whole disk as rows, sorted by start: every partition, every part of the table, and the gaps between them.
 * An extended partition is a row of its own and does not hide the gaps between its logicals.
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
  const laidOut: LayoutRow[] = [];
  let covered = 0;
  for (const row of rows) {
    if (row.start > covered) laidOut.push({ kind: 'gap', start: covered, length: row.start - covered });
    laidOut.push(row);
    const isFrame = row.kind === 'partition' && row.partition.kind === 'extended';
    covered = Math.max(covered, isFrame ? row.start : row.start + row.length);
  }
  if (diskSize > covered) laidOut.push({ kind: 'gap', start: covered, length: diskSize - covered });
  return laidOut;
}
