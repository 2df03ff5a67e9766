import test, { type ExecutionContext } from 'ava';
import { openContainer } from '../../../../src/core/container/formats.ts';
import { featureNameEntry } from '../../../../src/core/container/qcow2/features.ts';
import { headerV3 } from '../../../../src/core/container/qcow2/header.ts';
import { extensionHead } from '../../../../src/core/container/qcow2/header-extensions.ts';
import { type Container, DiskError, type DiskErrorCode, MemoryDevice, readBytes } from '../../../../src/core/index.ts';
import { seededRandom } from '../../../conformance/device-conformance.ts';
import { CountingDevice, FaultyDevice, isInjectedFault, RecordingDevice } from '../../../helpers/devices.ts';
import { fixtureBytes } from '../../../helpers/fixtures.ts';
import { fixtureContext, openBytes } from './fixture-images.ts';

/*
 * A real image of qemu-img, damaged in one place. v3-64k: L1 table at 0x30000, its one L2 table at 0x40000,
 * the first data cluster at 0x50000; the disk is 3 MiB.
 */
const image = await fixtureBytes('qcow2/v3-64k.qcow2');
const chainTop = await fixtureBytes('qcow2/chain-top.qcow2');
const L1_OFFSET = 0x30000;
const L2_OFFSET = 0x40000;
const CLUSTER = 65536;

type HeaderValues = Parameters<typeof headerV3.write>[1];

function withHeader(values: HeaderValues, base: Uint8Array = image): Uint8Array {
  const bytes = base.slice();
  headerV3.write(bytes, values);
  return bytes;
}

function withWord(offset: number, word: bigint): Uint8Array {
  const bytes = image.slice();
  new DataView(bytes.buffer).setBigUint64(offset, word);
  return bytes;
}

async function refusal(t: ExecutionContext, bytes: Uint8Array, code: DiskErrorCode): Promise<DiskError> {
  const device = new RecordingDevice(new MemoryDevice(bytes));
  const error = await t.throwsAsync(openContainer(device, fixtureContext()), { instanceOf: DiskError });
  t.is(error?.code, code);
  t.is(error?.layer, 'qcow2');
  t.true(device.bytesRead <= 2 * CLUSTER + 4096, 'refused after the header, before anything large is read');
  return error!;
}

test('the damaged image is real: undamaged it opens, with the layout that these tests count on', async (t) => {
  const header = headerV3.parse(image);
  t.is(header.l1TableOffset, L1_OFFSET);
  t.is(
    new DataView(image.buffer, image.byteOffset).getBigUint64(L1_OFFSET) % 0x8000_0000_0000_0000n,
    BigInt(L2_OFFSET),
  );
  const opened = await openBytes(withHeader({}));
  t.is((await readBytes(opened, 0, 1))[0], 0x11);
});

const fields: readonly [HeaderValues, DiskErrorCode][] = [
  [{ version: 0 }, 'UNSUPPORTED'],
  [{ version: 1 }, 'UNSUPPORTED'],
  [{ version: 4 }, 'UNSUPPORTED'],
  [{ clusterBits: 0 }, 'CORRUPT'],
  [{ clusterBits: 8 }, 'CORRUPT'],
  [{ clusterBits: 22 }, 'CORRUPT'],
  [{ clusterBits: 63 }, 'CORRUPT'],
  [{ clusterBits: 0xffffffff }, 'CORRUPT'],
  [{ size: 2 ** 53 - 1 }, 'CORRUPT'],
  [{ size: 2 ** 29 + 1 }, 'CORRUPT'],
  [{ l1Size: 0xffffffff }, 'CORRUPT'],
  [{ l1Size: 4 * 1024 * 1024 + 1 }, 'CORRUPT'],
  [{ l1Size: 0 }, 'CORRUPT'],
  [{ l1TableOffset: L1_OFFSET + 512 }, 'CORRUPT'],
  [{ l1TableOffset: 2 ** 50 }, 'CORRUPT'],
  [{ l1Size: 4 * 1024 * 1024 }, 'CORRUPT'],
  [{ headerLength: 0 }, 'CORRUPT'],
  [{ headerLength: 72 }, 'CORRUPT'],
  [{ headerLength: 105 }, 'CORRUPT'],
  [{ headerLength: CLUSTER + 8 }, 'CORRUPT'],
  [{ headerLength: 0xfffffff8 }, 'CORRUPT'],
  [{ refcountOrder: 7 }, 'CORRUPT'],
  [{ refcountOrder: 0xffffffff }, 'CORRUPT'],
  [{ nbSnapshots: 65537, snapshotsOffset: CLUSTER }, 'CORRUPT'],
  [{ nbSnapshots: 1, snapshotsOffset: CLUSTER + 1 }, 'CORRUPT'],
  [{ backingFileOffset: 0x200, backingFileSize: 1024 }, 'CORRUPT'],
  [{ backingFileOffset: CLUSTER - 10, backingFileSize: 11 }, 'CORRUPT'],
  [{ backingFileOffset: 8, backingFileSize: 4 }, 'CORRUPT'],
  [{ backingFileOffset: 2 ** 52, backingFileSize: 4 }, 'CORRUPT'],
  [{ cryptMethod: 1 }, 'UNSUPPORTED'],
  [{ cryptMethod: 2 }, 'UNSUPPORTED'],
  [{ cryptMethod: 77 }, 'UNSUPPORTED'],
  [{ compressionType: 2, incompatibleFeatures: 8n }, 'UNSUPPORTED'],
  [{ compressionType: 1 }, 'CORRUPT'],
  [{ incompatibleFeatures: 8n }, 'CORRUPT'],
];

for (const [values, code] of fields) {
  const [field, value] = Object.entries(values).at(0)!;
  test(`header ${Object.entries(values)
    .map(([name, set]) => `${name} = ${set}`)
    .join(', ')} is ${code}`, async (t) => {
    const error = await refusal(t, withHeader(values), code);
    t.regex(error.structure ?? '', /^header /);
    t.truthy(error.expected);
    t.true(Number.isSafeInteger(error.offset));
    if (Object.keys(values).length === 1 && field in headerV3.fields && error.structure === `header ${field}`)
      t.is(error.offset, headerV3.fields[field as keyof typeof headerV3.fields].offset, String(value));
  });
}

test('an image that must be qcow2 and lacks the magic is CORRUPT', async (t) => {
  const opening = openContainer(new MemoryDevice(withHeader({ magic: 0x514649fc })), fixtureContext(), 'qcow2');
  const error = await t.throwsAsync(opening, { instanceOf: DiskError });
  t.is(error?.code, 'CORRUPT');
  t.is(error?.offset, 0);
  t.is(error?.found, '0x514649fc');
});

test('a 64-bit header field above 2^53 is CORRUPT', async (t) => {
  for (const field of ['size', 'l1TableOffset', 'backingFileOffset'] as const) {
    const error = await refusal(t, withWord(headerV3.fields[field].offset, 0xffff_ffff_ffff_ffffn), 'CORRUPT');
    t.is(error.structure, `header ${field}`);
  }
});

test('each unknown incompatible feature is refused by its name or number; all at once by all names', async (t) => {
  const found = async (mask: bigint) =>
    (await refusal(t, withHeader({ incompatibleFeatures: mask }), 'UNSUPPORTED')).found;
  t.is(await found(32n), 'incompatible feature bit 5');
  t.is(await found(2n ** 63n), 'incompatible feature bit 63');
  const odd = withHeader({ incompatibleFeatures: 32n, l1Size: 0xffffffff, refcountOrder: 9 });
  t.is(
    (await refusal(t, odd, 'UNSUPPORTED')).found,
    'incompatible feature bit 5',
    'before fields that it may give another meaning',
  );
  t.is(await found(4n + 16n + 32n + 64n), 'incompatible feature bit 5, incompatible feature bit 6');
});

test("an unknown feature is named by the image's own table, made safe for a terminal", async (t) => {
  const bytes = withHeader({ incompatibleFeatures: 2n ** 5n });
  const start = headerV3.parse(bytes).headerLength;
  bytes.fill(0, start, CLUSTER);
  extensionHead.write(bytes, { type: 0x6803f857, length: featureNameEntry.size }, start);
  const name = new Uint8Array(46);
  name.set(Buffer.from('red \x1b[31m moon'));
  featureNameEntry.write(bytes, { type: 0, bit: 5, name }, start + extensionHead.size);
  t.is((await refusal(t, bytes, 'UNSUPPORTED')).found, 'red \\x1b[31m moon');
});

test('a header extension longer than its room is CORRUPT, an unknown one is passed over, the end need not be marked', async (t) => {
  const start = headerV3.parse(image).headerLength;
  for (const length of [0xffffffff, CLUSTER - start - 7]) {
    const bytes = image.slice();
    extensionHead.write(bytes, { type: 0x12345678, length }, start);
    const error = await refusal(t, bytes, 'CORRUPT');
    t.is(error.structure, 'header extension length');
    t.is(error.offset, start + 4);
  }
  const bytes = image.slice();
  extensionHead.write(bytes, { type: 0x12345678, length: CLUSTER - start - 8 }, start);
  await t.notThrowsAsync(openBytes(bytes));
  const endless = image.slice();
  endless.fill(1, start, CLUSTER);
  await refusal(t, endless, 'CORRUPT');
});

test('the dirty and the corrupt bit are readable, and said', async (t) => {
  const context = fixtureContext();
  const opened = await openBytes(withHeader({ incompatibleFeatures: 3n }), context);
  t.is((await readBytes(opened, 0, 1))[0], 0x11);
  t.deepEqual(
    context.diagnostics.map(({ offset }) => offset),
    [72, 72],
  );
  t.regex(context.diagnostics[0]!.message, /not closed cleanly/);
  t.regex(context.diagnostics[1]!.message, /marked corrupt/);
  t.deepEqual(opened.properties.find(({ key }) => key === 'incompatibleFeatures')?.value, ['dirty bit', 'corrupt bit']);
});

test('a recognized magic never ends as raw: every truncation of the header is CORRUPT', async (t) => {
  for (const length of [4, 5, 71, 72, 103, 104, 111]) {
    const error = await t.throwsAsync(openBytes(image.slice(0, length)), { instanceOf: DiskError });
    t.is(error?.code, 'CORRUPT', `${length} bytes`);
  }
  for (const length of [0, 1, 3]) t.is((await openBytes(image.slice(0, length))).format, 'raw', `${length} bytes`);
});

async function readError(t: ExecutionContext, container: Container, offset: number): Promise<DiskError> {
  const error = await t.throwsAsync(readBytes(container, offset, 512), { instanceOf: DiskError }, `at ${offset}`);
  t.is(error?.code, 'CORRUPT');
  return error!;
}

test('L1 entries: each fault is CORRUPT at the entry, once it is touched', async (t) => {
  for (const word of [1n, 0x0100_0000_0005_0000n, 0x4_0200n, 0x00ff_ffff_ffff_0000n, BigInt(image.length + CLUSTER)]) {
    const opened = await openBytes(withWord(L1_OFFSET, word));
    const error = await readError(t, opened, 0);
    t.is(error.structure, 'L1 table entry 0');
    t.is(error.offset, L1_OFFSET);
    t.is(error.found, `0x${word.toString(16).padStart(16, '0')}`);
  }
});

test('L2 entries: each fault is CORRUPT at the entry when touched, and the rest of the disk stays readable', async (t) => {
  const index = 10;
  const words = [
    0x5_0002n,
    0x5_0200n,
    0x0200_0000_0005_0000n,
    0x5_0201n,
    BigInt(image.length),
    0x00ff_ffff_ffff_0000n,
    0x7fff_ffff_ffff_ffffn,
  ];
  for (const word of words) {
    const opened = await openBytes(withWord(L2_OFFSET + index * 8, word));
    const error = await readError(t, opened, index * CLUSTER + 100);
    t.is(error.structure, `L2 table entry ${index}`);
    t.is(error.offset, L2_OFFSET + index * 8);
    t.is((await readBytes(opened, index * CLUSTER - 1, 1)).length, 1);
    t.is((await readBytes(opened, (index + 1) * CLUSTER, 1)).length, 1);
    t.is((await readBytes(opened, 1900 * 1024, 1))[0], 0x55);
    const before: number[] = [];
    const walk = async () => {
      for await (const extent of opened.extents({ start: 0, length: opened.size }))
        before.push(extent.start + extent.length);
    };
    await t.throwsAsync(walk(), { instanceOf: DiskError });
    t.is(before.at(-1), index * CLUSTER, 'the map is told up to the fault');
  }
});

test('a zero bit in a version 2 image is CORRUPT', async (t) => {
  const bytes = (await fixtureBytes('qcow2/v2-64k.qcow2')).slice();
  const l2 = Number(
    new DataView(bytes.buffer).getBigUint64(headerV3.parse(image).l1TableOffset) % 0x8000_0000_0000_0000n,
  );
  new DataView(bytes.buffer).setBigUint64(l2 + 5 * 8, 1n);
  t.is((await readError(t, await openBytes(bytes), 5 * CLUSTER)).offset, l2 + 40);
});

test('compressed data that is damaged, or ends too early, is CORRUPT at its place in the file', async (t) => {
  const bytes = (await fixtureBytes('qcow2/zlib.qcow2')).slice();
  const opened = await openBytes(bytes);
  for await (const extent of opened.extents({ start: 0, length: CLUSTER })) {
    if (extent.kind !== 'encoded') return t.fail(extent.kind);
    const damaged = bytes.slice();
    damaged.fill(0xff, extent.sourceOffset, extent.sourceOffset + 16);
    const error = await readError(t, await openBytes(damaged), 1000);
    t.is(error.structure, 'compressed cluster');
    t.is(error.offset, extent.sourceOffset);
    t.truthy(error.cause);
  }
});

test('a truncated image: a cut cluster reads as zeros from there and is said, as qemu-img does; a lost cluster is CORRUPT; the rest is right', async (t) => {
  // The last data cluster of the file is that of 1900k: 0xa0000 to 0xc0000 for two clusters.
  const whole = await openBytes(image.slice());
  const wholeBytes = await readBytes(whole, 0, whole.size);
  const context = fixtureContext();
  const cut = 0xb0000 + 1000;
  const opened = await openBytes(image.slice(0, cut), context);
  const guestOfCut = 1900544 + (cut - 0xa0000);
  const expected = wholeBytes.slice();
  expected.fill(0, guestOfCut, 1900544 + 2 * CLUSTER);
  t.is(Buffer.compare(await readBytes(opened, 0, opened.size), expected), 0);
  t.is(Buffer.compare(await readBytes(opened, guestOfCut + 5, 100), new Uint8Array(100)), 0);
  t.deepEqual(
    context.diagnostics.map(({ offset }) => offset),
    [cut],
    'said once',
  );
  const shorter = await openBytes(image.slice(0, 0xb0000));
  const error = await readError(t, shorter, 1900544 + CLUSTER);
  t.is(error.offset, L2_OFFSET + ((1900544 + CLUSTER) / CLUSTER) * 8);
  const both = await t.throwsAsync(readBytes(shorter, 1900544, 2 * CLUSTER), { instanceOf: DiskError });
  t.is(both?.offset, error.offset, 'a read over both clusters blames the lost one');
  const safe = await readBytes(shorter, 0, 1900544 + CLUSTER);
  t.is(Buffer.compare(safe, wholeBytes.subarray(0, safe.length)), 0);
});

test('a file that ends inside an L2 table: its entries that are there work, the others are CORRUPT', async (t) => {
  const opened = await openBytes(image.slice(0, L2_OFFSET + 8 * 5));
  t.is(Buffer.compare(await readBytes(opened, 2 * CLUSTER, 3 * CLUSTER), new Uint8Array(3 * CLUSTER)), 0);
  const error = await readError(t, opened, 5 * CLUSTER);
  t.is(error.offset, L2_OFFSET + 40);
  t.is(error.expected, 'a whole L2 table');
});

test('backing names: empty is none; an undeclared format is probed and said; a declared one is not probed', async (t) => {
  const empty = await openBytes(withHeader({ backingFileSize: 0 }, chainTop));
  t.is(empty.backing, undefined);
  const undeclared = chainTop.slice();
  const start = headerV3.parse(undeclared).headerLength;
  extensionHead.write(undeclared, { type: 0x12345678 }, start);
  const asked: (string | undefined)[] = [];
  const context = fixtureContext();
  const opened = await openBytes(undeclared, {
    ...context,
    openReference: (reference) => {
      asked.push(reference.format);
      return context.openReference(reference);
    },
  });
  t.deepEqual(asked, [undefined]);
  t.is(opened.backing?.name, 'chain-middle.qcow2');
  t.regex(context.diagnostics[0]!.message, /does not declare the format/);
  const declared = fixtureContext();
  await openBytes(chainTop.slice(), declared);
  t.deepEqual(declared.diagnostics, []);
});

test('a backing file that is refused or missing refuses the image', async (t) => {
  const failure = new DiskError('DENIED', { layer: 'test' });
  const context = { ...fixtureContext(), openReference: () => Promise.reject(failure) };
  t.is(await t.throwsAsync(openBytes(chainTop.slice(), context)), failure);
});

test('odd but readable: a size of no whole sectors, no reference counts', async (t) => {
  const context = fixtureContext();
  const opened = await openBytes(withHeader({ size: 3 * 1024 * 1024 - 1, refcountTableClusters: 0 }), context);
  t.is(opened.size, 3 * 1024 * 1024 - 1);
  t.deepEqual(
    context.diagnostics.map(({ structure }) => structure),
    ['header size', 'header refcountTableClusters'],
  );
});

test('a disk of no bytes opens and has no extents', async (t) => {
  const opened = await openBytes(withHeader({ size: 0, l1Size: 0, l1TableOffset: 2 ** 40 }));
  t.is(opened.size, 0);
  for await (const extent of opened.extents({ start: 0, length: 0 })) t.fail(extent.kind);
  await t.notThrowsAsync(opened.readInto(new Uint8Array(0), 0));
});

test('a disk of 1 TiB that was never written maps and reads at once', async (t) => {
  const size = 2 ** 40;
  const l1Size = size / (CLUSTER * (CLUSTER / 8));
  const bytes = new Uint8Array(L1_OFFSET + l1Size * 8);
  bytes.set(image.subarray(0, CLUSTER));
  headerV3.write(bytes, { size, l1Size });
  const device = new RecordingDevice(new MemoryDevice(bytes));
  const opened = await openContainer(device, fixtureContext());
  const begin = performance.now();
  const extents = [];
  for await (const extent of opened.extents({ start: 0, length: size })) extents.push(extent);
  t.true(performance.now() - begin < 100);
  t.deepEqual(extents, [{ kind: 'zero', start: 0, length: size, explicit: false }]);
  t.true(device.requests.length <= 5);
});

for (const name of ['v3-512.qcow2', 'zlib.qcow2', 'zstd.qcow2', 'v2-64k.qcow2']) {
  test(`${name}: a fault at any request comes through, and the next reader is served`, async (t) => {
    const bytes = await fixtureBytes(`qcow2/${name}`);
    const counting = new RecordingDevice(new MemoryDevice(bytes));
    const size = 256 * 1024;
    const whole = await openContainer(counting, fixtureContext());
    const expected = await readBytes(whole, 0, size);
    t.true(counting.requests.length >= 5);
    for (let failAt = 0; failAt < counting.requests.length; failAt++) {
      const faulty = new FaultyDevice(new MemoryDevice(bytes), failAt);
      let opened: Container | undefined;
      const attempt = async () => {
        opened = await openContainer(faulty, fixtureContext());
        await readBytes(opened, 0, size);
      };
      const error = await t.throwsAsync(attempt(), { any: true }, `request ${failAt}`);
      t.true(isInjectedFault(error), `request ${failAt}: ${error}`);
      // The device fails while its count stands still: passing the fault by, the same container reads everything.
      if (opened === undefined) continue;
      faulty.requests.push({ kind: 'read', offset: 0, length: 0 });
      t.is(Buffer.compare(await readBytes(opened, 0, size), expected), 0, `after request ${failAt}`);
    }
  });
}

for (const name of ['v3-512.qcow2', 'v3-64k.qcow2', 'zstd.qcow2', 'zlib-v2-4k.qcow2']) {
  test(`${name}: any damage gives bytes or a DiskError, within bounded reads`, async (t) => {
    const original = await fixtureBytes(`qcow2/${name}`);
    const { l1TableOffset } = headerV3.parse(original);
    const random = seededRandom(name.length);
    let refused = 0;
    for (let round = 0; round < 250; round++) {
      const bytes = original.slice();
      // Half of the blows go where they hurt: the header and the tables.
      const places = [112, 512, l1TableOffset + 64, bytes.length];
      for (let blow = 0; blow < 1 + random() * 4; blow++) {
        const limit = places[Math.floor(random() * places.length)]!;
        const from = limit > 512 && limit < bytes.length ? l1TableOffset : 4;
        bytes[Math.floor(from + random() * (Math.min(limit, bytes.length) - from))] = random() * 256;
      }
      const length = random() < 0.2 ? Math.floor(4 + random() * bytes.length) : bytes.length;
      const device = new CountingDevice(new MemoryDevice(bytes.subarray(0, length)));
      try {
        const opened = await openContainer(device, fixtureContext());
        await readBytes(opened, 0, Math.min(opened.size, 1024 * 1024));
        for (let read = 0; read < 5; read++)
          await readBytes(opened, Math.floor(random() * Math.max(1, opened.size - 4096)), Math.min(opened.size, 4096));
      } catch (error) {
        if (!(error instanceof DiskError)) t.fail(`round ${round}: ${(error as Error).stack}`);
        refused++;
      }
      if (device.bytesRead > 32 * 1024 * 1024) t.fail(`round ${round}: ${device.bytesRead} bytes read`);
    }
    t.true(refused > 20 && refused < 250, `${refused} of 250 refused`);
  });
}
