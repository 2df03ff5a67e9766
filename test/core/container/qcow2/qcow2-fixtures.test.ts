import test from 'ava';
import { DiskError, readBytes, streamBytes } from '../../../../src/core/index.ts';
import { deviceConformance } from '../../../conformance/device-conformance.ts';
import { extentsConformance } from '../../../conformance/extents-conformance.ts';
import { fixtureNames } from '../../../helpers/fixtures.ts';
import { sha256 } from '../../../helpers/sha256.ts';
import { openFixture, qcow2Facts } from './fixture-images.ts';
import { ourRows, qemuRows } from './map-rows.ts';

const names = (await fixtureNames('qcow2'))
  .map((name) => name.slice('qcow2/'.length))
  .filter((name) => !name.endsWith('.raw'));
const facts = new Map(await Promise.all(names.map(async (name) => [name, await qcow2Facts(name)] as const)));
const readable = names.filter((name) => facts.get(name)!.sha256 !== undefined);
const refused = names.filter((name) => facts.get(name)!.refused !== undefined);

for (const name of readable) {
  const expected = facts.get(name)!;

  test(`${name}: the virtual disk is what qemu-img reads`, async (t) => {
    const image = await openFixture(name);
    t.is(image.format, 'qcow2');
    t.is(image.size, expected.info['virtual-size']);
    t.is(await sha256(image), expected.sha256!);
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
      snapshots: info.snapshots?.map(({ id, name }) => `${id} ${name}`).join(', ') ?? null,
    });
  });

  const make = async () => {
    const device = await openFixture(name);
    return { device, expected: await readBytes(device, 0, device.size) };
  };
  deviceConformance(name, make);
  extentsConformance(name, make);
}

for (const name of refused) {
  test(`${name}: is refused by the name of what it needs`, async (t) => {
    const error = await t.throwsAsync(openFixture(name), { instanceOf: DiskError });
    t.is(error?.code, 'UNSUPPORTED');
    t.is(error?.layer, 'qcow2');
    t.is(error?.found, facts.get(name)!.refused!);
  });
}

test('the fixtures hold what they are named for', (t) => {
  t.true(readable.length >= 11);
  t.deepEqual([...refused].sort(), ['aes.qcow2', 'extended-l2.qcow2', 'external.qcow2', 'luks.qcow2']);
});

test('feature names come from the image: lazy refcounts of v3-2m, the compression type of zstd', async (t) => {
  const property = async (name: string, key: string) =>
    (await openFixture(name)).properties.find((entry) => entry.key === key)?.value;
  t.is(await property('v3-2m.qcow2', 'compatibleFeatures'), 'lazy refcounts');
  t.is(await property('zstd.qcow2', 'incompatibleFeatures'), 'compression type');
  t.is(await property('v3-64k.qcow2', 'incompatibleFeatures'), null);
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
