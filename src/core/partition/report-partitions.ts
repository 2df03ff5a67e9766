import type { OpenContext } from '../format.ts';
import type { Partition } from './partition-table.ts';
import { overlaps } from './sector-range.ts';

/** Reports what is odd about where partitions lie: past the end of the disk, or over one another. */
export function reportPartitions(
  layer: string,
  partitions: readonly Partition[],
  diskSize: number,
  context: OpenContext,
): void {
  for (const { number, start, length } of partitions) {
    if (start + length <= diskSize) continue;
    const message = `ends at ${start + length}, past the end of the disk at ${diskSize}; the image may be truncated`;
    context.report({ layer, structure: `partition ${number}`, offset: start, message });
  }
  // Logical partitions lie inside the extended one.
  for (const { number, start } of overlaps(partitions.filter(({ kind }) => kind !== 'extended'))) {
    context.report({ layer, structure: `partition ${number}`, offset: start, message: 'overlaps another partition' });
  }
}
