import type { ExecutionContext } from 'ava';
import type { Partition, PartitionTable } from '../../../src/core/index.ts';

/** What `sfdisk --json` prints below `partitiontable`. */
export interface SfdiskTable {
  readonly label: string;
  readonly id: string;
  readonly device: string;
  readonly firstlba?: number;
  readonly lastlba?: number;
  readonly sectorsize: number;
  readonly partitions?: readonly {
    readonly node: string;
    readonly start: number;
    readonly size: number;
    readonly type: string;
    readonly uuid?: string;
    readonly name?: string;
    readonly attrs?: string;
    readonly bootable?: boolean;
  }[];
}

/** sfdisk's words for attributes, from ours. */
function sfdiskAttributes(flags: readonly string[], typeName: string): string {
  const words: Record<string, string> = {
    required: 'RequiredPartition',
    'no block I/O protocol': 'NoBlockIOProtocol',
    'legacy BIOS bootable': 'LegacyBIOSBootable',
  };
  const bits: Record<string, number> =
    typeName === 'Microsoft basic data'
      ? { 'read-only': 60, 'shadow copy': 61, hidden: 62, 'no drive letter': 63 }
      : { 'grow filesystem': 59, 'read-only': 60, 'no auto-mount': 63 };
  const common = flags.flatMap((flag) => words[flag] ?? []);
  const own = flags.filter((flag) => words[flag] === undefined).map((flag) => bits[flag] ?? flag.split(' ').at(-1));
  return [...common, ...(own.length > 0 ? [`GUID:${own.join(',')}`] : [])].join(' ');
}

/** A partition in sfdisk's form. */
function asSfdisk(partition: Partition, device: string) {
  const { number, startSector, sectorCount, type, guid, name, flags, kind } = partition;
  const plain = { node: `${device}${number}`, start: startSector, size: sectorCount };
  if (kind !== 'gpt') {
    const bootable = flags.includes('bootable') ? { bootable: true } : {};
    return { ...plain, type: type.id.slice(2).replace(/^0/, ''), ...bootable };
  }
  const attrs = sfdiskAttributes(flags, type.name);
  return {
    ...plain,
    type: type.id,
    uuid: guid,
    ...(name === '' ? {} : { name }),
    ...(attrs === '' ? {} : { attrs }),
  };
}

/** Compares every partition and the table's own facts with what sfdisk said. */
export function compareWithFacts(t: ExecutionContext, table: PartitionTable, theirs: SfdiskTable): void {
  t.deepEqual(
    table.partitions.map((partition) => asSfdisk(partition, theirs.device)),
    [...(theirs.partitions ?? [])] as object[],
  );
  const property = (key: string) => table.properties.find((each) => each.key === key)?.value;
  t.is(property(theirs.label === 'gpt' ? 'diskGuid' : 'diskSignature'), theirs.id);
  t.is(table.sectorSize, theirs.sectorsize);
  if (theirs.label === 'gpt') {
    t.is(property('firstUsableSector'), theirs.firstlba);
    t.is(property('lastUsableSector'), theirs.lastlba);
  }
}
