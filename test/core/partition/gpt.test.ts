import test, { type ExecutionContext } from 'ava';
import { DiskError, MemoryDevice } from '../../../src/core/index.ts';
import { openPartitionTable } from '../../../src/core/partition/formats.ts';
import { gptEntry } from '../../../src/core/partition/gpt/entry.ts';
import { gptFormat } from '../../../src/core/partition/gpt/gpt-format.ts';
import { gptHeader } from '../../../src/core/partition/gpt/header.ts';
import { buildBootRecord } from '../../../src/core/partition/mbr/boot-record.ts';
import { testContext } from '../../helpers/context.ts';
import { RecordingDevice } from '../../helpers/devices.ts';
import { buildGpt, DISK_GUID, entryAt, type GptPlan, LINUX_TYPE, writeHeader } from './build-tables.ts';

async function read(bytes: Uint8Array, sectorSize = 512) {
  const context = testContext();
  const table = await openPartitionTable(new MemoryDevice(bytes, sectorSize), context);
  return { table, messages: context.diagnostics.map(({ structure, message }) => `${structure}: ${message}`) };
}

async function property(bytes: Uint8Array, key: string) {
  return (await read(bytes)).table?.properties.find((each) => each.key === key)?.value;
}

async function refused(t: ExecutionContext, bytes: Uint8Array, pattern: RegExp): Promise<void> {
  const error = await t.throwsAsync(read(bytes), { instanceOf: DiskError });
  t.is(error?.code, 'CORRUPT');
  t.is(error?.layer, 'gpt');
  t.regex(error?.message ?? '', pattern);
}

/** The same damage to both copies: nothing stands in. */
function bothHeaders(change: GptPlan['header']): Uint8Array {
  return buildGpt({ sectors: 2048, entries: [entryAt(40, 99)], ...(change === undefined ? {} : { header: change }) });
}

const twoPartitions: GptPlan = { sectors: 2048, entries: [entryAt(40, 99), {}, entryAt(100, 100)] };

test('the last LBA belongs to the partition, numbers are places in the array, regions cover the table', async (t) => {
  const { table, messages } = await read(buildGpt(twoPartitions));
  t.deepEqual(messages, []);
  t.deepEqual(
    table?.partitions.map(({ number, start, length, sectorCount }) => [number, start, length, sectorCount]),
    [
      [1, 40 * 512, 60 * 512, 60],
      [3, 100 * 512, 512, 1],
    ],
  );
  t.deepEqual(
    table?.metadata.map(({ name, start, length }) => [name, start / 512, length / 512]),
    [
      ['protective MBR', 0, 1],
      ['primary GPT header', 1, 1],
      ['primary GPT entries', 2, 32],
      ['backup GPT entries', 2015, 32],
      ['backup GPT header', 2047, 1],
    ],
  );
  t.deepEqual(table?.properties, [
    { key: 'diskGuid', value: DISK_GUID },
    { key: 'headerUsed', value: 'primary' },
    { key: 'entriesUsed', value: 'primary' },
    { key: 'firstUsableSector', value: 34 },
    { key: 'lastUsableSector', value: 2014 },
    { key: 'entryCount', value: 128 },
    { key: 'entrySize', value: 128, unit: 'bytes' },
    { key: 'revision', value: '1.0' },
  ]);
});

for (const entrySize of [128, 256, 512, 1000, 4096]) {
  test(`entries of ${entrySize} bytes`, async (t) => {
    const entries = Array.from({ length: 5 }, (_, index) => entryAt(1000 + index * 10, 1004 + index * 10));
    const { table, messages } = await read(buildGpt({ sectors: 4096, entrySize, entryCount: 5, entries }));
    t.deepEqual(messages, []);
    t.deepEqual(
      table?.partitions.map(({ startSector, sectorCount }) => [startSector, sectorCount]),
      entries.map(({ firstLba }) => [Number(firstLba), 5]),
    );
  });
}

for (const [sectorSize, deviceSays] of [
  [4096, 4096],
  [4096, 512],
  [512, 4096],
] as const) {
  test(`sectors of ${sectorSize} bytes on a device that says ${deviceSays}`, async (t) => {
    const bytes = buildGpt({ sectors: 2048, sectorSize, entries: [entryAt(40, 99)] });
    const { table, messages } = await read(bytes, deviceSays);
    t.is(table?.sectorSize, sectorSize);
    t.is(table?.partitions[0]?.start, 40 * sectorSize);
    t.is(messages.length, sectorSize === deviceSays ? 0 : 1);
  });
}

const longName = 'ÄÖ€ж'.repeat(9);
test('names are UTF-16LE, up to a NUL or all 36 units; attributes are words by type', async (t) => {
  const name = new Uint8Array(72);
  name.set(Buffer.from(longName, 'utf16le'));
  const short = new Uint8Array(72).fill(0x41);
  short.set(Buffer.from('a🐧\0', 'utf16le'));
  const basicData = 'EBD0A0A2-B9E5-4433-87C0-68B6B72699C7';
  const attributes = 2n ** 63n + 2n ** 60n + 2n ** 59n + 5n;
  const entries = [
    entryAt(40, 49, { name, attributes }),
    entryAt(50, 59, { name: short, attributes, typeGuid: basicData }),
    entryAt(60, 69, { attributes, typeGuid: DISK_GUID }),
  ];
  const { table } = await read(buildGpt({ sectors: 2048, entries }));
  t.deepEqual(
    table?.partitions.map((each) => [each.name, each.type.name, each.flags]),
    [
      [
        longName,
        'Linux filesystem',
        ['required', 'legacy BIOS bootable', 'grow filesystem', 'read-only', 'no auto-mount'],
      ],
      [
        'a🐧',
        'Microsoft basic data',
        ['required', 'legacy BIOS bootable', 'attribute bit 59', 'read-only', 'no drive letter'],
      ],
      ['', '', ['required', 'legacy BIOS bootable', 'attribute bit 59', 'attribute bit 60', 'attribute bit 63']],
    ],
  );
});

test('every field of the primary header and array that is damaged makes the backup stand in', async (t) => {
  const whole = buildGpt(twoPartitions);
  const expected = (await read(whole)).table?.partitions;
  for (let at = 512; at < 512 + gptHeader.size; at++) {
    const bytes = whole.slice();
    bytes[at] = (bytes[at]! + 1) % 256;
    const { table, messages } = await read(bytes);
    t.deepEqual(table?.partitions, expected);
    t.is(table?.properties[2]?.value, 'backup');
    t.regex(
      messages[0] ?? '',
      /^backup header: the backup is used because the primary copy is damaged: gpt: primary header/,
    );
  }
  whole[1024 + 60] = 1;
  t.regex((await read(whole)).messages[0] ?? '', /primary entry array at offset 0x400: expected checksum/);
});

test('a checksum over a HeaderSize of more than 92 bytes counts them all', async (t) => {
  const bytes = buildGpt({ ...twoPartitions, header: { headerSize: 512 } });
  t.is(await property(bytes, 'headerUsed'), 'primary');
  bytes[512 + 300] = 1;
  t.is(await property(bytes, 'headerUsed'), 'backup');
});

test('a damaged backup is reported and changes nothing', async (t) => {
  const whole = buildGpt(twoPartitions);
  const header = whole.slice();
  header[2047 * 512 + 20] = 1;
  const first = await read(header);
  t.regex(first.messages.join(), /^backup header: is damaged: gpt: backup header headerCrc at offset 0xffe10/);
  t.is(first.table?.partitions.length, 2);
  const other = buildGpt({ ...twoPartitions, entries: [entryAt(50, 60)] });
  const mixed = whole.slice();
  mixed.set(other.subarray(2015 * 512), 2015 * 512);
  t.deepEqual((await read(mixed)).messages, ['backup header: lists other partitions than the primary']);
});

test('a header whose own array is damaged takes the other copy of the array', async (t) => {
  const whole = buildGpt(twoPartitions);
  const expected = (await read(whole)).table?.partitions;
  const primaryHeader = whole.slice();
  primaryHeader[1024] = 0xff;
  primaryHeader.fill(0, 2047 * 512);
  const backupHeader = whole.slice();
  backupHeader[2015 * 512] = 0xff;
  backupHeader.fill(0, 512, 1024);
  for (const [bytes, header, entries] of [
    [primaryHeader, 'primary', 'backup'],
    [backupHeader, 'backup', 'primary'],
  ] as const) {
    const { table } = await read(bytes);
    t.deepEqual(table?.partitions, expected);
    t.is(await property(bytes, 'headerUsed'), header);
    t.is(await property(bytes, 'entriesUsed'), entries);
  }
});

test('both headers gone behind a protective MBR is CORRUPT, never an MBR', async (t) => {
  const bytes = buildGpt(twoPartitions);
  bytes.fill(0, 512, 1024);
  bytes.fill(0, 2047 * 512);
  await refused(
    t,
    bytes,
    /primary header signature at offset 0x200: expected "EFI PART", found something else; no other copy is whole/,
  );
  await refused(t, bytes.slice(0, 1024), /primary header/);
  await refused(t, bytes.slice(0, 512), /primary header/);
});

test('hybrid: real partitions beside EE', async (t) => {
  const bytes = buildGpt(twoPartitions);
  const real = { type: 0x0c, startSector: 40, sectorCount: 60, status: 0x80 };
  bytes.set(buildBootRecord([real, { type: 0xee, startSector: 1, sectorCount: 39 }]));
  const { table } = await read(bytes);
  t.is(table?.scheme, 'hybrid');
  t.is(table?.partitions[0]?.kind, 'gpt');
  t.deepEqual(await property(bytes, 'hybridMbr'), ['1: 0x0c, sectors 40 to 99']);
});

test('a GPT header left behind a new MBR does not make a GPT; one behind no MBR does, with a report', async (t) => {
  const bytes = buildGpt(twoPartitions);
  bytes.set(buildBootRecord([{ type: 0x83, startSector: 40, sectorCount: 100 }]));
  const mbr = await read(bytes);
  t.is(mbr.table?.scheme, 'mbr');
  t.regex(mbr.messages.join(), /a GPT header stands at LBA 1, but the MBR has no protective entry/);
  bytes.fill(0, 0, 512);
  const { table, messages } = await read(bytes);
  t.is(table?.scheme, 'gpt');
  t.regex(messages[0] ?? '', /no protective MBR/);
  bytes.fill(0, 512, 1024);
  t.is((await read(bytes)).table, undefined, 'the entries are left: the start is not wiped');
  bytes.fill(0, 0, 68 * 1024);
  t.is((await read(bytes)).table?.scheme, 'gpt');
});

test('absurd headers are refused by name, whatever their checksum says', async (t) => {
  await refused(
    t,
    bothHeaders({ entryCount: 2 ** 32 - 1 }),
    /entry array .*at most 4194304 bytes, found 4294967295 entries of 128/,
  );
  await refused(t, bothHeaders({ entrySize: 2 ** 31 }), /entry array .*found 128 entries of 2147483648/);
  for (const entrySize of [0, 127, 129])
    await refused(t, bothHeaders({ entrySize }), new RegExp(`entrySize .*found ${entrySize}`));
  for (const headerSize of [0, 91, 513, 2 ** 32 - 1]) {
    const bytes = bothHeaders({});
    for (const lba of [1, 2047]) gptHeader.write(bytes, { headerSize }, lba * 512);
    await refused(t, bytes, new RegExp(`headerSize .*found ${headerSize}`));
  }
  await refused(t, bothHeaders({ myLba: 7 }), /myLba at offset 0x218: expected 1, found 7/);
  for (const entryLba of [0, 2 ** 52]) {
    // The arrays themselves are whole, and stand where they always do.
    const { table, messages } = await read(bothHeaders({ entryLba }));
    t.is(table?.partitions.length, 1);
    t.regex(messages.join(), /its entry array is damaged; the other copy stands in/);
  }
  const truncated = buildGpt({ sectors: 8192, entryCount: 8192 }).slice(0, 1000 * 512);
  await refused(t, truncated, /entry array .*expected a place inside 512000 bytes, found 1048576 bytes there/);
  await refused(t, bothHeaders({ entriesCrc: 5 }), /entry array at offset 0x400: expected checksum 0x00000005/);
  const huge = bothHeaders({ firstUsableLba: 2 ** 60 });
  await refused(t, huge, /firstUsableLba at offset 0x228: expected a value below 2\^53/);
});

test('a table of no entries at all is an empty table', async (t) => {
  const { table } = await read(buildGpt({ sectors: 2048, entryCount: 0 }));
  t.deepEqual(table?.partitions, []);
});

test('partitions in odd places are kept and reported', async (t) => {
  const entries = [
    entryAt(100, 99),
    entryAt(200, 150),
    entryAt(1000, 5000),
    entryAt(10, 20),
    entryAt(300, 400),
    entryAt(350, 450),
    { typeGuid: LINUX_TYPE, firstLba: 2n ** 63n, lastLba: 2n ** 64n - 1n },
  ];
  const { table, messages } = await read(buildGpt({ sectors: 2048, entries }));
  t.deepEqual(
    table?.partitions.map(({ number, startSector, sectorCount }) => [number, startSector, sectorCount]),
    [
      [1, 100, 0],
      [2, 200, 0],
      [3, 1000, 4001],
      [4, 10, 11],
      [5, 300, 101],
      [6, 350, 101],
    ],
  );
  t.deepEqual(messages, [
    'partition 1: ends at LBA 99, before it begins at 100',
    'partition 2: ends at LBA 150, before it begins at 200',
    'partition 3: lies outside the usable LBAs 34 to 2014',
    'partition 4: lies outside the usable LBAs 34 to 2014',
    'partition 7: lies at LBA 9223372036854775808 to 18446744073709551615, which no disk has; it is left out',
    'partition 3: ends at 2560512, past the end of the disk at 1048576; the image may be truncated',
    'partition 6: overlaps another partition',
  ]);
});

test('a grown disk finds its backup by AlternateLBA and by the protective MBR', async (t) => {
  const small = buildGpt(twoPartitions);
  const grown = new Uint8Array(3000 * 512);
  grown.set(small);
  const expected = (await read(small)).table?.partitions;
  t.regex((await read(grown)).messages.join(), /backup header: stands at LBA 2047, but the disk goes on to LBA 2999/);
  const viaAlternate = grown.slice();
  viaAlternate[512 + 80] = 77;
  viaAlternate.set(buildBootRecord([{ type: 0xee, startSector: 1, sectorCount: 2 ** 32 - 1 }]));
  const viaMbr = grown.slice();
  viaMbr.fill(0, 512, 1024);
  for (const bytes of [viaAlternate, viaMbr]) {
    const { table, messages } = await read(bytes);
    t.deepEqual(table?.partitions, expected);
    t.regex(messages.join(), /the disk goes on after the backup header, to LBA 2999/);
  }
});

test('a backup of another disk, and usable LBAs the wrong way round, are reported', async (t) => {
  const bytes = buildGpt({ ...twoPartitions, header: { firstUsableLba: 2000, lastUsableLba: 34 } });
  t.regex((await read(bytes)).messages[0] ?? '', /first usable LBA 2000 is past the last, 34/);
  const other = buildGpt({ ...twoPartitions, header: { diskGuid: LINUX_TYPE } });
  const mixed = buildGpt(twoPartitions);
  mixed.set(other.subarray(2047 * 512), 2047 * 512);
  t.deepEqual((await read(mixed)).messages, [`backup header: is of another disk, ${LINUX_TYPE}`]);
});

test('an odd revision is reported and shown', async (t) => {
  const bytes = buildGpt({ ...twoPartitions, header: { revision: 0x20001 } });
  t.regex((await read(bytes)).messages.join(), /revision 0x20001/);
  t.is(await property(bytes, 'revision'), '2.1');
});

test('a probe takes few requests and is false for devices too short for anything', async (t) => {
  const device = new RecordingDevice(new MemoryDevice(buildGpt(twoPartitions)));
  t.true(await gptFormat.probe(device));
  t.is(device.requests.length, 1);
  for (const size of [0, 1, 511, 512, 513, 1023, 4096])
    t.false(await gptFormat.probe(new MemoryDevice(new Uint8Array(size))));
});

test('the structures have the sizes of the specification', (t) => {
  t.is(gptHeader.size, 92);
  t.is(gptEntry.size, 128);
  const disk = new Uint8Array(1024);
  writeHeader(disk, 1, 512, {});
  t.is(Buffer.from(disk.subarray(512, 520)).toString(), 'EFI PART');
});
