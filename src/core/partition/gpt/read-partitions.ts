import type { OpenContext } from '../../format.ts';
import type { Partition } from '../partition-table.ts';
import { attributeWords, decodeEntryName, type GptEntry, gptEntry, UNUSED_TYPE } from './entry.ts';
import type { TableCopy } from './table-copy.ts';
import { gptTypeName } from './type-names.ts';

/** The partitions of an entry array; pure but for the reports. Unused entries are passed over, their numbers with them. */
export function readPartitions(copy: TableCopy, context: OpenContext): Partition[] {
  const { header, entries, sectorSize, entryLba } = copy;
  const partitions: Partition[] = [];
  for (let index = 0; index < header.entryCount; index++) {
    const at = index * header.entrySize;
    const offset = entryLba * sectorSize + at;
    const entry = gptEntry.parse(entries, at, offset);
    if (entry.typeGuid === UNUSED_TYPE) continue;
    const report = (message: string): void =>
      context.report({ layer: 'gpt', structure: `partition ${index + 1}`, offset, message });
    if (!isAddressable(entry, sectorSize)) {
      report(`lies at LBA ${entry.firstLba} to ${entry.lastLba}, which no disk has; it is left out`);
      continue;
    }
    const partition = toPartition(entry, index + 1, sectorSize);
    if (entry.lastLba < entry.firstLba) report(`ends at LBA ${entry.lastLba}, before it begins at ${entry.firstLba}`);
    else if (entry.firstLba < header.firstUsableLba || entry.lastLba > header.lastUsableLba) {
      report(`lies outside the usable LBAs ${header.firstUsableLba} to ${header.lastUsableLba}`);
    }
    partitions.push(partition);
  }
  return partitions;
}

/** Whether both ends are byte offsets that a `number` holds. */
function isAddressable(entry: GptEntry, sectorSize: number): boolean {
  const limit = BigInt(Number.MAX_SAFE_INTEGER) / BigInt(sectorSize);
  return entry.firstLba < limit && entry.lastLba < limit;
}

function toPartition(entry: GptEntry, number: number, sectorSize: number): Partition {
  const startSector = Number(entry.firstLba);
  // The last LBA belongs to the partition. One that ends before it begins is kept, empty.
  const sectorCount = Math.max(0, Number(entry.lastLba) - startSector + 1);
  const typeName = gptTypeName(entry.typeGuid);
  return {
    number,
    kind: 'gpt',
    startSector,
    sectorCount,
    start: startSector * sectorSize,
    length: sectorCount * sectorSize,
    type: { id: entry.typeGuid, name: typeName },
    name: decodeEntryName(entry.name),
    guid: entry.partitionGuid,
    flags: attributeWords(entry.attributes, entry.typeGuid, typeName),
  };
}
