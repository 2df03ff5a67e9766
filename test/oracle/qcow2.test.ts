import { createHash } from 'node:crypto';
import { readFile, stat, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { openImage, readBytes } from '../../src/core/index.ts';
import { seededRandom } from '../conformance/device-conformance.ts';
import { ourRows, type QemuMapEntry, qemuRows } from '../container/qcow2/map-rows.ts';
import { sha256 } from '../helpers/sha256.ts';
import { hasTools, temporaryFolder, tool, toolText } from '../helpers/tools.ts';

/** One case of the matrix: how the image is made, and what is done to it. */
interface Matrix {
  readonly name: string;
  /** Bytes of the disk. */
  readonly size: number;
  /** `-o` of qemu-img create or convert. */
  readonly options: string;
  /** Made by `convert -c` from text, so that its clusters are compressed. */
  readonly compressed?: boolean;
  readonly zeros?: boolean;
}

const KIB = 1024;
const MIB = 1024 * KIB;
const clusterSizes = Array.from({ length: 13 }, (_, index) => 2 ** (index + 9));

/** Random writes at odd offsets (in sectors and bytes), zeros with and without unmapping, and discards. */
function randomCommands(seed: number, size: number, options: { zeros: boolean; count: number }): string[] {
  const random = seededRandom(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  const commands: string[] = [];
  for (let count = 0; count < options.count; count++) {
    const offset = below(size - 1);
    const length = 1 + below(Math.min(size - offset, random() < 0.3 ? 300 * KIB : 9000));
    const pattern = 1 + below(255);
    const kind = random();
    if (!options.zeros || kind < 0.6) commands.push(`write -P ${pattern} ${offset} ${length}`);
    else if (kind < 0.75) commands.push(`write -z ${offset} ${length}`);
    else if (kind < 0.9) commands.push(`write -z -u ${offset} ${length}`);
    else commands.push(`discard ${offset} ${length}`);
  }
  return commands;
}

async function qemuIo(image: string, commands: readonly string[]): Promise<void> {
  if (commands.length === 0) return;
  await tool('qemu-io', ['-f', 'qcow2', ...commands.flatMap((command) => ['-c', command]), image]);
}

const noiseRandom = seededRandom(1);
const noise = Uint8Array.from({ length: 200 * KIB }, () => noiseRandom() * 256);

/** Text, noise and zeros in turn: clusters that compress well, badly and to nothing. */
function mixedContent(size: number, seed: number): Uint8Array {
  const random = seededRandom(seed);
  const content = Buffer.alloc(size);
  for (let at = 0; at < size; ) {
    const length = Math.min(size - at, 1 + Math.floor(random() * 200 * KIB));
    const kind = random();
    const part = content.subarray(at, at + length);
    if (kind < 0.5) part.fill(`line ${Math.floor(random() * 1e6)} of a text that compresses\n`);
    else if (kind < 0.8) part.set(noise.subarray(0, length));
    at += length;
  }
  return content;
}

/** Everything that qemu-img and we must agree on about one image. */
async function compare(t: ExecutionContext, image: string, rawDepth?: number): Promise<void> {
  const folder = path.dirname(image);
  const raw = path.join(folder, 'expected.raw');
  await tool('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', image, raw]);
  const expected = await readFile(raw);
  const before = await stat(image);
  {
    await using opened = await openImage(image);
    const { container } = opened;
    t.is(container.format, 'qcow2');
    t.is(container.size, expected.length);
    t.is(await sha256(container), createHash('sha256').update(expected).digest('hex'));
    const random = seededRandom(expected.length);
    for (let read = 0; read < 60; read++) {
      const offset = Math.floor(random() * expected.length);
      const length = Math.floor(random() ** 3 * (expected.length - offset + 1));
      const bytes = await readBytes(container, offset, length);
      if (Buffer.compare(bytes, expected.subarray(offset, offset + length)) !== 0)
        t.fail(`${length} bytes at ${offset} differ`);
    }
    const map = JSON.parse(await toolText('qemu-img', ['map', '--output=json', image])) as QemuMapEntry[];
    t.deepEqual(await ourRows(container), qemuRows(map, rawDepth));
    const info = JSON.parse(await toolText('qemu-img', ['info', '--output=json', image]));
    const properties = Object.fromEntries(container.properties.map(({ key, value }) => [key, value]));
    t.is(properties['clusterSize'], info['cluster-size']);
    t.is(properties['refcountBits'], info['format-specific'].data['refcount-bits'] ?? 16);
  }
  t.is((await stat(image)).mtimeMs, before.mtimeMs);
}

async function makeImage(folder: string, entry: Matrix, seed: number): Promise<string> {
  const image = path.join(folder, 'image.qcow2');
  if (entry.compressed === true) {
    const source = path.join(folder, 'source.raw');
    await writeFile(source, mixedContent(entry.size, seed));
    await tool('qemu-img', ['convert', '-c', '-f', 'raw', '-O', 'qcow2', '-o', entry.options, source, image]);
  } else {
    await tool('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', entry.options, image, String(entry.size)]);
  }
  const count = entry.compressed === true ? 8 : 24;
  await qemuIo(image, randomCommands(seed, entry.size, { zeros: entry.zeros ?? true, count }));
  return image;
}

const matrix: Matrix[] = [];
for (const clusterSize of clusterSizes) {
  // Small clusters with a small disk, large ones with one of several clusters that does not end with one.
  const size = Math.max(2 * MIB, clusterSize * 3) + 37 * 512;
  const cluster = `cluster_size=${clusterSize}`;
  matrix.push(
    { name: `v3, clusters of ${clusterSize}`, size, options: `compat=1.1,${cluster}` },
    { name: `v2, clusters of ${clusterSize}`, size, options: `compat=0.10,${cluster}`, zeros: false },
    { name: `v3 zlib, clusters of ${clusterSize}`, size, options: `compat=1.1,${cluster}`, compressed: true },
    {
      name: `v3 zstd, clusters of ${clusterSize}`,
      size,
      options: `compression_type=zstd,${cluster}`,
      compressed: true,
    },
  );
}
matrix.push(
  { name: 'v2 zlib', size: 3 * MIB, options: 'compat=0.10', compressed: true, zeros: false },
  {
    name: 'v2 zlib, clusters of 512',
    size: MIB,
    options: 'compat=0.10,cluster_size=512',
    compressed: true,
    zeros: false,
  },
  { name: 'metadata preallocated', size: 5 * MIB + 512, options: 'preallocation=metadata' },
  {
    name: 'metadata preallocated, v2, clusters of 512',
    size: MIB,
    options: 'preallocation=metadata,compat=0.10,cluster_size=512',
    zeros: false,
  },
  { name: 'preallocated with falloc', size: MIB, options: 'preallocation=falloc' },
  { name: 'refcounts of 1 bit', size: MIB, options: 'refcount_bits=1' },
  { name: 'refcounts of 64 bits, lazy', size: MIB, options: 'refcount_bits=64,lazy_refcounts=on' },
  { name: 'one sector', size: 512, options: 'compat=1.1' },
);

for (const [index, entry] of matrix.entries()) {
  test(`qemu-img agrees: ${entry.name}`, async (t) => {
    if (!hasTools(t, 'qemu-img', 'qemu-io')) return;
    await compare(t, await makeImage(temporaryFolder(t), entry, index + 1));
  });
}

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
    await compare(t, files[2]!, base === 'raw' ? 2 : undefined);
  });
}

test('qemu-img amend: an image keeps its bytes from version 2 to 3 and back', async (t) => {
  if (!hasTools(t, 'qemu-img', 'qemu-io')) return;
  const entry = { name: '', size: 2 * MIB, options: 'compat=0.10', zeros: false };
  const image = await makeImage(temporaryFolder(t), entry, 77);
  await compare(t, image);
  await tool('qemu-img', ['amend', '-f', 'qcow2', '-o', 'compat=1.1,lazy_refcounts=on', image]);
  await compare(t, image);
  await qemuIo(image, ['write -z 64k 256k', 'write -z -u 1M 64k']);
  await compare(t, image);
  await tool('qemu-img', ['amend', '-f', 'qcow2', '-o', 'compat=1.1,refcount_bits=1,lazy_refcounts=off', image]);
  await compare(t, image);
  await tool('qemu-img', ['amend', '-f', 'qcow2', '-o', 'refcount_bits=16', image]);
  await tool('qemu-img', ['amend', '-f', 'qcow2', '-o', 'compat=0.10', image]);
  await compare(t, image);
});

test('qemu-img resize and snapshots: grown, shrunk and snapshotted images read as qemu-img reads them', async (t) => {
  if (!hasTools(t, 'qemu-img', 'qemu-io')) return;
  const image = await makeImage(temporaryFolder(t), { name: '', size: 2 * MIB, options: 'cluster_size=512' }, 78);
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
