import test, { type ExecutionContext } from 'ava';
import { DiskError, layoutRows, MemoryDevice } from '../../../src/core/index.ts';
import { openPartitionTable } from '../../../src/core/partition/formats.ts';
import { buildBootRecord } from '../../../src/core/partition/mbr/boot-record.ts';
import { mbrFormat } from '../../../src/core/partition/mbr/mbr-format.ts';
import { testContext } from '../../helpers/context.ts';
import { buildMbr } from './build-tables.ts';

async function read(bytes: Uint8Array, sectorSize = 512) {
  const context = testContext();
  const table = await openPartitionTable(new MemoryDevice(bytes, sectorSize), context);
  return { table, messages: context.diagnostics.map(({ structure, message }) => `${structure}: ${message}`) };
}

const at = (startSector: number, sectorCount: number, type = 0x83, status = 0) => ({
  startSector,
  sectorCount,
  type,
  status,
});
const EXTENDED = at(1000, 1000, 5);

async function refused(t: ExecutionContext, bytes: Uint8Array, pattern: RegExp): Promise<void> {
  const error = await t.throwsAsync(read(bytes), { instanceOf: DiskError });
  t.is(error?.code, 'CORRUPT');
  t.regex(error?.message ?? '', pattern);
}

test('primaries are numbered by slot, logicals from 5; a partition counts from its record, a link from the extended', async (t) => {
  const disk = buildMbr(2000, {
    0: [undefined, at(63, 100, 7, 0x80), EXTENDED],
    1000: [at(10, 20), at(500, 100, 5)],
    1500: [at(1, 9, 0x82), at(200, 50, 0x0f)],
    1200: [at(5, 6)],
  });
  const { table, messages } = await read(disk);
  t.deepEqual(messages, []);
  t.deepEqual(
    table?.partitions.map((each) => [
      each.number,
      each.kind,
      each.startSector,
      each.sectorCount,
      each.type.name,
      each.flags,
    ]),
    [
      [2, 'primary', 63, 100, 'HPFS/NTFS/exFAT', ['bootable']],
      [3, 'extended', 1000, 1000, 'Extended', []],
      [5, 'logical', 1010, 20, 'Linux', []],
      [6, 'logical', 1501, 9, 'Linux swap / Solaris', []],
      [7, 'logical', 1205, 6, 'Linux', []],
    ],
  );
  t.deepEqual(
    table?.metadata.map(({ name, start }) => [name, start / 512]),
    [
      ['MBR', 0],
      ['boot record of p5', 1000],
      ['boot record of p7', 1200],
      ['boot record of p6', 1500],
    ],
  );
  t.deepEqual(table?.properties, [{ key: 'diskSignature', value: '0x11223344' }]);
  t.deepEqual(
    layoutRows(table!, 2100 * 512).map((row) => [
      row.kind === 'partition' ? `p${row.partition.number}` : row.kind === 'gap' ? 'gap' : row.name,
      row.start / 512,
      row.length / 512,
    ]),
    [
      ['MBR', 0, 1],
      ['gap', 1, 62],
      ['p2', 63, 100],
      ['gap', 163, 837],
      ['p3', 1000, 1000],
      ['boot record of p5', 1000, 1],
      ['gap', 1001, 9],
      ['p5', 1010, 20],
      ['gap', 1030, 170],
      ['boot record of p7', 1200, 1],
      ['gap', 1201, 4],
      ['p7', 1205, 6],
      ['gap', 1211, 289],
      ['boot record of p6', 1500, 1],
      ['p6', 1501, 9],
      ['gap', 1510, 490],
      ['gap', 2000, 100],
    ],
  );
});

test('rows of a disk without partitions, and of one whose partitions reach past its end', async (t) => {
  const empty = await read(buildMbr(100, { 0: [] }));
  t.deepEqual(
    layoutRows(empty.table!, 100 * 512).map(({ kind, length }) => [kind, length / 512]),
    [
      ['metadata', 1],
      ['gap', 99],
    ],
  );
  const { table } = await read(buildMbr(100, { 0: [at(50, 100), at(200, 10)] }));
  t.deepEqual(
    layoutRows(table!, 100 * 512).map(({ kind, start, length }) => [kind, start / 512, length / 512]),
    [
      ['metadata', 0, 1],
      ['gap', 1, 49],
      ['partition', 50, 100],
      ['partition', 200, 10],
    ],
  );
});

test('a chain of 60 logicals, and the named limit of 1024 boot records', async (t) => {
  const chain = (count: number) => {
    const records: Record<number, ReturnType<typeof at>[]> = { 0: [at(10, count * 3 + 10, 5)] };
    for (let index = 0; index < count; index++) {
      const link = index + 1 < count ? [at((index + 1) * 3, 3, 5)] : [];
      records[10 + index * 3] = [at(1, 2), ...link];
    }
    return buildMbr(count * 3 + 20, records);
  };
  const { table, messages } = await read(chain(60));
  t.deepEqual(messages, []);
  t.is(table?.partitions.length, 61);
  t.is(table?.partitions.at(-1)?.number, 64);
  t.is((await read(chain(1024))).table?.partitions.length, 1025);
  await refused(
    t,
    chain(1025),
    /extended boot record at offset 0x181400: expected at most 1024 boot records, found more/,
  );
});

test('a chain that comes back is CORRUPT and says where', async (t) => {
  await refused(
    t,
    buildMbr(2000, { 0: [EXTENDED], 1000: [at(1, 1), at(0, 9, 5)] }),
    /mbr: extended boot record at offset 0x7d000: expected a chain that ends, found sector 1000 again/,
  );
  await refused(
    t,
    buildMbr(2000, {
      0: [EXTENDED],
      1000: [at(1, 1), at(100, 9, 5)],
      1100: [at(1, 1), at(200, 9, 5)],
      1200: [at(1, 1), at(100, 9, 5)],
    }),
    /offset 0x89800: .*sector 1100 again/,
  );
});

test('a chain that leaves the disk, the extended partition or its signature ends with a report', async (t) => {
  const outside = await read(buildMbr(2000, { 0: [EXTENDED], 1000: [at(1, 1), at(5000, 9, 5)] }));
  t.deepEqual(outside.messages, [
    'extended boot record: links to a place outside the extended partition',
    'extended boot record: the chain leaves the disk of 1024000 bytes; logical partitions may be missing',
  ]);
  t.is(outside.table?.partitions.length, 2);
  const unsigned = await read(buildMbr(2000, { 0: [EXTENDED], 1000: [at(1, 1), at(50, 9, 5)] }));
  t.deepEqual(unsigned.messages, ['extended boot record: does not end in 55 AA: the chain ends here']);
  const beyond = await read(buildMbr(2500, { 0: [EXTENDED], 1000: [at(1, 1), at(1200, 9, 5)], 2200: [at(1, 3)] }));
  t.deepEqual(beyond.messages, ['extended boot record: links to a place outside the extended partition']);
  t.is(beyond.table?.partitions.at(-1)?.startSector, 2201);
  const huge = await read(
    buildMbr(2000, { 0: [EXTENDED], 1000: [at(2 ** 32 - 1, 2 ** 32 - 1), at(2 ** 32 - 1, 2 ** 32 - 1, 5)] }),
  );
  t.is(huge.table?.partitions.at(-1)?.startSector, 2 ** 32 - 1 + 1000);
});

test('empty records are passed over, records 3 and 4 count only inside the extended partition', async (t) => {
  const disk = buildMbr(2000, {
    0: [EXTENDED],
    1000: [undefined, at(100, 50, 5)],
    1100: [at(1, 1), undefined, at(3, 4), at(5000, 9)],
  });
  const { table } = await read(disk);
  t.deepEqual(
    table?.partitions.map(({ number, startSector }) => [number, startSector]),
    [
      [1, 1000],
      [5, 1101],
      [6, 1103],
    ],
  );
  t.deepEqual(
    table?.metadata.map(({ name }) => name),
    ['MBR', 'empty extended boot record', 'boot record of p5, p6'],
  );
});

test('two extended partitions: both chains, numbers go on', async (t) => {
  const disk = buildMbr(2000, { 0: [at(100, 100, 0x85), EXTENDED], 100: [at(1, 5)], 1000: [at(1, 7)] });
  const { table } = await read(disk);
  t.deepEqual(
    table?.partitions.map(({ number, startSector }) => [number, startSector]),
    [
      [1, 100],
      [2, 1000],
      [5, 101],
      [6, 1001],
    ],
  );
});

test('a truncated image keeps its partitions, with a report; so does one cut to the boot record', async (t) => {
  const whole = buildMbr(2000, { 0: [at(63, 100), EXTENDED], 1000: [at(1, 900)] });
  const cut = await read(whole.slice(0, 1500 * 512));
  t.is(cut.table?.partitions.length, 3);
  t.regex(cut.messages.join('\n'), /partition 2: ends at 1024000, past the end of the disk at 768000/);
  const only = await read(whole.slice(0, 512));
  t.is(only.table?.partitions.length, 2);
  t.is(only.messages.length, 3);
});

test('overlaps are reported, an extended partition does not count', async (t) => {
  const { messages } = await read(buildMbr(2000, { 0: [at(10, 50), at(40, 10), EXTENDED], 1000: [at(1, 9)] }));
  t.deepEqual(messages, ['partition 2: overlaps another partition']);
});

test('an isohybrid table, with a partition from sector 0 of type 0, is read', async (t) => {
  const { table } = await read(buildMbr(2000, { 0: [at(0, 1900, 0, 0x80), at(500, 100, 0xef)] }));
  t.deepEqual(
    table?.partitions.map(({ startSector, type }) => [startSector, type.name]),
    [
      [0, 'Empty'],
      [500, 'EFI (FAT-12/16/32)'],
    ],
  );
});

/** The sector with bytes changed. */
function changed(sector: Uint8Array, change: (bytes: Buffer) => void): Uint8Array {
  const disk = new Uint8Array(2000 * 512);
  disk.set(sector);
  change(Buffer.from(disk.buffer));
  return disk;
}

function writeBpb(bytes: Buffer, oem = 'MSDOS5.0'): void {
  bytes.write(oem, 3, 'latin1');
  bytes.writeUInt16LE(512, 11);
  bytes.set([4, 1, 0, 2, 0, 2, 0x80, 0x3e, 0xf8], 13);
}

test('what is no MBR: no signature, a strange status, an impossible entry, a volume boot sector, ext with a boot loader', async (t) => {
  const good = buildBootRecord([at(100, 50)]);
  const none = buildBootRecord([]);
  t.is((await read(changed(good, () => undefined))).table?.partitions.length, 1);
  t.is((await read(changed(none, () => undefined))).table?.partitions.length, 0);
  t.is((await read(changed(none, (bytes) => bytes.write('boot code here')))).table?.partitions.length, 0);
  const foreign: [string, Uint8Array][] = [
    ['unsigned', changed(good, (bytes) => bytes.writeUInt8(0, 511))],
    ['status', changed(good, (bytes) => bytes.writeUInt8(1, 446 + 48))],
    ['unknown type outside the disk', changed(buildBootRecord([at(100, 5000, 0x99)]), () => undefined)],
    ['FAT', changed(none, (bytes) => writeBpb(bytes))],
    [
      'FAT with text where the entries are',
      changed(none, (bytes) => {
        writeBpb(bytes);
        bytes.write('Remove disks or other media.', 440);
      }),
    ],
    ['NTFS', changed(none, (bytes) => bytes.write('NTFS    ', 3))],
    ['exFAT', changed(none, (bytes) => bytes.write('EXFAT   ', 3))],
    ['FAT with an entry outside the disk', changed(buildBootRecord([at(100, 5000)]), (bytes) => writeBpb(bytes))],
    ['ext', changed(none, (bytes) => bytes.writeUInt16LE(0xef53, 1080))],
  ];
  for (const [what, bytes] of foreign) t.is((await read(bytes)).table, undefined, what);
  t.is((await read(changed(good, (bytes) => writeBpb(bytes)))).table?.partitions.length, 1, 'a flawless table counts');
});

test('sectors of 4096 bytes are told by what the partitions begin with', async (t) => {
  const disk = new Uint8Array(4096 * 1000);
  disk.set(buildBootRecord([at(300, 100, 5), at(500, 100)]));
  disk.set(buildBootRecord([at(1, 10)]), 300 * 4096);
  for (const says of [512, 4096]) {
    const { table, messages } = await read(disk, says);
    t.deepEqual(
      table?.partitions.map(({ start }) => start / 4096),
      [300, 500, 301],
    );
    t.is(messages.length, says === 512 ? 1 : 0);
  }
});

test('a probe is false, not an error, for devices too short; open refuses what is no MBR', async (t) => {
  for (const size of [0, 1, 511]) t.false(await mbrFormat.probe(new MemoryDevice(new Uint8Array(size))));
  for (const size of [0, 511, 512, 4096]) {
    const error = await t.throwsAsync(mbrFormat.open(new MemoryDevice(new Uint8Array(size)), testContext()), {
      instanceOf: DiskError,
    });
    t.is(error?.code, 'CORRUPT');
  }
});
