import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { type CreateOptions, createQcow2 } from '../../src/core/container/qcow2/write/create.ts';
import { MemoryDevice } from '../../src/core/index.ts';
import { hasTools, temporaryFolder, tool, toolText } from '../helpers/tools.ts';

const MIB = 1024 * 1024;

const recipes: readonly (CreateOptions & { readonly options: string })[] = [
  { virtualSize: 64 * MIB, options: 'cluster_size=64k' },
  { virtualSize: 0, options: 'cluster_size=64k' },
  { virtualSize: 3 * MIB + 512, clusterSize: 512, refcountBits: 64, options: 'cluster_size=512,refcount_bits=64' },
  { virtualSize: 70 * MIB, clusterSize: 512, refcountBits: 1, options: 'cluster_size=512,refcount_bits=1' },
  { virtualSize: MIB, clusterSize: 8192, compressionType: 'zstd', options: 'cluster_size=8k,compression_type=zstd' },
  { virtualSize: MIB, clusterSize: 2 * MIB, refcountBits: 8, options: 'cluster_size=2M,refcount_bits=8' },
  { virtualSize: 2 ** 40, version: 2, options: 'compat=0.10' },
  { virtualSize: 9 * MIB, backing: { name: 'base.raw', format: 'raw' }, options: 'cluster_size=64k' },
  { virtualSize: 9 * MIB, clusterSize: 512, backing: { name: 'base.raw', format: 'raw' }, options: 'cluster_size=512' },
  { virtualSize: 9 * MIB, version: 2, backing: { name: 'base.raw', format: 'raw' }, options: 'compat=0.10' },
];

for (const { options, ...recipe } of recipes) {
  const name = `${options}, ${recipe.virtualSize} bytes${recipe.backing === undefined ? '' : ', backing file'}`;
  test(`create: header as qemu-img writes it, and qemu-img check is clean: ${name}`, async (t) => {
    if (!hasTools(t, 'qemu-img')) return;
    const folder = temporaryFolder(t);
    const image = path.join(folder, 'ours.qcow2');
    const theirs = path.join(folder, 'theirs.qcow2');
    await writeFile(path.join(folder, 'base.raw'), new Uint8Array(MIB));
    const backing = recipe.backing === undefined ? [] : ['-b', recipe.backing.name, '-F', recipe.backing.format];
    const size = String(recipe.virtualSize);
    await tool('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', options, ...backing, theirs, size]);
    const device = new MemoryDevice(new Uint8Array(3 * MIB).fill(0x5a));
    await createQcow2(device, recipe);
    await writeFile(image, device.bytes);
    t.regex(await toolText('qemu-img', ['check', image]), /^No errors were found/);
    const raw = path.join(folder, 'ours.raw');
    if (recipe.virtualSize < 100 * MIB) {
      await tool('qemu-img', ['convert', '-O', 'raw', image, raw]);
      t.is(Buffer.compare(await readFile(raw), new Uint8Array(recipe.virtualSize)), 0);
    }
    // Where the tables lie is each one's own choice.
    const places = (bytes: Buffer) => bytes.fill(0, 40, 60);
    const cluster = recipe.clusterSize ?? 65536;
    const expected = places((await readFile(theirs)).subarray(0, cluster));
    t.is(Buffer.compare(places(Buffer.from(device.bytes.subarray(0, cluster))), expected), 0);
  });
}
