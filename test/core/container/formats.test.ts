import path from 'node:path';
import test from 'ava';
import { openContainer } from '../../../src/core/container/formats.ts';
import { type ContainerOptions, DiskError, FileDevice, MemoryDevice } from '../../../src/core/index.ts';
import { deviceConformance, seededRandom } from '../../conformance/device-conformance.ts';
import { extentsConformance } from '../../conformance/extents-conformance.ts';
import { testContext } from '../../helpers/context.ts';
import { FaultyDevice, isInjectedFault } from '../../helpers/devices.ts';
import { fixtureBytes } from '../../helpers/fixtures.ts';
import { hasTools, temporaryFolder, tool } from '../../helpers/tools.ts';

const random = seededRandom(9);
const bytes = Uint8Array.from({ length: 100_003 }, () => random() * 256);
const makeRaw = async () => ({
  device: await openContainer(new MemoryDevice(bytes, 4096), testContext()),
  expected: bytes,
});

deviceConformance('raw', makeRaw);
extentsConformance('raw', makeRaw);

test('what has no magic is raw, the empty file too', async (t) => {
  for (const size of [0, 1, 3, 4, 63, 64, 512]) {
    const container = await openContainer(new MemoryDevice(new Uint8Array(size)), testContext());
    t.is(container.format, 'raw');
    t.is(container.size, size);
  }
  t.is((await makeRaw()).device.sectorSize, 4096, 'the sector size is the device’s');
});

test('a format asked for is used, whatever the magic says; an unknown one is UNSUPPORTED', async (t) => {
  const device = new MemoryDevice(Buffer.from('QFI\xfb and no more', 'latin1'));
  t.is((await openContainer(device, testContext(), 'raw')).format, 'raw');
  const error = await t.throwsAsync(openContainer(device, testContext(), 'floppy'), { instanceOf: DiskError });
  t.is(error?.code, 'UNSUPPORTED');
  t.is(error?.found, 'floppy');
  const notQcow2 = openContainer(new MemoryDevice(bytes), testContext(), 'qcow2');
  t.is((await t.throwsAsync(notQcow2, { instanceOf: DiskError }))?.code, 'CORRUPT');
});

test('a fixed VHD is told by its last sector, unless the image has a magic of its own', async (t) => {
  if (!hasTools(t, 'qemu-img')) return;
  const file = path.join(temporaryFolder(t), 'fixed.vhd');
  await tool('qemu-img', ['create', '-q', '-f', 'vpc', '-o', 'subformat=fixed,force_size=on', file, '4M']);
  await using device = await FileDevice.open(file);
  const error = await t.throwsAsync(openContainer(device, testContext()), { instanceOf: DiskError });
  t.like(error, { code: 'UNSUPPORTED', offset: device.size - 512 });
  t.regex(error?.found ?? '', /^VHD of fixed size/);
  t.is((await openContainer(device, testContext(), 'raw')).size, device.size);
  const qcow2 = await fixtureBytes('qcow2/v3-64k.qcow2');
  const ends = new Uint8Array(qcow2.length + 512);
  ends.set(qcow2);
  ends.set(Buffer.from('conectix'), qcow2.length);
  t.is((await openContainer(new MemoryDevice(ends), testContext())).format, 'qcow2');
});

test('the images of other formats, as qemu-img makes them, are refused by name and open as raw on request', async (t) => {
  if (!hasTools(t, 'qemu-img')) return;
  const folder = temporaryFolder(t);
  for (const [format, name] of [
    ['vpc', /^VHD/],
    ['vmdk', /^VMDK/],
    ['vdi', /^VDI/],
    ['qed', /^QED/],
    ['parallels', /^Parallels/],
    // QCOW version 1 has the magic of version 2 and 3.
    ['qcow', /^1$/],
  ] as const) {
    const file = path.join(folder, `image.${format}`);
    await tool('qemu-img', ['create', '-q', '-f', format, file, '4M']);
    await using device = await FileDevice.open(file);
    const error = await t.throwsAsync(openContainer(device, testContext()), { instanceOf: DiskError }, format);
    t.is(error?.code, 'UNSUPPORTED');
    t.regex(error?.found ?? '', name);
    t.is((await openContainer(device, testContext(), 'raw')).size, device.size);
  }
});

test('options that a format does not have are refused by name, defaults are not', async (t) => {
  const raw = new MemoryDevice(bytes);
  const refusal = async (options: ContainerOptions, device = raw) =>
    (await t.throwsAsync(openContainer(device, testContext(), undefined, options), { instanceOf: DiskError }))!;
  const snapshot = await refusal({ snapshot: 'monday' });
  t.is(snapshot.code, 'NOT_FOUND');
  t.is(snapshot.structure, 'raw');
  t.is(snapshot.found, 'monday');
  const secret = await refusal({ passphrase: 'swordfish' });
  t.is(secret.code, 'UNSUPPORTED');
  t.notRegex(secret.message, /swordfish/);
  t.is((await refusal({ unmapped: 'raw' })).found, 'unmapped');
  const qcow2 = new MemoryDevice(await fixtureBytes('qcow2/v3-64k.qcow2'));
  t.is((await refusal({ unmapped: 'raw' }, qcow2)).structure, 'qcow2');
  // A log may be that of a filesystem inside.
  for (const log of ['replay', 'ignore'] as const) {
    const none: ContainerOptions = { snapshot: undefined, passphrase: undefined, log, unmapped: 'zeros' };
    for (const device of [raw, qcow2]) await t.notThrowsAsync(openContainer(device, testContext(), undefined, none));
  }
});

test('a fault while probing comes through', async (t) => {
  for (let failAt = 0; failAt < 2; failAt++) {
    const error = await t.throwsAsync(openContainer(new FaultyDevice(new MemoryDevice(bytes), failAt), testContext()), {
      any: true,
    });
    t.true(isInjectedFault(error));
  }
});
