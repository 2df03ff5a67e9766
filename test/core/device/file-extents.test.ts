import { closeSync, ftruncateSync, openSync, writeFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { FileDevice, leafExtents, openImage } from '../../../src/core/index.ts';
import { sectorscope } from '../../helpers/cli.ts';
import { collect } from '../../helpers/collect.ts';
import { hasTools, temporaryFolder, toolText } from '../../helpers/tools.ts';

const MIB = 1024 * 1024;

/** 8 MiB with data in three places and holes between them and at the end. */
function sparseFile(folder: string): string {
  const file = path.join(folder, 'sparse.raw');
  const descriptor = openSync(file, 'w');
  for (const offset of [0, 2 * MIB, 5 * MIB]) writeSync(descriptor, Buffer.alloc(MIB, 7), 0, MIB, offset);
  ftruncateSync(descriptor, 8 * MIB);
  closeSync(descriptor);
  return file;
}

test('the extents of a sparse file are its data and its holes', async (t) => {
  await using device = await FileDevice.open(sparseFile(temporaryFolder(t)));
  const extents = await collect(device.extents({ start: 0, length: device.size }));
  const kinds = extents.map(({ kind, start, length }) => [kind, start / MIB, length / MIB]);
  const whole = [
    ['data', 0, 1],
    ['zero', 1, 1],
    ['data', 2, 1],
    ['zero', 3, 2],
    ['data', 5, 1],
    ['zero', 6, 2],
  ];
  // A filesystem without SEEK_HOLE tells one run of data, which is right too.
  t.deepEqual(kinds, process.platform === 'win32' || kinds.length === 1 ? [['data', 0, 8]] : whole);
});

test('a part of a sparse file is clipped; nothing of it is nothing', async (t) => {
  await using device = await FileDevice.open(sparseFile(temporaryFolder(t)));
  const ranges = async (start: number, length: number) =>
    (await collect(device.extents({ start, length }))).map((extent) => [extent.start, extent.length]);
  t.deepEqual(await ranges(0, 0), []);
  t.deepEqual(await ranges(8 * MIB, 0), []);
  t.deepEqual(await ranges(100, 50), [[100, 50]]);
  t.deepEqual(await ranges(7 * MIB, 100), [[7 * MIB, 100]]);
  await t.throwsAsync(ranges(8 * MIB, 1), { message: /inside/ });
});

test('what an image’s map says of a sparse raw file is what qemu-img says', async (t) => {
  if (!hasTools(t, 'qemu-img')) return;
  const file = sparseFile(temporaryFolder(t));
  const theirs = JSON.parse(await toolText('qemu-img', ['map', '-f', 'raw', '--output=json', file])) as {
    start: number;
    length: number;
    data: boolean;
  }[];
  await using image = await openImage(file);
  const ours = await collect(leafExtents(image.disk, { start: 0, length: image.disk.size }));
  t.deepEqual(
    ours.map(({ start, length, kind }) => ({ start, length, data: kind === 'data' })),
    theirs.map(({ start, length, data }) => ({ start, length, data })),
  );
});

test('an export of a huge sparse raw file reads its data only', async (t) => {
  const folder = temporaryFolder(t);
  const file = path.join(folder, 'huge.raw');
  const descriptor = openSync(file, 'w');
  writeSync(descriptor, 'the only data', 2 ** 39);
  ftruncateSync(descriptor, 2 ** 40);
  closeSync(descriptor);
  const { code, stderr } = await sectorscope(['export', file, path.join(folder, 'out.raw')]);
  t.is(code, 0, stderr);
  await using device = await FileDevice.open(path.join(folder, 'out.raw'));
  t.is(device.size, 2 ** 40);
  const target = new Uint8Array(13);
  await device.readInto(target, 2 ** 39);
  t.is(Buffer.from(target).toString(), 'the only data');
});

test('a file that is no image of anything has extents too', async (t) => {
  const file = path.join(temporaryFolder(t), 'empty');
  writeFileSync(file, '');
  await using device = await FileDevice.open(file);
  t.deepEqual(await collect(device.extents({ start: 0, length: 0 })), []);
});
