import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { hasTools, temporaryFolder, tool } from '../helpers/tools.ts';
import { compare, makeImage, mixedContent, qemuIo, randomCommands } from './qcow2-images.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

for (let bits = 14; bits <= 21; bits++) {
  const clusterSize = 2 ** bits;
  const size = Math.max(2 * MIB, clusterSize * 3) + 37 * 512;
  const options = `extended_l2=on,cluster_size=${clusterSize}`;

  test(`qemu-img agrees: extended L2, clusters of ${clusterSize}`, async (t) => {
    if (!hasTools(t, 'qemu-img', 'qemu-io')) return;
    await compare(t, await makeImage(temporaryFolder(t), { size, options }, bits));
  });

  test(`qemu-img agrees: extended L2, compressed, clusters of ${clusterSize}`, async (t) => {
    if (!hasTools(t, 'qemu-img', 'qemu-io')) return;
    const type = bits % 2 === 0 ? 'zlib' : 'zstd';
    const recipe = { size, options: `${options},compression_type=${type}`, compressed: true };
    await compare(t, await makeImage(temporaryFolder(t), recipe, 100 + bits));
  });

  test(`qemu-img agrees: extended L2 over a backing file that is ${bits % 2 === 0 ? 'shorter' : 'longer'}, clusters of ${clusterSize}`, async (t) => {
    if (!hasTools(t, 'qemu-img', 'qemu-io')) return;
    const folder = temporaryFolder(t);
    const base = path.join(folder, 'base.raw');
    await writeFile(base, mixedContent(bits % 2 === 0 ? size - 300 * KIB - 512 : size + 100 * KIB, bits));
    const top = path.join(folder, 'top.qcow2');
    const backing = ['-b', 'base.raw', '-F', 'raw'];
    await tool('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', options, ...backing, top, String(size)]);
    await qemuIo(top, randomCommands(200 + bits, size, { zeros: true, count: 24 }));
    await compare(t, top, { rawDepth: 1 });
  });
}

test('qemu-img agrees: extended L2 with metadata preallocated, and a disk of many L2 tables', async (t) => {
  if (!hasTools(t, 'qemu-img', 'qemu-io')) return;
  const preallocated = { size: 3 * MIB + 512, options: 'extended_l2=on,preallocation=metadata' };
  await compare(t, await makeImage(temporaryFolder(t), preallocated, 301));
  const many = await makeImage(temporaryFolder(t), { size: 40 * MIB, options: 'extended_l2=on,cluster_size=16k' }, 302);
  // Runs that cross from one table (16 MiB) to the next, and from a table to none.
  await qemuIo(many, ['write -P 7 15M 3M', 'write -z 31M 2M', 'discard 16M 100k']);
  await compare(t, many);
});
