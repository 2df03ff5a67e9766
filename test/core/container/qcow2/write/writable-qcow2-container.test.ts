import test, { type ExecutionContext } from 'ava';
import { headerV3 } from '../../../../../src/core/container/qcow2/header.ts';
import { DiskError, type DiskErrorCode, MemoryDevice, readBytes } from '../../../../../src/core/index.ts';
import { deviceConformance } from '../../../../conformance/device-conformance.ts';
import { extentsConformance } from '../../../../conformance/extents-conformance.ts';
import { firstDifference } from '../../../../helpers/disk-operations.ts';
import { fixtureBytes } from '../../../../helpers/fixtures.ts';
import { checkQcow2 } from '../../../../helpers/qcow2-check.ts';
import { RecordedFile } from '../../../../helpers/recorded-file.ts';
import { diskOf, emptyImage, openReadOnly, openWritable } from './written-images.ts';

const KIB = 1024;
const CLUSTER = 1024;
const RECIPE = { virtualSize: 100 * KIB, clusterSize: CLUSTER };
const BACKED = { ...RECIPE, backing: { name: 'base.raw', format: 'raw' } };

/** An image of which the first 20 KiB are written, and the bytes of its disk. */
async function writtenImage(): Promise<{ image: Uint8Array; disk: Uint8Array }> {
  const file = new MemoryDevice(await emptyImage(RECIPE));
  const disk = new Uint8Array(RECIPE.virtualSize);
  disk.set(Uint8Array.from({ length: 20 * KIB }, (_, index) => index % 251));
  await using container = await openWritable(file);
  await container.writeFrom(disk.subarray(0, 20 * KIB), 0);
  await container.flush();
  return { image: file.bytes.slice(), disk };
}

async function conformanceCase() {
  const file = new MemoryDevice(await emptyImage(RECIPE));
  const device = await openWritable(file);
  const expected = new Uint8Array(RECIPE.virtualSize);
  for (const [offset, length] of [
    [100, 3000],
    [20_000, 9000],
    [60_001, 1],
  ] as const) {
    await device.writeFrom(new Uint8Array(length).fill(offset % 251), offset);
    expected.fill(offset % 251, offset, offset + length);
  }
  await device.writeZeros({ start: 21 * KIB, length: 3 * KIB });
  expected.fill(0, 21 * KIB, 24 * KIB);
  return { device, expected };
}

deviceConformance('qcow2, open for writing', conformanceCase);
extentsConformance('qcow2, open for writing', conformanceCase);

/** A copy of `image` with header fields changed. */
function withHeader(image: Uint8Array, fields: Parameters<typeof headerV3.write>[1]): Uint8Array {
  const copy = image.slice();
  headerV3.write(copy, fields);
  return copy;
}

async function refused(t: ExecutionContext, image: Uint8Array, code: DiskErrorCode, text: RegExp): Promise<void> {
  const error = await t.throwsAsync(openWritable(new MemoryDevice(image)), { instanceOf: DiskError });
  t.is(error?.code, code);
  t.regex(error?.message ?? '', text);
}

test('an image that cannot be written safely is refused by the name of what stands in the way', async (t) => {
  const { image } = await writtenImage();
  await refused(t, withHeader(image, { incompatibleFeatures: 1n }), 'UNSUPPORTED', /dirty bit.*qemu-img check -r all/);
  await refused(
    t,
    withHeader(image, { incompatibleFeatures: 2n }),
    'UNSUPPORTED',
    /corrupt bit.*qemu-img check -r all/,
  );
  await refused(t, withHeader(image, { incompatibleFeatures: 4n }), 'UNSUPPORTED', /data file/);
  await refused(t, withHeader(image, { incompatibleFeatures: 32n }), 'UNSUPPORTED', /bit 5/);
  await refused(t, await fixtureBytes('qcow2/luks.qcow2'), 'UNSUPPORTED', /LUKS|encrypt/);
  await refused(t, withHeader(image, { refcountTableClusters: 0 }), 'CORRUPT', /refcountTableClusters/);
  await refused(t, withHeader(image, { refcountTableClusters: 2 ** 30 }), 'CORRUPT', /refcountTableClusters/);
  await refused(t, withHeader(image, { refcountTableOffset: image.length }), 'CORRUPT', /refcountTableOffset/);
  const badTable = image.slice();
  new DataView(badTable.buffer).setBigUint64(CLUSTER + 8, 0x1234n);
  await refused(t, badTable, 'CORRUPT', /refcount table entry 1/);
});

test('the unknown compatible features stay, the autoclear ones go before the first write and not sooner', async (t) => {
  const { image } = await writtenImage();
  const marked = withHeader(image, { compatibleFeatures: 0x101n, autoclearFeatures: 0x8001n });
  const file = new RecordedFile(marked);
  {
    await using container = await openWritable(file);
    await readBytes(container, 0, 5000);
    await container.flush();
  }
  t.deepEqual(
    file.operations.filter(({ kind }) => kind !== 'flush'),
    [],
  );
  {
    await using container = await openWritable(file);
    await container.writeFrom(new Uint8Array(10), 5);
  }
  const [first, second, third] = file.operations.slice(file.operations.findIndex(({ kind }) => kind === 'write'));
  t.deepEqual([first?.kind, second?.kind, third?.kind], ['write', 'flush', 'write']);
  t.is(first?.kind === 'write' ? first.offset : undefined, headerV3.fields.autoclearFeatures.offset);
  const { autoclearFeatures, compatibleFeatures } = headerV3.parse(file.bytes);
  t.deepEqual({ autoclearFeatures, compatibleFeatures }, { autoclearFeatures: 0n, compatibleFeatures: 0x101n });
});

test('what lies outside the disk is OUT_OF_RANGE, and so is a size that cannot be', async (t) => {
  const { image } = await writtenImage();
  const file = new RecordedFile(image);
  const container = await openWritable(file);
  const outside: readonly (() => Promise<void>)[] = [
    () => container.writeFrom(new Uint8Array(2), 100 * KIB - 1),
    () => container.writeFrom(new Uint8Array(1), -1),
    () => container.writeZeros({ start: 0, length: 100 * KIB + 1 }),
    () => container.discard({ start: 100 * KIB, length: 1 }),
    () => container.resize(99 * KIB),
    () => container.resize(100 * KIB + 1),
    () => container.resize(2 ** 52),
  ];
  for (const call of outside) {
    const error = await t.throwsAsync(call(), { instanceOf: DiskError });
    t.is(error?.code, 'OUT_OF_RANGE');
  }
  await container.writeFrom(new Uint8Array(0), 100 * KIB);
  await container.writeZeros({ start: 100 * KIB, length: 0 });
  await container.resize(100 * KIB);
  await container[Symbol.asyncDispose]();
  t.is(file.operations.filter(({ kind }) => kind === 'write').length, 0);
});

test('what was discarded or zeroed is gone: neither its own past nor the backing file shows again', async (t) => {
  const backing = new Uint8Array(80 * KIB).fill(7);
  const file = new MemoryDevice(await emptyImage(BACKED));
  {
    await using container = await openWritable(file, backing);
    await container.writeFrom(new Uint8Array(30 * KIB).fill(1), 0);
    await container.discard({ start: 0, length: 20 * KIB });
    await container.writeZeros({ start: 25 * KIB, length: 20 * KIB });
    // Only a part of a cluster: it stays.
    await container.discard({ start: 60 * KIB + 1, length: CLUSTER });
    await container.discard({ start: 70 * KIB, length: 30 * KIB });
    await container.resize(120 * KIB);
  }
  const expected = new Uint8Array(120 * KIB).fill(7, 0, 70 * KIB);
  expected
    .fill(0, 0, 20 * KIB)
    .fill(1, 20 * KIB, 25 * KIB)
    .fill(0, 25 * KIB, 45 * KIB);
  t.is(firstDifference(await diskOf(file.bytes, backing), expected), undefined);
  t.deepEqual(checkQcow2(file.bytes), { errors: [], leaks: 0 });
  await using container = await openWritable(file, backing);
  await container.writeFrom(new Uint8Array([9]), 10 * KIB + 5);
  t.deepEqual(
    await readBytes(container, 10 * KIB, CLUSTER),
    Uint8Array.from({ length: CLUSTER }, (_, index) => (index === 5 ? 9 : 0)),
  );
});

test('space that was given up is used again before the file grows', async (t) => {
  const { image } = await writtenImage();
  const file = new MemoryDevice(image);
  await using container = await openWritable(file);
  await container.writeFrom(new Uint8Array(CLUSTER).fill(2), 40 * KIB);
  await container.discard({ start: 0, length: 20 * KIB });
  await container.flush();
  const size = file.size;
  await container.writeFrom(new Uint8Array(20 * KIB).fill(3), 50 * KIB);
  t.is(file.size, size);
});

test('calls that overlap take effect in their order, and reads see whole writes', async (t) => {
  const file = new MemoryDevice(await emptyImage(RECIPE));
  await using container = await openWritable(file);
  const calls: Promise<unknown>[] = [];
  for (let value = 1; value <= 40; value++) {
    calls.push(container.writeFrom(new Uint8Array(30 * KIB).fill(value), 500 + value));
    if (value % 5 === 0) calls.push(container.discard({ start: 0, length: 90 * KIB }));
    if (value % 7 === 0) calls.push(container.flush());
    calls.push(
      readBytes(container, 1000, 20 * KIB).then((bytes) => {
        const expected = value % 5 === 0 ? 0 : value;
        t.true(bytes.every((byte) => byte === expected));
      }),
    );
  }
  await Promise.all(calls);
});

test('extents can be walked while writes go on', async (t) => {
  const { image } = await writtenImage();
  await using container = await openWritable(new MemoryDevice(image));
  let covered = 0;
  for await (const extent of container.extents({ start: 0, length: container.size })) {
    covered += extent.length;
    await container.writeFrom(new Uint8Array(100), 90 * KIB);
  }
  t.is(covered, container.size);
});

/** Where the parts of a written image lie. */
function placesOf(image: Uint8Array) {
  const view = new DataView(image.buffer, image.byteOffset);
  const offsetAt = (at: number) => Number(view.getBigUint64(at) % 2n ** 56n);
  const { l1TableOffset, refcountTableOffset } = headerV3.parse(image);
  const l2Table = offsetAt(l1TableOffset);
  return { l1TableOffset, refcountTableOffset, block: offsetAt(refcountTableOffset), l2Table, data: offsetAt(l2Table) };
}

const damages: readonly { name: string; damage: (image: DataView, places: ReturnType<typeof placesOf>) => void }[] = [
  {
    name: 'a data cluster with two references that says it has one',
    damage: (view, { block, data }) => view.setUint16(block + (data / CLUSTER) * 2, 2),
  },
  {
    name: 'an L2 table with two references that says it has one',
    damage: (view, { block, l2Table }) => view.setUint16(block + (l2Table / CLUSTER) * 2, 2),
  },
  {
    name: 'a data cluster that is the L1 table',
    damage: (view, { l2Table, l1TableOffset }) => view.setBigUint64(l2Table, 2n ** 63n + BigInt(l1TableOffset)),
  },
  {
    name: 'a data cluster that is a refcount block',
    damage: (view, { l2Table, block }) => view.setBigUint64(l2Table, 2n ** 63n + BigInt(block)),
  },
  {
    name: 'a data cluster that is its L2 table',
    damage: (view, { l2Table }) => view.setBigUint64(l2Table, 2n ** 63n + BigInt(l2Table)),
  },
  {
    name: 'an L2 table that is the refcount table',
    damage: (view, { l1TableOffset, refcountTableOffset }) =>
      view.setBigUint64(l1TableOffset, 2n ** 63n + BigInt(refcountTableOffset)),
  },
  {
    name: 'a shared cluster without a reference',
    damage: (view, { l2Table, block, data }) => {
      view.setBigUint64(l2Table, BigInt(data));
      view.setUint16(block + (data / CLUSTER) * 2, 0);
    },
  },
  {
    name: 'reserved bits in an L2 entry',
    damage: (view, { l2Table }) => view.setBigUint64(l2Table, 2n ** 63n + 6n),
  },
];

for (const { name, damage } of damages) {
  test(`a damaged image is CORRUPT before anything of it is overwritten: ${name}`, async (t) => {
    const { image } = await writtenImage();
    const damaged = image.slice();
    damage(new DataView(damaged.buffer), placesOf(image));
    const file = new RecordedFile(damaged);
    const container = await openWritable(file);
    const error = await t.throwsAsync(container.writeFrom(new Uint8Array(100), 5), { instanceOf: DiskError });
    t.is(error?.code, 'CORRUPT');
    await container[Symbol.asyncDispose]();
    // An allocation that was given back may have made the file longer; the rest is as it was.
    const kept = file.operations.filter(({ kind }) => kind === 'write').length;
    t.is(kept === 0 ? undefined : firstDifference(file.bytes.slice(0, damaged.length), damaged), undefined);
  });
}

test('a table with a count of 0 is not taken for free space', async (t) => {
  const { image } = await writtenImage();
  for (const part of ['l1TableOffset', 'refcountTableOffset', 'block', 'l2Table'] as const) {
    const damaged = image.slice();
    const places = placesOf(image);
    new DataView(damaged.buffer).setUint16(places.block + (places[part] / CLUSTER) * 2, 0);
    const file = new RecordedFile(damaged);
    const container = await openWritable(file);
    const error = await t.throwsAsync(container.writeFrom(new Uint8Array(100), 50 * KIB), { instanceOf: DiskError });
    t.is(error?.code, 'CORRUPT', part);
    await container[Symbol.asyncDispose]();
    t.is(firstDifference(file.bytes, damaged), undefined, part);
  }
});

test('counts that would make the file jump by gigabytes are CORRUPT', async (t) => {
  const image = await emptyImage({ virtualSize: 1024 * KIB });
  const { refcountTableOffset } = headerV3.parse(image);
  const block = Number(new DataView(image.buffer).getBigUint64(refcountTableOffset));
  const file = new RecordedFile(image.fill(1, block, block + 64 * KIB));
  const container = await openWritable(file);
  const error = await t.throwsAsync(container.writeFrom(new Uint8Array(1), 0), { instanceOf: DiskError });
  t.is(error?.code, 'CORRUPT');
  await container[Symbol.asyncDispose]();
  t.is(file.size, image.length);
});

test('a file that ends inside its last cluster is written to as well', async (t) => {
  const { image, disk } = await writtenImage();
  // Only zeros are cut off.
  const file = new MemoryDevice(image);
  {
    await using container = await openWritable(file);
    await container.writeFrom(new Uint8Array([1, 2, 3]), 40 * KIB);
  }
  const cut = file.bytes.slice(0, file.size - CLUSTER + 100);
  const short = new MemoryDevice(cut);
  {
    await using container = await openWritable(short);
    await container.writeFrom(new Uint8Array([4]), 40 * KIB + 500);
  }
  disk.set([1, 2, 3], 40 * KIB);
  disk[40 * KIB + 500] = 4;
  t.is(firstDifference(await diskOf(short.bytes), disk), undefined);
  t.deepEqual(checkQcow2(short.bytes), { errors: [], leaks: 0 });
});

test('disposing flushes, and the properties stay those of the image', async (t) => {
  const { image } = await writtenImage();
  const file = new RecordedFile(image);
  {
    await using container = await openWritable(file);
    await container.writeFrom(new Uint8Array(CLUSTER).fill(5), 50 * KIB);
    await using reader = await openReadOnly(image);
    t.deepEqual(container.properties, reader.properties);
    t.is(container.sectorSize, 512);
  }
  t.is(file.operations.at(-1)?.kind, 'flush');
  t.is((await diskOf(file.bytes))[50 * KIB], 5);
});
