import { readFile, stat, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { openImage, readBytes } from '../../src/core/index.ts';
import { ourRows, type QemuMapEntry, qemuRows } from '../core/container/qcow2/map-rows.ts';
import { hasTools, temporaryFolder, tool, toolText } from '../helpers/tools.ts';
import { compare, makeImage, mixedContent, qemuIo, randomCommands } from './qcow2-images.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
test('qemu-img agrees on the map of a sparse 1 TiB image with a few clusters, in milliseconds', async (t) => {
  if (!hasTools(t, 'qemu-img', 'qemu-io')) return;
  const image = path.join(temporaryFolder(t), 'sparse.qcow2');
  const tib = 2 ** 40;
  await tool('qemu-img', ['create', '-q', '-f', 'qcow2', image, '1T']);
  await qemuIo(image, ['write -P 1 0 1M', 'write -P 2 500G 3', `write -P 3 ${tib - 1} 1`]);
  await using opened = await openImage(image);
  const begin = performance.now();
  const rows = await ourRows(opened.container);
  t.true(performance.now() - begin < 500);
  const map = JSON.parse(await toolText('qemu-img', ['map', '--output=json', image])) as QemuMapEntry[];
  t.deepEqual(rows, qemuRows(map));
  t.deepEqual([...(await readBytes(opened.container, tib - 2, 2))], [0, 3]);
});

const chains = [
  { name: 'qcow2 on qcow2 on raw, each longer', sizes: [1 * MIB + 512, 2 * MIB, 3 * MIB], base: 'raw' },
  { name: 'qcow2 on qcow2 on raw, each shorter', sizes: [3 * MIB, 2 * MIB + 1024, 1 * MIB - 512], base: 'raw' },
  { name: 'three qcow2, the middle shortest', sizes: [3 * MIB, 1 * MIB + 7 * 512, 2 * MIB], base: 'qcow2' },
  { name: 'three qcow2, the middle longest', sizes: [1 * MIB, 3 * MIB, 2 * MIB + 512], base: 'qcow2' },
] as const;

for (const [index, { name, sizes, base }] of chains.entries()) {
  test(`qemu-img agrees: a chain, ${name}`, async (t) => {
    if (!hasTools(t, 'qemu-img', 'qemu-io')) return;
    const folder = temporaryFolder(t);
    const files = [`base.${base}`, 'middle.qcow2', 'top.qcow2'].map((file) => path.join(folder, file));
    if (base === 'raw') await writeFile(files[0]!, mixedContent(sizes[0], index));
    else {
      const source = path.join(folder, 'source.raw');
      await writeFile(source, mixedContent(sizes[0], index));
      await tool('qemu-img', ['convert', '-c', '-f', 'raw', '-O', 'qcow2', source, files[0]!]);
    }
    for (const [level, clusterSize] of [
      [1, 4 * KIB],
      [2, 64 * KIB],
    ] as const) {
      const backing = ['-b', path.basename(files[level - 1]!), '-F', level === 1 ? base : 'qcow2'];
      const options = ['-o', `cluster_size=${clusterSize}`];
      await tool('qemu-img', [
        'create',
        '-q',
        '-f',
        'qcow2',
        ...options,
        ...backing,
        files[level]!,
        String(sizes[level]),
      ]);
      await qemuIo(files[level]!, randomCommands(index * 10 + level, sizes[level]!, { zeros: true, count: 10 }));
    }
    await compare(t, files[2]!, { rawDepth: base === 'raw' ? 2 : undefined });
  });
}

test('qemu-img amend: an image keeps its bytes from version 2 to 3 and back', async (t) => {
  if (!hasTools(t, 'qemu-img', 'qemu-io')) return;
  const entry = { size: 2 * MIB, options: 'compat=0.10', zeros: false };
  const image = await makeImage(temporaryFolder(t), entry, 77);
  await compare(t, image);
  await tool('qemu-img', ['amend', '-f', 'qcow2', '-o', 'compat=1.1,lazy_refcounts=on', image]);
  await compare(t, image);
  await qemuIo(image, ['write -z 64k 256k', 'write -z -u 1M 64k']);
  await compare(t, image);
  await tool('qemu-img', ['amend', '-f', 'qcow2', '-o', 'lazy_refcounts=off', image]);
  await tool('qemu-img', ['amend', '-f', 'qcow2', '-o', 'compat=0.10', image]);
  await compare(t, image);
});

test('qemu-img resize and snapshots: grown, shrunk and snapshotted images read as qemu-img reads them', async (t) => {
  if (!hasTools(t, 'qemu-img', 'qemu-io')) return;
  const image = await makeImage(temporaryFolder(t), { size: 2 * MIB, options: 'cluster_size=512' }, 78);
  await tool('qemu-img', ['snapshot', '-c', 'first', image]);
  await qemuIo(image, randomCommands(79, 2 * MIB, { zeros: true, count: 20 }));
  await compare(t, image);
  await tool('qemu-img', ['snapshot', '-d', 'first', image]);
  await tool('qemu-img', ['resize', '-q', image, '70M']);
  await qemuIo(image, ['write -P 9 69M 100k']);
  await compare(t, image);
  await tool('qemu-img', ['resize', '-q', '--shrink', image, '1000k']);
  await compare(t, image);
});

test('a file cut inside its last cluster reads as qemu-img reads it', async (t) => {
  if (!hasTools(t, 'qemu-img', 'qemu-io')) return;
  const folder = temporaryFolder(t);
  const image = path.join(folder, 'cut.qcow2');
  await tool('qemu-img', ['create', '-q', '-f', 'qcow2', image, '1M']);
  await qemuIo(image, ['write -P 7 0 192k']);
  const { size } = await stat(image);
  await truncate(image, size - 30_000);
  await tool('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', image, path.join(folder, 'cut.raw')]);
  const expected = await readFile(path.join(folder, 'cut.raw'));
  await using opened = await openImage(image);
  t.is(Buffer.compare(await readBytes(opened.container, 0, opened.container.size), expected), 0);
  t.is(opened.diagnostics.length, 1);
});
