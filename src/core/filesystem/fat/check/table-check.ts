import { divideDown } from '../../../bytes/rounding.ts';
import { type BlockDevice, type ReadOptions, readBytes } from '../../../device/block-device.ts';
import { DiskError } from '../../../errors.ts';
import type { Finding } from '../../finding.ts';
import { bootSector } from '../boot-sector.ts';
import { compareFatCopy, differenceText } from '../fat-copies.ts';
import type { FatTable } from '../fat-table.ts';
import { linkKind } from '../link-kind.ts';
import { clusters } from './chain-check.ts';

/** What an entry of cluster 0 must be, but for the media byte in its last eight bits, of which the upper four are set too. */
const FIRST_ENTRY_LOW_BITS = 16;
const ALL_ONES = { 12: 0xfff, 16: 0xffff, 32: 0x0fffffff } as const;

/** What the FAT says as a whole. */
export interface TableFacts {
  /** Clusters whose entry is 0. */
  free: number;
  used: number;
}

/** The FATs against each other, and every entry by itself. */
export async function* checkTables(
  device: BlockDevice,
  table: FatTable,
  facts: TableFacts,
  options: ReadOptions,
): AsyncGenerator<Finding, void> {
  const { geometry } = table;
  yield* await firstEntryFindings(device, table, options);
  for (let copy = 0; copy < geometry.fatCount; copy++) {
    if (copy === geometry.activeFat) continue;
    const difference = await compareFatCopy(device, geometry, copy, options);
    if (difference === undefined) continue;
    const place = { structure: `FAT ${copy + 1}`, offset: difference.offset };
    const message = differenceText(geometry, difference);
    yield geometry.mirrored
      ? { severity: 'error', code: 'fat-copies-differ', ...place, message }
      : {
          severity: 'note',
          code: 'fat-copy-stale',
          ...place,
          message: `${message}; only the latter is kept up to date`,
        };
  }
  let bad = 0;
  let end = 0;
  for await (const { first, entries } of table.pages(options)) {
    for (let at = first === 0 ? 2 : 0; at < entries.length; at++) {
      const value = entries[at]!;
      if (value === 0) {
        facts.free++;
        continue;
      }
      const kind = linkKind(geometry, value);
      if (kind === 'bad') bad++;
      else facts.used++;
      if (kind === 'outside') yield outsideFinding(table, first + at, value);
    }
    end = first + entries.length;
  }
  if (bad > 0) {
    const message = `${clusters(bad)} of ${geometry.clusterCount} ${bad === 1 ? 'is' : 'are'} marked bad`;
    yield { severity: 'note', code: 'bad-clusters', structure: 'FAT', offset: geometry.fatOffset, message };
  }
  if (end <= geometry.maxCluster) {
    const message = `the FAT is cut off before the entry of cluster ${end}: ${geometry.maxCluster} is the last`;
    yield { severity: 'error', code: 'fat-cut', structure: 'FAT', offset: device.size, message };
  }
}

function outsideFinding(table: FatTable, cluster: number, value: number): Finding {
  const message = `the entry leads to cluster ${value}: there are those from 2 to ${table.geometry.maxCluster}`;
  const structure = `FAT entry of cluster ${cluster}`;
  return { severity: 'error', code: 'link-outside', structure, offset: table.entryOffset(cluster), message };
}

/** FAT specification section 4.1: the entry of cluster 0 repeats the media byte, with ones before it. */
async function firstEntryFindings(device: BlockDevice, table: FatTable, options: ReadOptions): Promise<Finding[]> {
  const { geometry } = table;
  const place = { structure: 'FAT entry of cluster 0', offset: table.entryOffset(0) };
  let value: number;
  try {
    value = await table.entry(0, options);
  } catch (error) {
    if (error instanceof DiskError && error.code === 'OUT_OF_RANGE') return [];
    throw error;
  }
  const ones = ALL_ONES[geometry.entryBits];
  const text = `0x${value.toString(16)}`;
  if (divideDown(value, FIRST_ENTRY_LOW_BITS) !== divideDown(ones, FIRST_ENTRY_LOW_BITS))
    return [
      {
        severity: 'error',
        code: 'fat-damaged',
        ...place,
        message: `the FAT begins with ${text} instead of a media byte`,
      },
    ];
  const { media } = bootSector.parse(await readBytes(device, geometry.bootOffset, bootSector.size, options));
  if (value % 256 === media) return [];
  const message = `the FAT begins with ${text}, and the media byte of the boot sector is 0x${media.toString(16)}`;
  return [{ severity: 'warning', code: 'media-differs', ...place, message }];
}
