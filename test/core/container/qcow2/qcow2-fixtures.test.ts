import test from 'ava';
import { DiskError, readBytes, streamBytes } from '../../../../src/core/index.ts';
import { deviceConformance } from '../../../conformance/device-conformance.ts';
import { extentsConformance } from '../../../conformance/extents-conformance.ts';
import { collect } from '../../../helpers/collect.ts';
import { fixtureBytes, fixtureNames } from '../../../helpers/fixtures.ts';
import { sha256 } from '../../../helpers/sha256.ts';
import { fixtureContext, openBytes, openFixture, qcow2Facts } from './fixture-images.ts';
import { ourRows, qemuRows } from './map-rows.ts';

const names = (await fixtureNames('qcow2'))
  .map((name) => name.slice('qcow2/'.length))
  .filter((name) => !name.endsWith('.raw'));
const facts = new Map(await Promise.all(names.map(async (name) => [name, await qcow2Facts(name)] as const)));
const encrypted = names.filter((name) => facts.get(name)!.passphrase !== undefined);

for (const name of names) {
  const expected = facts.get(name)!;

  test(`${name}: the virtual disk is what qemu-img reads`, async (t) => {
    const image = await openFixture(name);
    t.is(image.format, 'qcow2');
    t.is(image.size, expected.info['virtual-size']);
    t.is(await sha256(image), expected.sha256);
  });

  test(`${name}: the map is qemu-img's`, async (t) => {
    const image = await openFixture(name);
    const rawDepth = name.startsWith('chain-top') ? 2 : name.startsWith('chain-middle') ? 1 : undefined;
    t.deepEqual(await ourRows(image), qemuRows(expected.map, rawDepth));
  });

  test(`${name}: the properties are those that qemu-img tells`, async (t) => {
    const image = await openFixture(name);
    const properties = Object.fromEntries(image.properties.map(({ key, value }) => [key, value]));
    const { info } = expected;
    const { data } = info['format-specific'];
    t.like(properties, {
      version: data.compat === '0.10' ? 2 : 3,
      clusterSize: info['cluster-size'],
      compressionType: data['compression-type'],
      refcountBits: data['refcount-bits'],
      backingFile: info['backing-filename'] ?? null,
      backingFormat: info['backing-filename-format'] ?? null,
      snapshotCount: info.snapshots?.length ?? 0,
      snapshots: info.snapshots?.map(({ id, name }) => `${id} ${name}`) ?? [],
    });
  });

  const make = async () => {
    const device = await openFixture(name);
    return { device, expected: await readBytes(device, 0, device.size) };
  };
  deviceConformance(name, make);
  extentsConformance(name, make);
}

for (const name of encrypted) {
  test(`${name}: without a passphrase it is refused by the name of its encryption, before any file that it names is opened`, async (t) => {
    const error = await t.throwsAsync(openFixture(name, {}), { instanceOf: DiskError });
    t.is(error?.code, 'UNSUPPORTED');
    t.is(error?.layer, 'qcow2');
    t.is(error?.found, name === 'luks.qcow2' ? 'LUKS encryption' : 'AES encryption');
    t.regex(error?.expected ?? '', /passphrase/);
  });
}

test('the fixtures hold what they are named for', (t) => {
  t.true(names.length >= 16);
  t.deepEqual(encrypted, ['aes.qcow2', 'luks.qcow2']);
});

test('a wrong passphrase of a LUKS image is DENIED; one of the old AES gives noise and is said beforehand', async (t) => {
  const error = await t.throwsAsync(openFixture('luks.qcow2', { passphrase: 'Swordfish' }), { instanceOf: DiskError });
  t.is(error?.code, 'DENIED');
  t.notRegex(error?.message ?? '', /swordfish/i, 'a passphrase is not printed');
  const context = fixtureContext();
  const bytes = await fixtureBytes('qcow2/aes.qcow2');
  const noise = await openBytes(bytes, context, { passphrase: 'Swordfish' });
  t.not((await readBytes(noise, 0, 1))[0], 0x31);
  t.regex(context.diagnostics[0]?.message ?? '', /noise/);
});

test('a passphrase that is not needed is said, and harms nothing', async (t) => {
  const context = fixtureContext();
  const image = await openBytes(await fixtureBytes('qcow2/v3-64k.qcow2'), context, { passphrase: 'swordfish' });
  t.is((await readBytes(image, 0, 1))[0], 0x11);
  t.regex(context.diagnostics[0]?.message ?? '', /not encrypted/);
});

test('encrypted extents say where their sectors lie, also when the range is odd', async (t) => {
  const image = await openFixture('luks.qcow2');
  const [whole] = await collect(image.extents({ start: 0, length: 8192 }));
  const [odd] = await collect(image.extents({ start: 700, length: 5000 }));
  if (whole?.kind !== 'encoded' || odd?.kind !== 'encoded') return t.fail(`${whole?.kind} ${odd?.kind}`);
  t.is(whole.encoding, 'luks');
  t.is(whole.length, 8192, 'two clusters that lie together are one extent');
  t.is(whole.sourceLength, 8192);
  t.is(odd.length, 5000);
  t.is(odd.sourceOffset, whole.sourceOffset + 512);
  t.is(odd.sourceLength, 6144 - 512, 'the sectors that it touches');
  const target = new Uint8Array(10);
  await odd.decodeInto(target, 4990);
  t.deepEqual([...target], Array(10).fill(0x31));
});

test('persistent bitmaps are listed', async (t) => {
  const { properties } = await openFixture('bitmaps.qcow2');
  const value = properties.find(({ key }) => key === 'bitmaps')?.value;
  t.deepEqual(value, ['daily (65536 bytes a bit, auto)', 'frozen (512 bytes a bit)']);
});

test('feature names come from the image: lazy refcounts of v3-2m, the compression type of zstd', async (t) => {
  const property = async (name: string, key: string) =>
    (await openFixture(name)).properties.find((entry) => entry.key === key)?.value;
  t.deepEqual(await property('v3-2m.qcow2', 'compatibleFeatures'), ['lazy refcounts']);
  t.deepEqual(await property('zstd.qcow2', 'incompatibleFeatures'), ['compression type']);
  t.deepEqual(await property('v3-64k.qcow2', 'incompatibleFeatures'), []);
});

test('streaming in chunks of any size gives the same bytes', async (t) => {
  const whole = await readBytes(await openFixture('zlib.qcow2'), 0, 589824);
  for (const chunkBytes of [4096, 65536, 100_001]) {
    const image = await openFixture('zlib.qcow2');
    let at = 0;
    for await (const chunk of streamBytes(image, { start: 0, length: image.size }, { chunkBytes })) {
      t.is(Buffer.compare(chunk, whole.subarray(at, at + chunk.length)), 0);
      at += chunk.length;
    }
    t.is(at, image.size);
  }
});

test('an aborted read or walk ends with the abort, not as damage, and hurts no other reader', async (t) => {
  const image = await openFixture('zlib.qcow2');
  const controller = new AbortController();
  const { signal } = controller;
  const reading = image.readInto(new Uint8Array(image.size), 0, { signal });
  const other = readBytes(image, 0, image.size);
  controller.abort();
  await t.throwsAsync(reading, { name: 'AbortError' });
  t.is((await other).length, image.size);
  const walk = async () => {
    for await (const _ of image.extents({ start: 0, length: image.size }, { signal })) t.fail('a walk goes on');
  };
  await t.throwsAsync(walk(), { name: 'AbortError' });
});
