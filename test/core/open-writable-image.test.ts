import { createHash } from 'node:crypto';
import { mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import {
  createImage,
  openImage,
  openWritableImage,
  readBytes,
  rehearseWritableImage,
  type WritableImage,
  type WritableOptions,
} from '../../src/core/index.ts';
import { fixtureFile } from '../helpers/fixtures.ts';
import { temporaryFolder } from '../helpers/tools.ts';

const WRITABLE: WritableOptions = { writable: true };

async function rawImage(t: ExecutionContext, size = 1024 * 1024): Promise<string> {
  const file = path.join(temporaryFolder(t), 'disk.img');
  await createImage(file, { format: 'raw', size });
  return file;
}

test('without the word nothing is opened for writing', async (t) => {
  const file = await rawImage(t);
  for (const options of [{}, { writable: false }, { writable: 1 }] as unknown as WritableOptions[])
    await t.throwsAsync(openWritableImage(file, options), { code: 'DENIED', message: /writable: true/ });
});

test('what is written to a raw disk is in its file, and nothing else is changed', async (t) => {
  const file = await rawImage(t);
  const expected = new Uint8Array(1024 * 1024);
  {
    await using image = await openWritableImage(file, WRITABLE);
    const bytes = new Uint8Array(5000).fill(0x41);
    await image.disk.writeFrom(bytes, 1000);
    expected.fill(0x41, 1000, 6000);
    await image.disk.writeZeros({ start: 2000, length: 100 });
    await image.disk.discard({ start: 3000, length: 100 });
    expected.fill(0, 2000, 2100).fill(0, 3000, 3100);
    t.deepEqual(await readBytes(image.disk, 0, expected.length), expected);
    await t.throwsAsync(image.disk.writeFrom(bytes, image.disk.size - 1), { code: 'OUT_OF_RANGE' });
  }
  t.deepEqual(new Uint8Array(await readFile(file)), expected);
});

test('zeros are not stored where there is a hole', async (t) => {
  const file = await rawImage(t, 64 * 1024 * 1024);
  await using image = await openWritableImage(file, WRITABLE);
  await image.disk.writeZeros({ start: 0, length: image.disk.size });
  const extents = [];
  for await (const extent of image.disk.extents({ start: 0, length: image.disk.size })) extents.push(extent.kind);
  t.deepEqual(extents, ['zero']);
});

for (const name of ['partition/gpt.img', 'qcow2/snapshot.qcow2', 'vhdx/pending-log.vhdx', 'vhdx/fixed.vhdx']) {
  test(`${name}: a rehearsal gives the disk that writing gives, and leaves the file as it was`, async (t) => {
    const [file, copy] = await Promise.all([0, 1].map(() => fixtureFile(name, temporaryFolder(t))));
    const hash = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
    const state = async () => [hash(await readFile(file!)), (await stat(file!)).mtimeMs];
    const before = await state();
    const change = async (image: WritableImage): Promise<Uint8Array> => {
      await image.disk.writeFrom(new Uint8Array(5000).fill(0x41), 100_000);
      await image.disk.discard({ start: 0, length: 65536 });
      await image.disk.resize(image.disk.size + 1024 * 1024);
      await image.disk.writeZeros({ start: image.disk.size - 4096, length: 4096 });
      await image.disk.flush();
      return readBytes(image.disk, 0, image.disk.size);
    };
    await using rehearsed = await rehearseWritableImage(file!);
    await using written = await openWritableImage(copy!, WRITABLE);
    t.is(hash(await change(rehearsed)), hash(await change(written)));
    t.deepEqual(await state(), before);
  });
}

test('a rehearsal knows the file that it stands on', async (t) => {
  const folder = temporaryFolder(t);
  for (const name of ['qcow2/zlib.qcow2', 'vhdx/fixed.vhdx', 'qcow2/chain-base.raw']) {
    const file = await fixtureFile(name, folder);
    await using image = await rehearseWritableImage(file);
    t.true(await image.hasFile(file), name);
    t.false(await image.hasFile(folder), name);
  }
});

test('a rehearsal refuses what cannot be written, as writing would', async (t) => {
  const file = await fixtureFile('qcow2/luks.qcow2', temporaryFolder(t));
  await t.throwsAsync(rehearseWritableImage(file), { code: 'UNSUPPORTED', message: /only read/ });
});

test('a disk is made larger, never smaller', async (t) => {
  const file = await rawImage(t);
  await using image = await openWritableImage(file, WRITABLE);
  await image.disk.resize(1024 * 1024 + 512);
  t.is(image.disk.size, 1024 * 1024 + 512);
  t.deepEqual(await readBytes(image.disk, 1024 * 1024, 512), new Uint8Array(512));
  await t.throwsAsync(image.disk.resize(512), { code: 'OUT_OF_RANGE', message: /only made larger/ });
});

test('a partition is a range of the disk; one that is not there is NOT_FOUND', async (t) => {
  const file = await fixtureFile('partition/gpt.img', temporaryFolder(t));
  await using reading = await openImage(file);
  const { number, start, length } = reading.partitionTable!.partitions[0]!;
  await using image = await openWritableImage(file, WRITABLE);
  t.deepEqual(await image.rangeOf(number), { start, length, sectorSize: 512 });
  t.deepEqual(await image.rangeOf(), { start: 0, length: image.disk.size, sectorSize: 512 });
  await t.throwsAsync(image.rangeOf(99), { code: 'NOT_FOUND', message: /p99/ });
});

test('an image that is open for writing is not opened for writing again', async (t) => {
  if (process.platform !== 'linux') return t.pass('no locks that belong to a descriptor here');
  const file = await rawImage(t);
  {
    await using _first = await openWritableImage(file, WRITABLE);
    await t.throwsAsync(openWritableImage(file, WRITABLE), { code: 'DENIED', message: /no other program/ });
    // Reading goes on.
    await using reading = await openImage(file);
    t.is(reading.disk.size, 1024 * 1024);
  }
  await using again = await openWritableImage(file, WRITABLE);
  t.is(again.disk.size, 1024 * 1024);
});

test('an empty file, one of a foreign format and one with a name for another format are refused unchanged', async (t) => {
  const folder = temporaryFolder(t);
  const file = path.join(folder, 'disk');
  for (const content of ['', 'KDMV and more of a VMDK']) {
    await writeFile(file, content);
    await t.throwsAsync(openWritableImage(file, WRITABLE), { code: content === '' ? 'CORRUPT' : 'UNSUPPORTED' });
    t.is(await readFile(file, 'utf8'), content);
  }
  await t.throwsAsync(openWritableImage(file, { ...WRITABLE, format: 'vdi' }), { code: 'UNSUPPORTED' });
});

test('a new image is whole or not there, and replaces nothing unasked', async (t) => {
  const folder = temporaryFolder(t);
  const at = (name: string) => path.join(folder, name);
  for (const format of ['raw', 'qcow2', 'vhdx'] as const) {
    const size = 8 * 1024 * 1024;
    t.is(await createImage(at(format), { format, size }), size);
    await using image = await openImage(at(format));
    t.is(image.container.format, format);
    t.is(image.disk.size, size);
    await t.throwsAsync(createImage(at(format), { format, size }), { code: 'DENIED' });
    await createImage(at(format), { format, size, overwrite: true });
  }
  await t.throwsAsync(createImage(at('none'), { format: 'qcow2', size: 1024, clusterSize: 1000 }), {
    code: 'OUT_OF_RANGE',
  });
  await t.throwsAsync(createImage(at('none'), { format: 'raw' }), { code: 'OUT_OF_RANGE' });
  await t.throwsAsync(openImage(at('none')), { code: 'NOT_FOUND' });
});

test('a new image over another has its size, and never replaces a file that it stands on', async (t) => {
  const folder = temporaryFolder(t);
  const at = (name: string) => path.join(folder, name);
  await createImage(at('base.raw'), { format: 'raw', size: 3 * 1024 * 1024 });
  const over = (name: string, format: 'raw' | 'qcow2' | 'vhdx') => ({ backing: { name, format } }) as const;
  t.is(await createImage(at('middle.qcow2'), { format: 'qcow2', ...over('base.raw', 'raw') }), 3 * 1024 * 1024);
  await createImage(at('top.qcow2'), { format: 'qcow2', ...over('middle.qcow2', 'qcow2') });
  await using top = await openImage(at('top.qcow2'));
  t.deepEqual(
    top.layers.map(({ name }) => path.basename(name)),
    ['top.qcow2', 'middle.qcow2', 'base.raw'],
  );
  await createImage(at('odd.raw'), { format: 'raw', size: 1000 });
  t.is(await createImage(at('odd.qcow2'), { format: 'qcow2', ...over('odd.raw', 'raw') }), 1024);
  const overwrite = true;
  for (const name of ['base.raw', 'middle.qcow2'])
    await t.throwsAsync(createImage(at(name), { format: 'qcow2', overwrite, ...over('middle.qcow2', 'qcow2') }), {
      code: 'DENIED',
    });
  await createImage(at('parent.vhdx'), { format: 'vhdx', size: 5 * 1024 * 1024 });
  await createImage(at('child.vhdx'), { format: 'vhdx', ...over('parent.vhdx', 'vhdx') });
  await using child = await openImage(at('child.vhdx'));
  t.is(child.disk.size, 5 * 1024 * 1024);
  t.is(child.layers.length, 2);
  await t.throwsAsync(createImage(at('no.vhdx'), { format: 'vhdx', ...over('base.raw', 'raw') }), {
    code: 'UNSUPPORTED',
  });
  await t.throwsAsync(createImage(at('no.raw'), { format: 'raw', ...over('base.raw', 'raw') }), {
    code: 'UNSUPPORTED',
  });
});

test('no new image is made that could not be opened over its backing file', async (t) => {
  const folder = temporaryFolder(t);
  const at = (name: string) => path.join(folder, name);
  const size = 1024 * 1024;
  const over = (name: string, format: 'qcow2' | 'vhdx') => ({ format, backing: { name, format } }) as const;
  await createImage(at('large.vhdx'), { format: 'vhdx', size, logicalSectorSize: 4096 });
  const mixed = { ...over('large.vhdx', 'vhdx'), logicalSectorSize: 512 } as const;
  await t.throwsAsync(createImage(at('mixed.vhdx'), mixed), { code: 'UNSUPPORTED', message: /4096 bytes, found 512/ });
  if (process.platform === 'win32') return;
  for (const format of ['qcow2', 'vhdx'] as const) await createImage(at(`a:b.${format}`), { format, size });
  await t.throwsAsync(createImage(at('no.qcow2'), over('a:b.qcow2', 'qcow2')), { code: 'UNSUPPORTED' });
  for (const [name, backing] of [
    ['top.qcow2', over('./a:b.qcow2', 'qcow2')],
    ['top.vhdx', over('a:b.vhdx', 'vhdx')],
  ] as const) {
    await createImage(at(name), backing);
    await using top = await openImage(at(name));
    t.is(top.layers.length, 2, name);
  }
  await createImage(at('a\\b.vhdx'), { format: 'vhdx', size });
  await t.throwsAsync(createImage(at('no.vhdx'), over('a\\b.vhdx', 'vhdx')), {
    code: 'UNSUPPORTED',
    message: /backslash/,
  });
  for (const name of ['mixed.vhdx', 'no.qcow2', 'no.vhdx'])
    await t.throwsAsync(openImage(at(name)), { code: 'NOT_FOUND' });
});

test('a backing file is found from where the folder of the new image really is', async (t) => {
  if (process.platform === 'win32') return;
  const folder = temporaryFolder(t);
  const at = (...names: string[]) => path.join(folder, ...names);
  await mkdir(at('real', 'sub'), { recursive: true });
  await symlink(at('real', 'sub'), at('link'));
  for (const format of ['qcow2', 'vhdx'] as const) {
    await createImage(at(`base.${format}`), { format, size: 1024 * 1024 });
    await createImage(at('real', `base.${format}`), { format, size: 3 * 1024 * 1024 });
    const backing = { name: `../base.${format}`, format };
    t.is(await createImage(at('link', `top.${format}`), { format, backing }), 3 * 1024 * 1024);
    await using top = await openImage(at('link', `top.${format}`), { allowReferences: [folder] });
    t.is(top.layers.length, 2, format);
  }
});
