import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { openImage, readBytes } from '../../src/core/index.ts';
import { hasTools, temporaryFolder, tool } from '../helpers/tools.ts';
import { compare, mixedContent, qemuIo, randomCommands } from './qcow2-images.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

/** An image whose external data file lies beside it, as `disk.dat`. */
async function makeExternal(folder: string, options: string, size: number, ...more: string[]): Promise<string> {
  const image = path.join(folder, 'image.qcow2');
  const made = `data_file=${path.join(folder, 'disk.dat')},${options}`;
  await tool('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', made, ...more, image, String(size)]);
  return image;
}

for (const [index, clusterSize] of [512, 4 * KIB, 64 * KIB, 2 * MIB].entries()) {
  for (const raw of ['off', 'on']) {
    test(`qemu-img agrees: a data file, raw ${raw}, clusters of ${clusterSize}`, async (t) => {
      if (!hasTools(t, 'qemu-img', 'qemu-io')) return;
      const size = Math.max(2 * MIB, clusterSize * 3) + 37 * 512;
      const image = await makeExternal(temporaryFolder(t), `data_file_raw=${raw},cluster_size=${clusterSize}`, size);
      await qemuIo(image, ['write -P 9 0 700', ...randomCommands(index, size, { zeros: true, count: 24 })]);
      await compare(t, image);
      if (raw === 'on') {
        await using opened = await openImage(image);
        const disk = await readFile(path.join(path.dirname(image), 'disk.dat'));
        t.is(Buffer.compare(await readBytes(opened.container, 0, size), disk.subarray(0, size)), 0);
      }
    });
  }
}

test('qemu-img agrees: a data file over a backing file, with metadata preallocated, with extended L2', async (t) => {
  if (!hasTools(t, 'qemu-img', 'qemu-io')) return;
  const size = 2 * MIB + 37 * 512;
  const folder = temporaryFolder(t);
  await writeFile(path.join(folder, 'base.raw'), mixedContent(MIB + 512, 1));
  const over = await makeExternal(folder, 'cluster_size=4k', size, '-b', 'base.raw', '-F', 'raw');
  await qemuIo(over, randomCommands(41, size, { zeros: true, count: 24 }));
  await compare(t, over, { rawDepth: 1 });
  const preallocated = await makeExternal(temporaryFolder(t), 'preallocation=metadata', size);
  await qemuIo(preallocated, randomCommands(42, size, { zeros: true, count: 12 }));
  await compare(t, preallocated);
  const extended = await makeExternal(temporaryFolder(t), 'extended_l2=on', size);
  await qemuIo(extended, ['write -P 3 0 100', ...randomCommands(43, size, { zeros: true, count: 24 })]);
  await compare(t, extended);
});

test('a data file outside the folder of its image opens only when it is allowed', async (t) => {
  if (!hasTools(t, 'qemu-img')) return;
  const folder = temporaryFolder(t);
  const outside = path.join(temporaryFolder(t), 'disk.dat');
  const image = path.join(folder, 'image.qcow2');
  await tool('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', `data_file=${outside}`, image, '1M']);
  await t.throwsAsync(openImage(image), { message: /data file .*disk.dat at offset 0x[0-9a-f]+: expected a file in/ });
  await using allowed = await openImage(image, { allowReferences: [outside] });
  t.is(allowed.container.size, MIB);
});
