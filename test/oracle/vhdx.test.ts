import { createHash } from 'node:crypto';
import { truncate } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { LOG_SECTOR_BYTES } from '../../src/core/container/vhdx/log-entry.ts';
import { METADATA_ITEM, virtualDiskId } from '../../src/core/container/vhdx/metadata.ts';
import { DiskError, openImage, readBytes } from '../../src/core/index.ts';
import { sectorOf, writeLog } from '../core/container/vhdx/log-builder.ts';
import { noise, parentKeys, property } from '../core/container/vhdx/open-vhdx.ts';
import { batWord, buildVhdx } from '../core/container/vhdx/vhdx-builder.ts';
import { collect } from '../helpers/collect.ts';
import { seededRandom } from '../helpers/seeded-random.ts';
import { hasTools, temporaryFolder, tool, toolText } from '../helpers/tools.ts';
import { compareReplay, compareVhdx, makeVhdx, type VhdxImageRecipe, vhdxIo } from './vhdx-images.ts';

const MIB = 1024 * 1024;
const SECTOR = LOG_SECTOR_BYTES;

const matrix: (VhdxImageRecipe & { readonly name: string })[] = [];
for (let power = 0; power <= 8; power++) {
  const blockSize = 2 ** power * MIB;
  const size = (power < 5 ? 3 : 1) * blockSize + 37 * 512;
  matrix.push({ name: `dynamic, blocks of ${2 ** power} MiB`, size, options: `block_size=${blockSize}` });
  if (power > 5) continue;
  matrix.push({
    name: `fixed, blocks of ${2 ** power} MiB`,
    size: blockSize + 37 * 512,
    options: `subformat=fixed,block_size=${blockSize}`,
  });
}
matrix.push(
  { name: 'blocks not present', size: 9 * MIB, options: 'block_size=1M,block_state_zero=off' },
  { name: 'a log of 64 MiB', size: 5 * MIB, options: 'block_size=1M,log_size=64M' },
  { name: 'one sector', size: 512, options: 'block_size=1M' },
  { name: 'one sector, fixed', size: 512, options: 'block_size=1M,subformat=fixed' },
  { name: 'several chunks of blocks', size: 9 * 2 ** 30, options: 'block_size=1M' },
  { name: 'several chunks of larger blocks', size: 21 * 2 ** 30, options: 'block_size=16M' },
);

for (const [index, entry] of matrix.entries()) {
  test(`qemu-img agrees: vhdx, ${entry.name}`, async (t) => {
    if (!hasTools(t, 'qemu-img', 'qemu-io')) return;
    await compareVhdx(t, await makeVhdx(temporaryFolder(t), entry, index + 1));
  });
}

test('qemu-io agrees on sparse disks up to 64 TiB: what it writes at their ends and middles is read there, zeros around it', async (t) => {
  if (!hasTools(t, 'qemu-img', 'qemu-io')) return;
  const folder = temporaryFolder(t);
  for (const [size, blockSize] of [
    [2 ** 40, 'block_size=1M'],
    [2040 * 2 ** 30 + 512, 'block_size=0'],
    [64 * 2 ** 40, 'block_size=256M'],
  ] as const) {
    const image = path.join(folder, `${size}.vhdx`);
    await tool('qemu-img', ['create', '-q', '-f', 'vhdx', '-o', blockSize, image, String(size)]);
    const places = [0, Math.floor(size / 3) + 17, size / 2 - 100, size - 5000];
    await vhdxIo(
      image,
      places.map((place, index) => `write -P ${index + 1} ${place} 4999`),
    );
    await using opened = await openImage(image);
    const { container } = opened;
    t.is(container.size, size);
    for (const [index, place] of places.entries()) {
      const start = Math.max(0, place - 1);
      const bytes = await readBytes(container, start, 5000);
      const expected = new Uint8Array(5000).fill(index + 1, place - start, place - start + 4999);
      t.is(Buffer.compare(bytes, expected), 0, `${size}: ${place}`);
    }
    const extents = await collect(container.extents({ start: 0, length: size }));
    t.is(extents.filter(({ kind }) => kind === 'data').length, 4);
    t.true(extents.length <= 9);
  }
});

test('qemu-img agrees after its replay: a log that QEMU itself left pending, at several times', async (t) => {
  if (!hasTools(t, 'qemu-img', 'qemu-io')) return;
  for (const [index, options] of ['block_size=1M', 'block_size=2M,block_state_zero=off', 'block_size=8M'].entries()) {
    const image = await makeVhdx(temporaryFolder(t), { size: 300 * MIB, options }, 100 + index);
    const failing = [
      'driver=vhdx,file.driver=blkdebug,file.image.driver=file',
      `file.image.filename=${image}`,
      // The BAT of these images stands at 2 MiB: the log is flushed, its update is not.
      `file.inject-error.0.event=none,file.inject-error.0.iotype=write,file.inject-error.0.sector=${(2 * MIB) / 512}`,
    ].join(',');
    const random = seededRandom(index);
    const free = await zeroBlock(image, random);
    await t.throwsAsync(tool('qemu-io', ['--image-opts', failing, '-c', `write -P 99 ${free} 3000`]));
    await compareReplay(t, image, 1);
  }
});

/** A place in a block that is not in the file yet. */
async function zeroBlock(image: string, random: () => number): Promise<number> {
  await using opened = await openImage(image);
  const { container } = opened;
  const zeros = (await collect(container.extents({ start: 0, length: container.size }))).filter(
    ({ kind }) => kind === 'zero',
  );
  const extent = zeros[Math.floor(random() * zeros.length)]!;
  return extent.start + Math.floor(random() * 1000);
}

test('qemu-img agrees after its replay: several entries, data and zeros, behind the end of the file', async (t) => {
  if (!hasTools(t, 'qemu-img', 'qemu-io')) return;
  const folder = temporaryFolder(t);
  // Not around the end of the log: there QEMU, which looks at no tail, replays the part behind it alone.
  for (const at of [0, 64 * SECTOR]) {
    const blocks = { 0: { state: 6, data: noise(1, MIB) }, 2: { state: 6, data: noise(2, MIB) } };
    const image = await buildVhdx({ virtualSize: 6 * MIB, blocks });
    const place = image.places.get(0)!;
    const end = image.device.size;
    const bat = await readBytes(image.device, image.batOffset, SECTOR);
    bat.set(batWord(6, end), 8);
    const later = bat.slice();
    later.set(batWord(2, 0), 16);
    const header = { flushedFileOffset: end, lastFileOffset: end + MIB };
    await writeLog(image, [
      { sequenceNumber: 5n, at, tail: at, header, updates: [{ fileOffset: image.batOffset, data: bat }] },
      {
        sequenceNumber: 6n,
        tail: at,
        header,
        updates: [
          { fileOffset: place + 3 * SECTOR, data: sectorOf(1) },
          { fileOffset: place + 5 * SECTOR, zeroLength: 7 * SECTOR },
          { fileOffset: end + 2 * SECTOR, data: sectorOf(2) },
          { fileOffset: end + MIB - SECTOR, zeroLength: SECTOR },
        ],
      },
      {
        sequenceNumber: 7n,
        tail: at,
        header,
        updates: [
          { fileOffset: image.batOffset, data: later },
          { fileOffset: place + 6 * SECTOR, data: sectorOf(3) },
        ],
      },
    ]);
    await compareReplay(t, await image.save(path.join(folder, `log-${at}.vhdx`)), 3);
  }
});

for (const sectorSize of [512, 4096]) {
  test(`7z agrees on differencing disks with sectors of ${sectorSize}: sector bitmaps, every state`, async (t) => {
    if (!hasTools(t, 'qemu-img', '7z')) return;
    const folder = temporaryFolder(t);
    const size = 12 * MIB;
    const guids = ['AAAAAAAA', 'BBBBBBBB'].map((start) => `${start}-0000-4000-8000-000000000001`);
    // One level: it takes a longer chain for a circle.
    for (const level of [0, 1]) {
      const states = level === 0 ? [6, 6, 6, 0] : [0, 2, 6, 7, 7];
      const blocks = Object.fromEntries(
        Array.from({ length: 12 }, (_, block) => {
          const state = states[(block + level) % states.length]!;
          return [block, { state, ...(state >= 6 ? { data: noise(level * 20 + block, MIB) } : {}) }];
        }),
      );
      const below = { parent: parentKeys('level0.vhdx', guids[0]), bitmaps: { 0: randomRuns(size / sectorSize) } };
      const image = await buildVhdx({
        virtualSize: size,
        sectorSize,
        blocks,
        header: { dataWriteGuid: guids[level]! },
        metadata: [{ id: METADATA_ITEM.virtualDiskId, bytes: virtualDiskId.build({ id: guids[level]! }) }],
        ...(level === 0 ? {} : below),
      });
      const file = await image.save(path.join(folder, `level${level}.vhdx`));
      const expected = await tool('7z', ['x', '-so', file]);
      await using opened = await openImage(file);
      const ours = await readBytes(opened.container, 0, size);
      t.is(sha256(ours), sha256(expected), `level ${level}`);
      t.is(property(opened.container, 'type'), level === 0 ? 'dynamic' : 'differencing');
    }
  });
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Runs of sectors with gaps between them, short ones and long ones, from 0 to `sectorCount`. */
function randomRuns(sectorCount: number): [number, number][] {
  const random = seededRandom(3);
  const runs: [number, number][] = [];
  for (let sector = Math.floor(random() * 9); sector < sectorCount; ) {
    const count = Math.min(sectorCount - sector, 1 + Math.floor(random() ** 3 * 400));
    runs.push([sector, count]);
    sector += count + 1 + Math.floor(random() * 100);
  }
  return runs;
}

test('a truncated image, which qemu-img refuses as a whole: what is there is read, the rest is CORRUPT at its place', async (t) => {
  if (!hasTools(t, 'qemu-img', 'qemu-io')) return;
  const image = path.join(temporaryFolder(t), 'cut.vhdx');
  await tool('qemu-img', ['create', '-q', '-f', 'vhdx', '-o', 'block_size=1M', image, '4M']);
  await vhdxIo(image, ['write -P 1 0 1M', 'write -P 2 2M 1M']);
  const size = Number(JSON.parse(await toolText('qemu-img', ['info', '--output=json', image]))['virtual-size']);
  await using whole = await openImage(image);
  await truncate(image, whole.container.file.size - 1000);
  await t.throwsAsync(tool('qemu-img', ['info', '-f', 'vhdx', image]));
  await using opened = await openImage(image);
  const { container } = opened;
  t.is(container.size, size);
  t.deepEqual(new Set(await readBytes(container, 2 * MIB, MIB - 1000)), new Set([2]));
  t.is((await t.throwsAsync(readBytes(container, 3 * MIB - 1, 1), { instanceOf: DiskError }))?.code, 'CORRUPT');
  t.deepEqual(new Set(await readBytes(container, 3 * MIB, MIB)), new Set([0]));
});
