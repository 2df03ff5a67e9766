import test, { type ExecutionContext } from 'ava';
import { RangeSet } from '../../../../src/core/bytes/range-set.ts';
import { MIB } from '../../../../src/core/container/vhdx/header.ts';
import { LOG_SECTOR_BYTES } from '../../../../src/core/container/vhdx/log-entry.ts';
import { REGION } from '../../../../src/core/container/vhdx/region-table.ts';
import { ReplayDevice } from '../../../../src/core/container/vhdx/replay-device.ts';
import {
  DiskError,
  type DiskErrorCode,
  leafExtents,
  MemoryDevice,
  OverlayDevice,
  readBytes,
} from '../../../../src/core/index.ts';
import { deviceConformance } from '../../../conformance/device-conformance.ts';
import { extentsConformance } from '../../../conformance/extents-conformance.ts';
import { collect } from '../../../helpers/collect.ts';
import { CountingDevice } from '../../../helpers/devices.ts';
import { type LogEntryRecipe, type LogUpdate, sectorOf, writeLog } from './log-builder.ts';
import { extentList, noise, openVhdx, parentKeys, property, vhdxContext } from './open-vhdx.ts';
import {
  type BuiltVhdx,
  batWord,
  buildVhdx,
  LOG_GUID,
  type VhdxRecipe,
  writeHeader,
  writeRegionTable,
} from './vhdx-builder.ts';

const SECTOR = LOG_SECTOR_BYTES;
const disk: VhdxRecipe = {
  virtualSize: 8 * MIB,
  blocks: { 0: { state: 6, data: noise(1, MIB) }, 1: { state: 6, data: noise(2, MIB) } },
};

/** An image whose log is pending, with the entries that `entries` gives for it. */
async function withLog(
  entries: (image: BuiltVhdx) => readonly LogEntryRecipe[] | Promise<readonly LogEntryRecipe[]>,
  recipe: VhdxRecipe = disk,
): Promise<BuiltVhdx> {
  const image = await buildVhdx(recipe);
  await writeLog(image, await entries(image));
  return image;
}

/** An update of the BAT's first sector: the entries that are there, and those of `words`. */
async function batUpdate(image: BuiltVhdx, words: Readonly<Record<number, Uint8Array>>): Promise<LogUpdate> {
  const data = await readBytes(image.device, image.batOffset, SECTOR);
  for (const [index, word] of Object.entries(words)) data.set(word, Number(index) * 8);
  return { fileOffset: image.batOffset, data };
}

const byteAt = async (device: { size: number } & Parameters<typeof readBytes>[0], offset: number): Promise<number> =>
  (await readBytes(device, offset, 1))[0]!;

/** Replayed and ignored: block 2 appears, block 0 goes, where both are told what `image` has. */
async function mappedByLog(): Promise<BuiltVhdx> {
  return withLog(async (image) => [
    {
      sequenceNumber: 5n,
      updates: [await batUpdate(image, { 0: batWord(2, 0), 2: batWord(6, image.places.get(0)!) })],
    },
  ]);
}

test('a pending log: the disk reads as after it, the file stays as it is, and what was done is said in these words', async (t) => {
  const image = await mappedByLog();
  const before = await readBytes(image.device, 0, image.device.size);
  const context = vhdxContext();
  const container = await openVhdx(image, context);
  t.is(Buffer.compare(await readBytes(container, 2 * MIB, MIB), noise(1, MIB)), 0);
  t.is(await byteAt(container, 0), 0);
  t.is(Buffer.compare(await readBytes(container, MIB, MIB), noise(2, MIB)), 0);
  t.is(property(container, 'log'), '1 log entry replayed in memory');
  t.is(property(container, 'logEntriesReplayed'), 1);
  t.deepEqual(
    context.diagnostics.map(({ message }) => message),
    ['1 log entry replayed in memory'],
  );
  t.is(Buffer.compare(await readBytes(image.device, 0, image.device.size), before), 0);
});

test('the state before the replay opens when the log is ignored, and that is said', async (t) => {
  const context = vhdxContext();
  const container = await openVhdx(await mappedByLog(), context, { log: 'ignore' });
  t.is(Buffer.compare(await readBytes(container, 0, MIB), noise(1, MIB)), 0);
  t.is(await byteAt(container, 2 * MIB), 0);
  t.is(property(container, 'logEntriesReplayed'), 0);
  t.regex(String(property(container, 'log')), /^pending, ignored/);
  t.is(context.diagnostics.length, 1);
});

test('a clean image says nothing of a log', async (t) => {
  const context = vhdxContext();
  const container = await openVhdx(await buildVhdx(disk), context);
  t.is(property(container, 'log'), null);
  t.deepEqual(context.diagnostics, []);
});

/** Data and zero descriptors over the payload of block 0, so that single sectors of the overlay show in the disk. */
const overlayUpdates = (place: number): LogUpdate[] => [
  { fileOffset: place + 4 * SECTOR, data: sectorOf(1) },
  { fileOffset: place + 8 * SECTOR, zeroLength: 4 * SECTOR },
  { fileOffset: place + 9 * SECTOR, data: sectorOf(2) },
  { fileOffset: place + 20 * SECTOR, data: sectorOf(3) },
  { fileOffset: place + 19 * SECTOR, zeroLength: 3 * SECTOR },
  { fileOffset: place + 30 * SECTOR, data: sectorOf(4) },
];
const laterUpdates = (place: number): LogUpdate[] => [
  { fileOffset: place + 30 * SECTOR, data: sectorOf(5) },
  { fileOffset: place + 31 * SECTOR, data: sectorOf(6) },
  { fileOffset: place + 4 * SECTOR, zeroLength: SECTOR },
  { fileOffset: place + 10 * SECTOR, data: sectorOf(7) },
];

function applied(bytes: Uint8Array, base: number, updates: readonly LogUpdate[]): Uint8Array {
  for (const update of updates) {
    const at = update.fileOffset - base;
    if ('data' in update) bytes.set(update.data, at);
    else bytes.fill(0, at, at + update.zeroLength);
  }
  return bytes;
}

const overlaid = async () => {
  const image = await withLog((built) => {
    const place = built.places.get(0)!;
    return [
      { sequenceNumber: 9n, tail: 0, updates: overlayUpdates(place) },
      { sequenceNumber: 10n, tail: 0, updates: laterUpdates(place) },
    ];
  });
  const place = image.places.get(0)!;
  const expected = new Uint8Array(8 * MIB);
  expected.set(noise(1, MIB), 0);
  expected.set(noise(2, MIB), MIB);
  applied(expected, place, [...overlayUpdates(place), ...laterUpdates(place)]);
  return { device: await openVhdx(image), expected, image };
};

deviceConformance('a replayed log with parts of blocks', overlaid);
extentsConformance('a replayed log with parts of blocks', overlaid);

test('extents name the file for what is the file’s, the overlay for what was replayed, zeros where the log says so', async (t) => {
  const { device, image } = await overlaid();
  const place = image.places.get(0)!;
  const rows = (await extentList(device, 0, 40 * SECTOR)).map((extent) =>
    extent.kind === 'data'
      ? [
          extent.start / SECTOR,
          extent.length / SECTOR,
          extent.source === image.device ? 'file' : 'log',
          extent.sourceOffset - place,
        ]
      : [extent.start / SECTOR, extent.length / SECTOR, extent.kind],
  );
  t.deepEqual(rows, [
    [0, 4, 'file', 0],
    [4, 1, 'zero'],
    [5, 3, 'file', 5 * SECTOR],
    [8, 1, 'zero'],
    [9, 2, 'log', 9 * SECTOR],
    [11, 1, 'zero'],
    [12, 7, 'file', 12 * SECTOR],
    [19, 3, 'zero'],
    [22, 8, 'file', 22 * SECTOR],
    [30, 2, 'log', 30 * SECTOR],
    [32, 8, 'file', 32 * SECTOR],
  ]);
  const leaves = await collect(leafExtents(device, { start: 0, length: 40 * SECTOR }));
  t.is(leaves.length, rows.length, 'and so do the leaves');
});

test('one read over replayed and file data, at odd offsets, fills all of its bytes', async (t) => {
  const { device, expected } = await overlaid();
  for (const [offset, length] of [
    [29 * SECTOR + 4000, 3 * SECTOR],
    [4 * SECTOR - 1, SECTOR + 2],
    [8 * SECTOR + 100, 5 * SECTOR + 1],
    [31 * SECTOR - 1, 2],
  ] as const) {
    const bytes = await readBytes(device, offset, length);
    t.is(Buffer.compare(bytes, expected.subarray(offset, offset + length)), 0, `${length} bytes at ${offset}`);
  }
});

test('region tables, metadata, BAT and sector bitmaps are all read through the replay', async (t) => {
  const parent = await buildVhdx({ virtualSize: MIB, blocks: { 0: { state: 6, data: noise(9, MIB) } } });
  const blocks = { 0: { state: 7, data: noise(8, MIB) } };
  const right = await buildVhdx({ virtualSize: MIB, parent: parentKeys('p'), blocks, bitmaps: { 0: [[3, 5]] } });
  const bytes = await readBytes(right.device, 0, right.device.size);
  const bitmap = right.metadataOffset + MIB;
  const wiped: number[] = [];
  for (const offset of [192 * 1024, 256 * 1024, right.batOffset, right.metadataOffset, bitmap]) {
    // All of a region table, and of the others the sectors that have something.
    const length = offset < MIB ? 64 * 1024 : 72 * 1024;
    for (let at = offset; at < offset + length; at += SECTOR)
      if (bytes.subarray(at, at + SECTOR).some((byte) => byte !== 0)) wiped.push(at);
  }
  const updates = wiped.map((fileOffset) => ({ fileOffset, data: bytes.slice(fileOffset, fileOffset + SECTOR) }));
  for (const at of wiped) bytes.fill(0x5a, at, at + SECTOR);
  const damaged = new OverlayDevice(new MemoryDevice(bytes));
  const image = { ...right, device: damaged };
  await writeLog(image, [{ sequenceNumber: 1n, updates }]);
  const container = await openVhdx(image, vhdxContext({ p: parent.device }));
  const expected = noise(9, MIB);
  expected.set(noise(8, MIB).subarray(3 * 512, 8 * 512), 3 * 512);
  t.is(Buffer.compare(await readBytes(container, 0, MIB), expected), 0);
  await t.throwsAsync(openVhdx(image, vhdxContext({ p: parent.device }), { log: 'ignore' }), { instanceOf: DiskError });
});

/** Opens, and gives the first byte of each of sectors 0 to `count` of block 0: what was replayed there. */
async function seeds(image: BuiltVhdx, count: number): Promise<(number | 'file')[]> {
  const container = await openVhdx(image);
  const found: (number | 'file')[] = [];
  for (let index = 0; index < count; index++) {
    const sector = await readBytes(container, index * SECTOR, SECTOR);
    const seed = Array.from({ length: 100 }, (_, candidate) => candidate).find(
      (candidate) => Buffer.compare(sector, sectorOf(candidate)) === 0,
    );
    found.push(seed ?? 'file');
  }
  return found;
}

/** An entry that puts sector `seed` into sector `index` of block 0. */
function put(
  image: BuiltVhdx,
  sequenceNumber: bigint,
  index: number,
  seed: number,
  more: Partial<LogEntryRecipe> = {},
): LogEntryRecipe {
  const fileOffset = image.places.get(0)! + index * SECTOR;
  return { sequenceNumber, tail: 0, updates: [{ fileOffset, data: sectorOf(seed) }], ...more };
}

const sequences: readonly [string, (image: BuiltVhdx) => LogEntryRecipe[], (number | 'file')[]][] = [
  ['one entry', (image) => [put(image, 1n, 0, 1)], [1, 'file']],
  [
    'three entries from the tail on',
    (image) => [put(image, 1n, 0, 1), put(image, 2n, 1, 2), put(image, 3n, 0, 3)],
    [3, 2],
  ],
  [
    'a tail behind the first: what lies before it was done already',
    (image) => [put(image, 1n, 0, 1), put(image, 2n, 1, 2), put(image, 3n, 2, 3, { tail: 2 * SECTOR })],
    ['file', 2, 3],
  ],
  [
    'a sequence around the end of the log',
    (image) => {
      const at = MIB - 3 * SECTOR;
      return [
        put(image, 7n, 0, 1, { at, tail: at }),
        put(image, 8n, 1, 2, { tail: at }),
        put(image, 9n, 2, 3, { tail: at }),
      ];
    },
    [1, 2, 3],
  ],
  [
    'a gap in the numbers: only what follows it',
    (image) => [put(image, 1n, 0, 1), put(image, 3n, 1, 2, { tail: 2 * SECTOR })],
    ['file', 2],
  ],
  [
    'a gap in the numbers before the head: it is not of the sequence that its tail begins',
    (image) => [put(image, 1n, 0, 1), put(image, 3n, 1, 2)],
    [1, 'file'],
  ],
  [
    'what an older round left behind the head is not of its sequence',
    (image) => [put(image, 9n, 0, 1), put(image, 2n, 0, 2)],
    [1],
  ],
  [
    'two sequences: the one with the higher number, wherever it stands',
    (image) => [
      put(image, 20n, 0, 1, { at: 0 }),
      put(image, 5n, 1, 2, { at: 64 * SECTOR, tail: 64 * SECTOR }),
      put(image, 6n, 2, 3, { tail: 64 * SECTOR }),
    ],
    [1, 'file', 'file'],
  ],
  [
    'the newest sequence has lost its tail: the one before it',
    (image) => [
      put(image, 30n, 0, 1, { at: 0, tail: 32 * SECTOR }),
      put(image, 5n, 1, 2, { at: 64 * SECTOR, tail: 64 * SECTOR }),
    ],
    ['file', 2],
  ],
  [
    'entries of another log GUID are none',
    (image) => [
      put(image, 1n, 0, 1),
      put(image, 2n, 1, 2, { header: { logGuid: 'EEEEEEEE-0000-4000-8000-000000000009' } }),
    ],
    [1, 'file'],
  ],
  [
    'a torn head: the sequence ends before it',
    (image) => [put(image, 1n, 0, 1), put(image, 2n, 1, 2, { damage: (bytes) => bytes.fill(0, 2 * SECTOR - 512) })],
    [1, 'file'],
  ],
  [
    'a head with a bad checksum',
    (image) => [put(image, 1n, 0, 1), put(image, 2n, 1, 2, { damage: (bytes) => bytes.set([1], 5) })],
    [1, 'file'],
  ],
  [
    'a data sector of an older entry, the checksum right',
    (image) => [
      put(image, 1n, 0, 1),
      put(image, 2n, 1, 2, { seal: true, damage: (bytes) => bytes.set([9], 2 * SECTOR - 4) }),
    ],
    [1, 'file'],
  ],
  [
    'a descriptor with another sequence number, the checksum right',
    (image) => [put(image, 1n, 0, 1), put(image, 2n, 1, 2, { seal: true, damage: (bytes) => bytes.set([9], 64 + 24) })],
    [1, 'file'],
  ],
  [
    'a descriptor of no kind, the checksum right',
    (image) => [put(image, 1n, 0, 1), put(image, 2n, 1, 2, { seal: true, damage: (bytes) => bytes.set([9], 64) })],
    [1, 'file'],
  ],
  [
    'an entry with room left behind its data',
    (image) => [put(image, 1n, 0, 1, { padding: 3 }), put(image, 2n, 1, 2)],
    [1, 2],
  ],
  [
    'an entry without descriptors',
    (image) => [put(image, 1n, 0, 1), { sequenceNumber: 2n, tail: 0, updates: [] }],
    [1],
  ],
  ['numbers above 2^32', (image) => [put(image, 0xffff_ffffn, 0, 1), put(image, 0x1_0000_0000n, 1, 2)], [1, 2]],
  [
    'descriptors of several sectors, their data in order',
    (image) => [
      {
        sequenceNumber: 1n,
        updates: Array.from({ length: 200 }, (_, index) => put(image, 1n, index, index % 50).updates[0]!),
      },
    ],
    Array.from({ length: 200 }, (_, index) => index % 50),
  ],
  [
    'an entry inside what is left of an older one',
    (image) => [
      {
        sequenceNumber: 1n,
        at: 0,
        updates: [0, 1, 2, 3].map((index) => put(image, 1n, index, 40 + index).updates[0]!),
      },
      put(image, 9n, 0, 1, { at: 2 * SECTOR, tail: 2 * SECTOR }),
    ],
    [1, 'file', 'file', 'file'],
  ],
];

for (const [name, entries, expected] of sequences) {
  test(`the active sequence: ${name}`, async (t) => {
    t.deepEqual(await seeds(await withLog(entries), expected.length), expected);
  });
}

async function failure(t: ExecutionContext, attempt: Promise<unknown>, code: DiskErrorCode): Promise<DiskError> {
  const error = await t.throwsAsync(attempt, { instanceOf: DiskError });
  t.is(error?.code, code, error?.message);
  return error!;
}

test('a log in use without any entry opens and is said; with entries but no valid sequence it is CORRUPT, and opens when ignored', async (t) => {
  const context = vhdxContext();
  const empty = await openVhdx(await withLog(() => []), context);
  t.is(property(empty, 'log'), 'in use but empty');
  t.regex(context.diagnostics[0]!.message, /holds no entry/);
  const torn = await withLog((image) => [put(image, 1n, 0, 1, { damage: (bytes) => bytes.set([1], 5) })]);
  const error = await failure(t, openVhdx(torn), 'CORRUPT');
  t.is(error.structure, 'log');
  t.is(error.offset, torn.logOffset);
  t.deepEqual(error.remedies, ['ignoreLog']);
  await t.notThrowsAsync(openVhdx(torn, vhdxContext(), { log: 'ignore' }));
});

test('a log GUID of zero is nothing to replay, whatever the log holds', async (t) => {
  const image = await withLog((built) => [put(built, 1n, 0, 1)]);
  await writeHeader(image.device, 1, image.header);
  t.deepEqual(await seeds(image, 1), ['file']);
});

test('the log of the current header counts: one that only the older header names is not replayed', async (t) => {
  const image = await withLog((built) => [put(built, 1n, 0, 1)]);
  await writeHeader(image.device, 0, { ...image.header, logGuid: LOG_GUID, sequenceNumber: 6n });
  await writeHeader(image.device, 1, image.header);
  t.deepEqual(await seeds(image, 1), ['file']);
});

test('another log version is UNSUPPORTED, a log that leaves the file CORRUPT; both open when ignored', async (t) => {
  const image = await withLog((built) => [put(built, 1n, 0, 1)]);
  await writeHeader(image.device, 1, { ...image.header, logGuid: LOG_GUID, logVersion: 1 });
  t.is((await failure(t, openVhdx(image), 'UNSUPPORTED')).structure, 'header logVersion');
  await t.notThrowsAsync(openVhdx(image, vhdxContext(), { log: 'ignore' }));
  await writeHeader(image.device, 1, { ...image.header, logGuid: LOG_GUID, logOffset: 64 * MIB });
  t.is((await failure(t, openVhdx(image), 'CORRUPT')).structure, 'header logOffset');
  await t.notThrowsAsync(openVhdx(image, vhdxContext(), { log: 'ignore' }));
});

test('a file shorter than FlushedFileOffset of the head is CORRUPT; only the head counts', async (t) => {
  const flushed = (built: BuiltVhdx, more: number) => ({ header: { flushedFileOffset: built.device.size + more } });
  const shorter = await withLog((built) => [put(built, 1n, 0, 1), put(built, 2n, 1, 2, flushed(built, MIB))]);
  const error = await failure(t, openVhdx(shorter), 'CORRUPT');
  t.is(error.structure, 'log entry flushedFileOffset');
  t.is(error.offset, shorter.logOffset + 2 * SECTOR + 48);
  t.deepEqual(await seeds(await withLog((built) => [put(built, 1n, 0, 1, flushed(built, 0))]), 1), [1]);
  const older = await withLog((built) => [
    put(built, 1n, 0, 1, flushed(built, MIB)),
    put(built, 2n, 1, 2, flushed(built, 0)),
  ]);
  t.deepEqual(await seeds(older, 2), [1, 2]);
});

test('LastFileOffset: the file is as long as that after replay, what is not there reads as zeros, and no longer', async (t) => {
  const make = (lastFileOffset: number) =>
    withLog(async (built) => {
      const end = built.device.size;
      const words = { 2: batWord(6, end), 3: batWord(6, end + MIB) };
      const update = await batUpdate(built, words);
      return [{ sequenceNumber: 1n, updates: [update], header: { lastFileOffset: end + lastFileOffset } }];
    });
  const container = await openVhdx(await make(MIB));
  t.deepEqual(await readBytes(container, 2 * MIB, MIB), new Uint8Array(MIB));
  t.is((await failure(t, readBytes(container, 3 * MIB, 1), 'CORRUPT')).structure, 'BAT entry 3');
  const longer = await openVhdx(await make(2 * MIB));
  t.deepEqual(await readBytes(longer, 3 * MIB, MIB), new Uint8Array(MIB));
  t.is(Buffer.compare(await readBytes(longer, 0, MIB), noise(1, MIB)), 0, 'what the file has is never zeros for it');
});

test('a LastFileOffset of almost 2^53, and blocks near it, are read as zeros to the byte', async (t) => {
  const lastFileOffset = 2 ** 53 - MIB;
  const image = await withLog(async (built) => [
    {
      sequenceNumber: 1n,
      updates: [await batUpdate(built, { 2: batWord(6, lastFileOffset - MIB), 3: batWord(6, lastFileOffset) })],
      header: { lastFileOffset },
    },
  ]);
  const container = await openVhdx(image);
  t.deepEqual(await readBytes(container, 3 * MIB - 5, 5), new Uint8Array(5));
  t.is((await failure(t, readBytes(container, 3 * MIB, 1), 'CORRUPT')).structure, 'BAT entry 3');
});

test('descriptors behind the end of the file extend it', async (t) => {
  const image = await withLog(async (built) => {
    const end = built.device.size;
    return [
      {
        sequenceNumber: 1n,
        updates: [
          await batUpdate(built, { 2: batWord(6, end), 3: batWord(6, end + MIB) }),
          { fileOffset: end + SECTOR, data: sectorOf(3) },
          { fileOffset: end + MIB, zeroLength: MIB },
        ],
      },
    ];
  });
  const container = await openVhdx(image);
  const expected = new Uint8Array(2 * MIB);
  expected.set(sectorOf(3), SECTOR);
  t.is(Buffer.compare(await readBytes(container, 2 * MIB, 2 * MIB), expected), 0);
});

test('zero descriptors of 2^50 bytes, and thousands of them, are kept as ranges, never sector by sector', async (t) => {
  const image = await withLog((built) => [
    {
      sequenceNumber: 1n,
      updates: [
        ...Array.from({ length: 3000 }, (_, index) => ({
          fileOffset: 2 ** 40 + index * 2 * SECTOR,
          zeroLength: SECTOR,
        })),
        { fileOffset: built.places.get(0)!, zeroLength: 2 ** 50 },
        { fileOffset: built.places.get(0)! + SECTOR, data: sectorOf(1) },
      ],
    },
  ]);
  t.deepEqual(await seeds(image, 2), ['file', 1]);
  t.is(await byteAt(await openVhdx(image), MIB + 5), 0);
});

test('a hostile log is searched in bounded reads: full of headers that overlap, or of GiB with a hole', async (t) => {
  const overlapping = await withLog((built) =>
    Array.from({ length: 200 }, (_, index) =>
      put(built, BigInt(index + 1), 0, 1, { at: index * SECTOR, header: { entryLength: MIB } }),
    ),
  );
  const counting = new CountingDevice(overlapping.device);
  await failure(t, openVhdx(counting), 'CORRUPT');
  t.true(counting.bytesRead < 16 * MIB);
  const long = await withLog((built) => [put(built, 1n, 0, 1)], { ...disk, logLength: 256 * MIB });
  const device = new CountingDevice(long.device);
  t.is(property(await openVhdx(device), 'logEntriesReplayed'), 1);
  t.true(device.bytesRead < 258 * MIB);
});

test('more to replay than memory is given for is UNSUPPORTED, and opens when ignored', async (t) => {
  const image = await withLog(
    (built) =>
      Array.from({ length: 9 }, (_, entry) => ({
        sequenceNumber: BigInt(entry + 1),
        tail: 0,
        updates: Array.from({ length: 2000 }, (_, index) => ({
          fileOffset: built.device.size + (entry * 2000 + index) * SECTOR,
          data: new Uint8Array(SECTOR),
        })),
      })),
    { ...disk, logLength: 80 * MIB },
  );
  t.regex((await failure(t, openVhdx(image), 'UNSUPPORTED')).expected!, /16384 sectors/);
  await t.notThrowsAsync(openVhdx(image, vhdxContext(), { log: 'ignore' }));
});

test('a replayed region table may move a region; the copies are compared after the replay', async (t) => {
  const image = await buildVhdx(disk);
  const moved = new OverlayDevice(image.device);
  const end = image.device.size;
  const grown = new OverlayDevice(moved, { size: end + MIB });
  await grown.writeFrom(await readBytes(image.device, image.batOffset, MIB), end);
  await grown.writeFrom(new Uint8Array(MIB), image.batOffset);
  const scratch = new OverlayDevice(grown);
  const regions = [
    { guid: REGION.bat, fileOffset: end, length: MIB, required: 1 },
    { guid: REGION.metadata, fileOffset: image.metadataOffset, length: MIB, required: 1 },
  ];
  for (const copy of [0, 1] as const) await writeRegionTable(scratch, copy, regions);
  const updates: LogUpdate[] = [];
  for (const fileOffset of [192 * 1024, 256 * 1024])
    updates.push({ fileOffset, data: await readBytes(scratch, fileOffset, SECTOR) });
  await writeLog({ ...image, device: grown }, [{ sequenceNumber: 1n, updates }]);
  const context = vhdxContext();
  const container = await openVhdx(grown, context);
  t.is(Buffer.compare(await readBytes(container, 0, MIB), noise(1, MIB)), 0);
  t.is(context.diagnostics.length, 1);
});

test('the replay device is a device: what a log may do to a file of odd length', async (t) => {
  const bytes = noise(3, 10_001);
  const zeros = new RangeSet();
  zeros.add(8192, 2 ** 50);
  const device = new ReplayDevice(new MemoryDevice(bytes), {
    sectors: new Map([[12288, sectorOf(1)]]),
    zeros,
    size: 20_000,
  });
  const expected = new Uint8Array(20_000);
  expected.set(bytes.subarray(0, 8192));
  expected.set(sectorOf(1), 12288);
  t.is(Buffer.compare(await readBytes(device, 0, 20_000), expected), 0);
});

const replayDevice = async () => {
  const bytes = noise(4, 50_001);
  const zeros = new RangeSet();
  zeros.add(4096, 12288);
  zeros.add(49152, 57344);
  const sectors = new Map([
    [8192, sectorOf(1)],
    [16384, sectorOf(2)],
    [20480, sectorOf(3)],
    [61440, sectorOf(4)],
  ]);
  const expected = new Uint8Array(70_000);
  expected.set(bytes);
  expected.fill(0, 4096, 12288);
  expected.fill(0, 49152, 57344);
  for (const [at, sector] of sectors) expected.set(sector, at);
  return { device: new ReplayDevice(new MemoryDevice(bytes), { sectors, zeros, size: 70_000 }), expected };
};
deviceConformance('replay device', replayDevice);
extentsConformance('replay device', replayDevice);
