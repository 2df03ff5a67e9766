import { createHash } from 'node:crypto';
import { closeSync, ftruncateSync, openSync, renameSync, rmSync, statSync, truncateSync, writeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import {
  type ConvertOptions,
  convertImage,
  differences,
  FileDevice,
  MemoryDevice,
  openImage,
  readBytes,
} from '../../src/core/index.ts';
import { seededRandom } from '../conformance/device-conformance.ts';
import { collect } from '../helpers/collect.ts';
import { hasTools, temporaryFolder, tool } from '../helpers/tools.ts';
import { mixedContent, qemuIo, randomCommands } from './qcow2-images.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

/** A sparse raw file: each piece of content at its offset. */
function rawFile(folder: string, size: number, pieces: Iterable<readonly [number, Uint8Array]>): string {
  const file = path.join(folder, 'source.raw');
  const descriptor = openSync(file, 'w');
  ftruncateSync(descriptor, size);
  for (const [offset, bytes] of pieces) writeSync(descriptor, bytes, 0, bytes.length, offset);
  closeSync(descriptor);
  return file;
}

function noise(length: number, seed: number): Uint8Array {
  const random = seededRandom(seed);
  return Uint8Array.from({ length }, () => random() * 256);
}

/** Converts, and asks qemu-img whether the image is sound and the same; of a large disk only in the whole MiB named. */
async function convertAndCheck(
  t: ExecutionContext,
  source: string,
  options: ConvertOptions,
  mebibytes?: readonly number[],
) {
  const out = `${source}.${options.format}`;
  rmSync(out, { force: true });
  {
    await using device = await FileDevice.open(source);
    await convertImage(device, out, options);
  }
  if (options.format !== 'raw') await tool('qemu-img', ['check', '-f', options.format, out]);
  if (mebibytes === undefined) await tool('qemu-img', ['compare', '-f', 'raw', '-F', options.format, source, out]);
  for (const mebibyte of mebibytes ?? []) {
    const part = `${out}.part`;
    const range = ['bs=1M', `skip=${mebibyte}`, `count=${mebibyte + 1}`];
    await tool('qemu-img', ['dd', '-f', options.format, '-O', 'raw', ...range, `if=${out}`, `of=${part}`]);
    await using device = await FileDevice.open(source);
    const length = Math.min(MIB, device.size - mebibyte * MIB);
    const bytes = await readBytes(device, mebibyte * MIB, length);
    t.is(Buffer.compare(await readFile(part), bytes), 0, `the MiB at ${mebibyte} MiB`);
  }
  t.pass();
  return out;
}

for (const clusterSize of Array.from({ length: 13 }, (_, index) => 2 ** (index + 9))) {
  test(`qcow2 with clusters of ${clusterSize}: qemu-img finds it sound and the same`, async (t) => {
    if (!hasTools(t, 'qemu-img')) return;
    const folder = temporaryFolder(t);
    const size = Math.max(640 * KIB, clusterSize * 3) + 37 * 512 + 100;
    const source = rawFile(folder, size, [[0, mixedContent(size, clusterSize)]]);
    for (const compression of [undefined, 'zlib', 'zstd'] as const)
      await convertAndCheck(t, source, { format: 'qcow2', clusterSize, compression });
  });
}

test('disks of one sector, of a byte, of zeros, of noise, and with holes', async (t) => {
  if (!hasTools(t, 'qemu-img')) return;
  const folder = temporaryFolder(t);
  const sources: [number, [number, Uint8Array][]][] = [
    [512, [[0, noise(512, 1)]]],
    [1, [[0, noise(1, 2)]]],
    [5 * MIB, []],
    [700 * KIB + 1, [[0, noise(700 * KIB + 1, 3)]]],
    [
      300 * MIB,
      [
        [0, noise(10, 4)],
        [100 * MIB - 3, mixedContent(300 * KIB, 5)],
        [300 * MIB - 1, noise(1, 6)],
      ],
    ],
  ];
  for (const [size, pieces] of sources) {
    const source = rawFile(folder, size, pieces);
    for (const options of [
      { format: 'raw' },
      { format: 'qcow2' },
      { format: 'qcow2', compression: 'zlib' },
      { format: 'qcow2', compression: 'zstd' },
      { format: 'vhdx' },
    ] as const) {
      const out = await convertAndCheck(t, source, options);
      // What is zero takes no room, whatever the size of the disk.
      const stored = statSync(out).blocks * 512;
      t.true(stored < 4.5 * MIB, `${options.format} of ${size} bytes takes ${stored}`);
    }
  }
});

test('clusters that repeat at a distance are read by QEMU', async (t) => {
  if (!hasTools(t, 'qemu-img')) return;
  const folder = temporaryFolder(t);
  const block = Buffer.concat([noise(7000, 17), Buffer.alloc(1000, 'text ')]);
  const source = rawFile(folder, MIB, [[0, Buffer.concat(Array.from({ length: 100 }, () => block))]]);
  for (const clusterSize of [65536, 2 * MIB])
    for (const compression of ['zlib', 'zstd'] as const)
      await convertAndCheck(t, source, { format: 'qcow2', clusterSize, compression });
});

test('behind the end of the disk are zeros, which a larger disk then has', async (t) => {
  if (!hasTools(t, 'qemu-img')) return;
  const folder = temporaryFolder(t);
  const size = 9 * MIB + 100;
  const source = rawFile(folder, size, [[0, noise(size, 18)]]);
  for (const options of [{ format: 'qcow2' }, { format: 'qcow2', compression: 'zlib', clusterSize: MIB }] as const) {
    truncateSync(source, size);
    const out = await convertAndCheck(t, source, options);
    await tool('qemu-img', ['resize', '-q', '-f', options.format, out, String(12 * MIB)]);
    truncateSync(source, 12 * MIB);
    await tool('qemu-img', ['compare', '-f', 'raw', '-F', options.format, source, out]);
  }
});

test('tables and counts that fill and are written on the way', async (t) => {
  if (!hasTools(t, 'qemu-img')) return;
  const folder = temporaryFolder(t);
  const text = Buffer.from('a text that compresses. '.repeat(20)).subarray(0, 400);
  // One cluster for each L2 table, in more tables than wait for each other; then more clusters than one refcount block counts.
  const pieces = function* () {
    for (let offset = 0; offset < 70 * MIB; offset += 32 * KIB) yield [offset, text] as const;
    yield [70 * MIB, mixedContent(3 * MIB, 7)] as const;
  };
  const source = rawFile(folder, 140 * MIB, pieces());
  for (const compression of [undefined, 'zlib', 'zstd'] as const)
    await convertAndCheck(t, source, { format: 'qcow2', clusterSize: 512, compression });
  await convertAndCheck(t, source, { format: 'qcow2', clusterSize: 4096, compression: 'zlib' });
});

test('a disk whose mapping needs larger clusters is refused, one at the limit is not', async (t) => {
  if (!hasTools(t, 'qemu-img')) return;
  const folder = temporaryFolder(t);
  const source = rawFile(folder, 128 * GIB, [[127 * GIB, noise(700, 8)]]);
  await convertAndCheck(t, source, { format: 'qcow2', clusterSize: 512 }, [0, 127 * 1024, 127 * 1024 + 1]);
  const larger = rawFile(folder, 128 * GIB + 512, [[128 * GIB, noise(512, 14)]]);
  await t.throwsAsync(convertAndCheck(t, larger, { format: 'qcow2', clusterSize: 512 }), { code: 'OUT_OF_RANGE' });
  await convertAndCheck(t, larger, { format: 'qcow2', clusterSize: 1024 }, [128 * 1024 - 1, 128 * 1024]);
});

test('vhdx of several block sizes, and over more than one chunk', async (t) => {
  if (!hasTools(t, 'qemu-img')) return;
  const folder = temporaryFolder(t);
  for (const [blockSize, size, mebibytes] of [
    [MIB, 9 * MIB + 512, undefined],
    [32 * MIB, 70 * MIB, undefined],
    [64 * MIB, 9 * GIB + 8 * MIB, [0, 1, 2, 3, 4095, 4096, 8192, 8193, 9 * 1024 + 4, 9 * 1024 + 7]],
  ] as const) {
    const source = rawFile(folder, size, [
      [0, mixedContent(MIB, blockSize)],
      [3 * MIB - 5, noise(10, 9)],
      ...(size > GIB
        ? ([
            [4 * GIB - 5, noise(10, 12)],
            [8 * GIB + 5, noise(MIB, 13)],
          ] as const)
        : []),
      [size - 4 * MIB, mixedContent(2 * MIB, 10)],
      [size - 1, noise(1, 11)],
    ]);
    await convertAndCheck(t, source, { format: 'vhdx', blockSize }, mebibytes);
  }
});

test('what qemu-io writes to a converted image is written, and the image stays sound', async (t) => {
  if (!hasTools(t, 'qemu-img', 'qemu-io')) return;
  const folder = temporaryFolder(t);
  const size = 3 * MIB + 512;
  const source = rawFile(folder, size, [[0, mixedContent(2 * MIB, 15)]]);
  const targets = [
    { format: 'qcow2', clusterSize: 4096 },
    { format: 'qcow2', compression: 'zlib' },
    { format: 'qcow2', compression: 'zstd' },
    { format: 'vhdx', blockSize: MIB },
  ] as const;
  const images: [string, string][] = [];
  for (const [index, options] of targets.entries()) {
    const image = path.join(folder, String(index));
    renameSync(await convertAndCheck(t, source, options), image);
    images.push([options.format, image]);
  }
  // What a discard leaves is each format's own business.
  const commands = randomCommands(16, size, { zeros: true, count: 12 }).filter((command) => !command.startsWith('d'));
  const writes = commands.flatMap((command) => ['-c', command]);
  await tool('qemu-io', ['-f', 'raw', ...writes, source]);
  for (const [format, image] of images) {
    await tool('qemu-io', ['-f', format, ...writes, image]);
    await tool('qemu-img', ['check', '-f', format, image]);
    await tool('qemu-img', ['compare', '-f', 'raw', '-F', format, source, image]);
  }
  t.pass();
});

test('a compressed image is hardly larger than the one that qemu-img makes', async (t) => {
  if (!hasTools(t, 'qemu-img')) return;
  const folder = temporaryFolder(t);
  const source = rawFile(folder, 6 * MIB, [[0, mixedContent(6 * MIB, 12)]]);
  for (const compression of ['zlib', 'zstd'] as const) {
    const ours = statSync(await convertAndCheck(t, source, { format: 'qcow2', compression })).size;
    const peer = path.join(folder, 'peer.qcow2');
    const option = `compression_type=${compression}`;
    await tool('qemu-img', ['convert', '-c', '-f', 'raw', '-O', 'qcow2', '-o', option, source, peer]);
    t.true(ours <= statSync(peer).size * 1.04 + 4 * 65536, `${ours} and ${statSync(peer).size}`);
  }
});

/** What qemu-img reads of an image. */
async function rawBytes(image: string): Promise<Uint8Array> {
  const raw = `${image}.raw`;
  await tool('qemu-img', ['convert', '-O', 'raw', image, raw]);
  return readFile(raw);
}

test('a chain is flattened, and diff finds between overlays what differs by what qemu-img reads', async (t) => {
  if (!hasTools(t, 'qemu-img', 'qemu-io')) return;
  for (const [seed, compressed] of [
    [1, false],
    [2, true],
  ] as const) {
    const folder = temporaryFolder(t);
    const size = 3 * MIB + 512;
    const source = rawFile(folder, size, [[0, mixedContent(size, seed)]]);
    const base = path.join(folder, 'base.qcow2');
    await tool('qemu-img', ['convert', ...(compressed ? ['-c'] : []), '-f', 'raw', '-O', 'qcow2', source, base]);
    const overlays = ['left.qcow2', 'right.qcow2'].map((name) => path.join(folder, name));
    for (const [index, overlay] of overlays.entries()) {
      const backing = ['-b', base, '-F', 'qcow2'];
      await tool('qemu-img', ['create', '-q', '-f', 'qcow2', ...backing, overlay, String(size + index * 64 * KIB)]);
      await qemuIo(overlay, randomCommands(seed + index, size, { zeros: true, count: 5 }));
    }
    const [left, right] = overlays as [string, string];
    const [leftBytes, rightBytes] = [await rawBytes(left), await rawBytes(right)];
    await using one = await openImage(left);
    await using other = await openImage(right);
    const expected = await collect(differences(new MemoryDevice(leftBytes), new MemoryDevice(rightBytes)));
    t.true(expected.length > 2);
    t.deepEqual(await collect(differences(one.disk, other.disk)), expected);
    t.deepEqual(await collect(differences(one.disk, one.disk)), []);
    const flat = path.join(folder, 'flat.qcow2');
    await convertImage(one.disk, flat, { format: 'qcow2', compression: 'zstd', verify: true });
    await tool('qemu-img', ['compare', left, flat]);
    await using opened = await openImage(flat);
    t.is(opened.container.backing, undefined);
    const hash = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
    t.is(hash(await rawBytes(flat)), hash(leftBytes));
  }
});

test('diff says of a pair what qemu-img compare says', async (t) => {
  if (!hasTools(t, 'qemu-img')) return;
  const folder = temporaryFolder(t);
  const random = seededRandom(20);
  const content = mixedContent(600 * KIB, 21);
  for (let round = 0; round < 12; round++) {
    const sizes = [content.length, content.length + 512 * Math.floor(random() * 3)];
    const files = sizes.map((size, index) => {
      const bytes = Buffer.alloc(size);
      bytes.set(content);
      if (index === 1 && round % 2 === 0) bytes.fill(1, Math.floor(random() * size));
      const file = path.join(folder, `${index}.raw`);
      const descriptor = openSync(file, 'w');
      writeSync(descriptor, bytes);
      closeSync(descriptor);
      return file;
    }) as [string, string];
    const verdict = await tool('qemu-img', ['compare', '-f', 'raw', '-F', 'raw', ...files]).then(
      () => 0,
      ({ code }) => code,
    );
    await using one = await FileDevice.open(files[0]);
    await using other = await FileDevice.open(files[1]);
    t.is((await collect(differences(one, other))).length === 0 ? 0 : 1, verdict, `round ${round}`);
  }
});
