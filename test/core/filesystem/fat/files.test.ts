import test from 'ava';
import { bootSector32 } from '../../../../src/core/filesystem/fat/boot-sector-32.ts';
import { DiskError, fileDevice, readFile, walk } from '../../../../src/core/index.ts';
import { deviceConformance, seededRandom } from '../../../conformance/device-conformance.ts';
import { extentsConformance } from '../../../conformance/extents-conformance.ts';
import { deletedSlots, FatBuilder, longEntry, shortSlot } from './fat-builder.ts';
import { extentsOf, fileNamed, nodeNamed, opened, rootEntries } from './open-fat.ts';

function randomBytes(length: number, seed: number): Uint8Array {
  const random = seededRandom(seed);
  return Uint8Array.from({ length }, () => random() * 256);
}

/** A file F in the given clusters of 512 bytes, in that order, its content there too. */
function volumeWithFile(bits: 12 | 16 | 32, clusters: readonly number[], content: Uint8Array): FatBuilder {
  const count = { 12: 200, 16: 4200, 32: 66000 }[bits];
  const volume = new FatBuilder({ bits, clusters: count, fats: 1 });
  volume.chain(clusters);
  clusters.forEach((cluster, at) => {
    volume.bytes.set(content.subarray(at * 512, (at + 1) * 512), volume.clusterOffset(cluster));
  });
  volume.setRoot([shortSlot('F', { cluster: clusters[0]!, size: content.length })]);
  return volume;
}

const SCATTERED = [10, 11, 12, 50, 51, 9, 100, 8, 7, 6, 60, 61];
for (const bits of [12, 16, 32] as const) {
  const fragmented = async () => {
    const expected = randomBytes(SCATTERED.length * 512 - 100, bits);
    const { filesystem } = await opened(volumeWithFile(bits, SCATTERED, expected).bytes);
    return { device: fileDevice(filesystem, await fileNamed(filesystem, 'F')), expected };
  };
  deviceConformance(`a fragmented file of FAT${bits}`, fragmented);
  extentsConformance(`a fragmented file of FAT${bits}`, fragmented);

  test(`FAT${bits}: extents are joined runs in the filesystem's device`, async (t) => {
    const volume = volumeWithFile(bits, SCATTERED, new Uint8Array(SCATTERED.length * 512 - 100));
    const { filesystem } = await opened(volume.bytes);
    const file = await fileNamed(filesystem, 'F');
    const at = (cluster: number) => volume.clusterOffset(cluster);
    t.deepEqual(await extentsOf(file), [
      [0, 1536, at(10)],
      [1536, 1024, at(50)],
      [2560, 512, at(9)],
      [3072, 512, at(100)],
      [3584, 512, at(8)],
      [4096, 512, at(7)],
      [4608, 512, at(6)],
      [5120, 924, at(60)],
    ]);
    t.is(file.allocated, 12 * 512);
    for await (const extent of file.extents({ start: 600, length: 10 })) {
      t.is(extent.kind === 'data' && extent.source, filesystem.device);
      t.deepEqual([extent.start, extent.length], [600, 10]);
    }
  });

  const hostile: Record<string, (volume: FatBuilder) => void> = {
    'goes back to its start': (volume) => volume.set(9, 10),
    'goes back to its middle': (volume) => volume.set(9, 51),
    'points at itself': (volume) => volume.set(9, 9),
    'runs into a free cluster': (volume) => volume.set(9, 0),
    'runs into cluster 1': (volume) => volume.set(9, 1),
    'runs into a bad cluster': (volume) => volume.set(9, { 12: 0xff7, 16: 0xfff7, 32: 0x0ffffff7 }[bits]),
    'runs out of range': (volume) => volume.set(9, { 12: 202, 16: 4202, 32: 66002 }[bits]),
    'ends too soon': (volume) => volume.chain([9]),
  };
  for (const [name, damage] of Object.entries(hostile)) {
    test(`FAT${bits}: a chain that ${name} gives what is before it, then CORRUPT with the entry's offset`, async (t) => {
      const content = randomBytes(SCATTERED.length * 512, 5);
      const volume = volumeWithFile(bits, SCATTERED, content);
      damage(volume);
      const { filesystem } = await opened(volume.bytes);
      const file = fileDevice(filesystem, await fileNamed(filesystem, 'F'));
      const head = new Uint8Array(6 * 512);
      for (let round = 0; round < 2; round++) {
        await file.readInto(head, 0);
        t.deepEqual(Buffer.compare(head, content.subarray(0, head.length)), 0);
        const error = await t.throwsAsync(file.readInto(new Uint8Array(1), head.length), { instanceOf: DiskError });
        t.is(error?.code, 'CORRUPT');
        t.is(error?.offset, volume.fatOffset + Math.floor((9 * bits) / 8));
        t.is(error?.structure, 'FAT entry of cluster 9');
      }
    });
  }

  test(`FAT${bits}: a chain longer than the file is fine; the top four bits of FAT32 do not count`, async (t) => {
    const content = randomBytes(700, 9);
    const volume = volumeWithFile(bits, [10, 11, 12, 13], content);
    if (bits === 32) volume.set(10, 0xf000000b);
    const { filesystem } = await opened(volume.bytes);
    t.deepEqual(Buffer.from(await readFile(filesystem, await fileNamed(filesystem, 'F'))), Buffer.from(content));
  });
}

for (const cluster of [0, 1, 4202, 0xffff]) {
  test(`a file whose first cluster is ${cluster}: CORRUPT at the field of its directory entry`, async (t) => {
    const volume = new FatBuilder({ bits: 16, clusters: 4200 });
    volume.setRoot([shortSlot('F', { cluster, size: 1 }), shortSlot('EMPTY', { cluster, size: 0 })]);
    const { filesystem } = await opened(volume.bytes);
    const file = await fileNamed(filesystem, 'F');
    const error = await t.throwsAsync(readFile(filesystem, file), { instanceOf: DiskError });
    t.is(error?.code, 'CORRUPT');
    t.is(error?.offset, volume.rootOffset + 26);
    t.is((await readFile(filesystem, await fileNamed(filesystem, 'EMPTY'))).length, 0);
  });
}

test('a deleted file: its content while nothing else took the clusters, CORRUPT when its first one is', async (t) => {
  const volume = new FatBuilder({ bits: 16, clusters: 4200 });
  const content = randomBytes(1500, 3);
  const cluster = volume.store(content);
  for (let freed = 0; freed < 3; freed++) volume.set(cluster + freed, 0);
  volume.setRoot(deletedSlots(longEntry('gone for good.bin', 'GONEFO~1BIN', { cluster, size: 1500 })));
  const before = await opened(volume.bytes);
  const file = await fileNamed(before.filesystem, 'gone for good.bin');
  t.true(file.deleted);
  t.deepEqual(Buffer.from(await readFile(before.filesystem, file)), Buffer.from(content));
  // One cluster in between taken: left out, as the Sleuth Kit guesses. The first one taken: lost.
  volume.chain([cluster + 1]);
  const skipping = await opened(volume.bytes);
  t.deepEqual(await extentsOf(await fileNamed(skipping.filesystem, 'gone for good.bin')), [
    [0, 512, volume.clusterOffset(cluster)],
    [512, 988, volume.clusterOffset(cluster + 2)],
  ]);
  volume.chain([cluster]);
  const { filesystem } = await opened(volume.bytes);
  const taken = await fileNamed(filesystem, 'gone for good.bin');
  const error = await t.throwsAsync(readFile(filesystem, taken), { instanceOf: DiskError });
  t.is(error?.code, 'CORRUPT');
  t.is(error?.offset, volume.rootOffset + 2 * 32 + 26);
});

async function deletedAmongOthers() {
  const expected = randomBytes(40 * 512 - 1, 8);
  const volume = new FatBuilder({ bits: 16, clusters: 4200 });
  // Every third cluster from 10 on is another file's.
  const free = Array.from({ length: 60 }, (_, at) => 10 + at).filter((cluster) => cluster % 3 !== 0);
  for (let cluster = 12; cluster < 70; cluster += 3) volume.chain([cluster]);
  for (let at = 0; at < 40; at++)
    volume.bytes.set(expected.subarray(at * 512, (at + 1) * 512), volume.clusterOffset(free[at]!));
  volume.setRoot(deletedSlots([shortSlot('F', { cluster: 10, size: expected.length })]));
  const { filesystem } = await opened(volume.bytes);
  return { device: fileDevice(filesystem, await fileNamed(filesystem, '_')), expected };
}
deviceConformance('a deleted file among clusters that are in use', deletedAmongOthers);
extentsConformance('a deleted file among clusters that are in use', deletedAmongOthers);

for (const make of [
  deletedAmongOthers,
  async () => {
    const expected = randomBytes(SCATTERED.length * 512, 2);
    const { filesystem } = await opened(volumeWithFile(16, SCATTERED, expected).bytes);
    return { device: fileDevice(filesystem, await fileNamed(filesystem, 'F')), expected };
  },
]) {
  test(`${make.name || 'a fragmented file'}: reads one after the other, backwards, give the right bytes`, async (t) => {
    const { device, expected } = await make();
    for (let offset = device.size - 300; offset >= 0; offset -= 300) {
      const target = new Uint8Array(300);
      await device.readInto(target, offset);
      t.is(Buffer.compare(target, expected.subarray(offset, offset + 300)), 0, String(offset));
    }
  });
}

test('a file beyond the end of a truncated image: what is there, then OUT_OF_RANGE with the place', async (t) => {
  const volume = volumeWithFile(12, [198, 199, 200], randomBytes(1536, 4));
  const cut = volume.bytes.subarray(0, volume.clusterOffset(199) + 100);
  const { filesystem } = await opened(cut);
  const file = fileDevice(filesystem, await fileNamed(filesystem, 'F'));
  await file.readInto(new Uint8Array(612), 0);
  const error = await t.throwsAsync(file.readInto(new Uint8Array(613), 0), { instanceOf: DiskError });
  t.is(error?.code, 'OUT_OF_RANGE');
  t.is(error?.offset, cut.length);
});

test('an image cut inside its FAT: opens, and the entries beyond are OUT_OF_RANGE', async (t) => {
  const volume = volumeWithFile(32, [3], new Uint8Array(512));
  const { filesystem, messages } = await opened(volume.bytes.subarray(0, volume.fatOffset + 6));
  const error = await t.throwsAsync(rootEntries(filesystem), { instanceOf: DiskError });
  t.is(error?.code, 'OUT_OF_RANGE');
  t.true(messages().length > 1);
});

for (const rootCluster of [0, 1, 66002, 0x0fffffff]) {
  test(`FAT32 with root cluster ${rootCluster}: opens, listing is CORRUPT at the field`, async (t) => {
    const volume = new FatBuilder({ bits: 32, clusters: 66000 });
    bootSector32.write(volume.bytes, { rootCluster });
    const { filesystem } = await opened(volume.bytes);
    const error = await t.throwsAsync(rootEntries(filesystem), { instanceOf: DiskError });
    t.is(error?.code, 'CORRUPT');
    t.is(error?.offset, 44);
  });
}

test('directories that contain themselves or the root are listed and not entered again', async (t) => {
  for (const bits of [16, 32] as const) {
    const volume = new FatBuilder({ bits, clusters: bits === 32 ? 66000 : 4200 });
    const slots = [shortSlot('SELF', { attributes: 0x10, cluster: 3 }), shortSlot('FILE')];
    volume.chain([3]);
    volume.bytes.set(Buffer.concat(slots), volume.clusterOffset(3));
    volume.setRoot([
      shortSlot('DIR', { attributes: 0x10, cluster: 3 }),
      shortSlot('ROOT', { attributes: 0x10, cluster: 2 }),
    ]);
    const { filesystem } = await opened(volume.bytes);
    const paths: string[] = [];
    for await (const { path } of walk(filesystem, filesystem.rootId, { onError: () => {} })) paths.push(path);
    t.true(paths.includes('/DIR/SELF') && paths.includes('/DIR/SELF/FILE'));
    t.true(paths.length < 20);
  }
});

test('a directory whose chain is a cycle: its size counts to the break, listing ends in CORRUPT', async (t) => {
  const volume = new FatBuilder({ bits: 16, clusters: 4200 });
  const cluster = volume.store(Buffer.concat(Array.from({ length: 32 }, (_, at) => shortSlot(`F${at}`))));
  volume.set(cluster + 1, cluster);
  volume.setRoot([shortSlot('DIR', { attributes: 0x10, cluster })]);
  const { filesystem } = await opened(volume.bytes);
  const directory = await nodeNamed(filesystem, 'DIR');
  t.is(directory.size, 1024);
  const names: string[] = [];
  const error = await t.throwsAsync(
    async () => {
      if (directory.kind === 'directory') for await (const { name } of directory.entries()) names.push(name);
    },
    { instanceOf: DiskError },
  );
  t.is(names.length, 32);
  t.is(error?.offset, volume.fatOffset + 2 * (cluster + 1));
});

test('node ids: the root is 0, an entry its offset in slots, anything else NOT_FOUND', async (t) => {
  const volume = new FatBuilder({ bits: 16, clusters: 4200 });
  volume.setRoot([
    shortSlot('A', { size: 0, attributes: 0x27 }),
    ...longEntry('long', 'LONG~1'),
    shortSlot('L', { attributes: 8 }),
  ]);
  const { filesystem } = await opened(volume.bytes);
  const first = volume.rootOffset / 32;
  const file = await filesystem.node(first);
  t.like(file, {
    id: first,
    kind: 'file',
    size: 0,
    allocated: 0,
    deleted: false,
    location: { start: volume.rootOffset, length: 32 },
  });
  t.deepEqual(file.flags, ['read-only', 'hidden', 'system', 'archive']);
  t.is((await filesystem.node(0)).kind, 'directory');
  const end = volume.bytes.length / 32;
  for (const id of [
    1,
    first - 1,
    first + 1,
    first + 3,
    first + 4,
    end,
    end + 1,
    -1,
    0.5,
    Number.NaN,
    2 ** 53,
    2 ** 60,
  ]) {
    const error = await t.throwsAsync(filesystem.node(id), { instanceOf: DiskError }, String(id));
    t.is(error?.code, 'NOT_FOUND', String(id));
  }
});

test('a directory cut by the end of a truncated image lists what is there, then OUT_OF_RANGE', async (t) => {
  const volume = new FatBuilder({ bits: 16, clusters: 4200, sectorsPerCluster: 8 });
  const slots = Array.from({ length: 128 }, (_, at) => shortSlot(`F${at}`));
  const cluster = volume.store(Buffer.concat(slots));
  volume.setRoot([shortSlot('DIR', { attributes: 0x10, cluster })]);
  const { filesystem } = await opened(volume.bytes.subarray(0, volume.clusterOffset(cluster) + 33));
  const directory = await nodeNamed(filesystem, 'DIR');
  const names: string[] = [];
  const error = await t.throwsAsync(
    async () => {
      if (directory.kind === 'directory') for await (const { name } of directory.entries()) names.push(name);
    },
    { instanceOf: DiskError },
  );
  t.deepEqual(names, ['F0']);
  t.is(error?.code, 'OUT_OF_RANGE');
  t.is(error?.offset, volume.clusterOffset(cluster) + 32);
});

test('a deleted directory: its first cluster while it is free', async (t) => {
  const volume = new FatBuilder({ bits: 16, clusters: 4200 });
  const cluster = volume.store(Buffer.concat(deletedSlots([...longEntry('inside it', 'INSIDE~1')])));
  volume.set(cluster, 0);
  volume.setRoot(deletedSlots([shortSlot('DIR', { attributes: 0x10, cluster })]));
  const { filesystem } = await opened(volume.bytes);
  const directory = await nodeNamed(filesystem, '_IR');
  t.true(directory.deleted && directory.kind === 'directory' && directory.size === 512);
  const names: string[] = [];
  if (directory.kind === 'directory')
    for await (const { name } of directory.entries({ deleted: true })) names.push(name);
  t.deepEqual(names, ['inside it']);
});

test('an aborted listing stops', async (t) => {
  const volume = new FatBuilder({ bits: 16, clusters: 4200 });
  volume.setRoot([shortSlot('A')]);
  const { filesystem } = await opened(volume.bytes);
  const root = await filesystem.root();
  const reason = new Error('enough');
  await t.throwsAsync(() => root.lookup('A', { signal: AbortSignal.abort(reason) }), { is: reason });
});
