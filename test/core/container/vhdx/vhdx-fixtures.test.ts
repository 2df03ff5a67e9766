import test from 'ava';
import { type Container, MemoryDevice, readBytes } from '../../../../src/core/index.ts';
import { deviceConformance } from '../../../conformance/device-conformance.ts';
import { extentsConformance } from '../../../conformance/extents-conformance.ts';
import { fixtureBytes, fixtureFacts, fixtureNames } from '../../../helpers/fixtures.ts';
import { sha256 } from '../../../helpers/sha256.ts';
import { openVhdx, property, vhdxContext } from './open-vhdx.ts';

/** What build.sh wrote beside a fixture; `info` is missing where QEMU does not read it. */
interface VhdxFacts {
  readonly sha256: string;
  readonly ignoredSha256?: string;
  readonly info?: { readonly 'virtual-size': number; readonly 'cluster-size': number };
}

const names = (await fixtureNames('vhdx')).map((name) => name.slice('vhdx/'.length));
const parent = new MemoryDevice(await fixtureBytes('vhdx/parent.vhdx'));

async function openFixture(name: string, log: 'replay' | 'ignore' = 'replay'): Promise<Container> {
  const file = new MemoryDevice(await fixtureBytes(`vhdx/${name}`));
  return openVhdx(file, vhdxContext({ './parent.vhdx': parent }), { log });
}

for (const name of names) {
  test(`${name}: the virtual disk is what the other tool reads`, async (t) => {
    const facts = await fixtureFacts<VhdxFacts>(`vhdx/${name}`);
    const image = await openFixture(name);
    t.is(image.format, 'vhdx');
    t.is(await sha256(image), facts.sha256);
    if (facts.info === undefined) return;
    t.is(image.size, facts.info['virtual-size']);
    t.is(property(image, 'blockSize'), facts.info['cluster-size']);
  });

  const make = async () => {
    const device = await openFixture(name);
    return { device, expected: await readBytes(device, 0, device.size) };
  };
  deviceConformance(name, make);
  extentsConformance(name, make);
}

test('the fixtures hold what they are named for', async (t) => {
  t.is(names.length, 6);
  const type = async (name: string) => property(await openFixture(name), 'type');
  t.is(await type('fixed.vhdx'), 'fixed');
  t.is(await type('dynamic-8m.vhdx'), 'dynamic');
  t.is(await type('child.vhdx'), 'differencing');
  t.regex(String(property(await openFixture('fixed.vhdx'), 'creator')), /^QEMU v/);
});

test('pending-log.vhdx: 1 log entry is replayed; ignored, the disk is the one before it', async (t) => {
  const facts = await fixtureFacts<VhdxFacts>('vhdx/pending-log.vhdx');
  t.is(property(await openFixture('pending-log.vhdx'), 'log'), '1 log entry replayed in memory');
  t.is(await sha256(await openFixture('pending-log.vhdx', 'ignore')), facts.ignoredSha256!);
  t.not(facts.sha256, facts.ignoredSha256);
});
