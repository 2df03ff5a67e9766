import test from 'ava';
import { bootSector } from '../../../../src/core/filesystem/fat/boot-sector.ts';
import { bootSector32 } from '../../../../src/core/filesystem/fat/boot-sector-32.ts';
import { fatFormat } from '../../../../src/core/filesystem/fat/fat-format.ts';
import { fsInfo } from '../../../../src/core/filesystem/fat/fs-info.ts';
import { looksLikeFat, parseGeometry } from '../../../../src/core/filesystem/fat/geometry.ts';
import { DiskError, MemoryDevice } from '../../../../src/core/index.ts';
import { FatBuilder } from './fat-builder.ts';
import { opened } from './open-fat.ts';

type Boot = Partial<ReturnType<typeof bootSector.parse>>;

/** The boot sector of a volume with that many clusters, of a 16-bit layout unless `bits` is 32. */
function sectorOf(bits: 12 | 16 | 32, clusters: number, changes: Boot = {}): Uint8Array {
  const sector = new FatBuilder({ bits, clusters }).bytes.slice(0, 512);
  bootSector.write(sector, changes);
  return sector;
}

const quiet = (): void => {};

for (const [bits, clusters, type] of [
  [12, 1, 'fat12'],
  [12, 4084, 'fat12'],
  [16, 4085, 'fat16'],
  [16, 65524, 'fat16'],
  [32, 65525, 'fat32'],
  [32, 100, 'fat32'],
] as const) {
  test(`${clusters} clusters in a ${bits}-bit layout are ${type}`, (t) => {
    const said: string[] = [];
    const geometry = parseGeometry(sectorOf(bits, clusters), ({ message }) => said.push(message));
    t.is(geometry.type, type);
    t.is(geometry.clusterCount, clusters);
    t.is(geometry.maxCluster, clusters + 1);
    t.is(said.length, bits === 32 && clusters < 65525 ? 1 : 0);
  });
}

for (const sectorSize of [512, 1024, 2048, 4096]) {
  for (const sectorsPerCluster of [1, 2, 128]) {
    for (const bits of [12, 16, 32] as const) {
      const clusters = { 12: 5, 16: 4085, 32: 7 }[bits];
      // The builder holds the whole volume in memory.
      if (clusters * sectorSize * sectorsPerCluster > 64e6) continue;
      test(`FAT${bits}, sectors of ${sectorSize}, ${sectorsPerCluster} per cluster: the layout is the builder's`, (t) => {
        const volume = new FatBuilder({ bits, clusters, sectorSize, sectorsPerCluster, fats: 2 });
        const geometry = parseGeometry(volume.bytes, quiet);
        t.like(geometry, {
          entryBits: bits,
          sectorSize,
          clusterSize: sectorSize * sectorsPerCluster,
          clusterCount: clusters,
          fatOffset: volume.fatOffset,
          fatBytes: volume.fatBytes,
          dataOffset: volume.dataOffset,
          rootBytes: bits === 32 ? 0 : 512 * 32,
          size: volume.bytes.length,
        });
      });
    }
  }
}

const broken: Record<string, Boot> = {
  'a sector size of 0': { bytesPerSector: 0 },
  'a sector size of 256': { bytesPerSector: 256 },
  'a sector size of 768': { bytesPerSector: 768 },
  'a sector size of 8192': { bytesPerSector: 8192 },
  'no sectors per cluster': { sectorsPerCluster: 0 },
  '3 sectors per cluster': { sectorsPerCluster: 3 },
  'no reserved sectors': { reservedSectors: 0 },
  'no FAT': { fatCount: 0 },
  'media 0xf1': { media: 0xf1 },
};
for (const [name, changes] of Object.entries(broken)) {
  test(`${name} is no FAT: the probe says no, opening says which field`, (t) => {
    const sector = sectorOf(16, 5000, changes);
    t.false(looksLikeFat(sector));
    const field = Object.keys(changes)[0]! as keyof typeof bootSector.fields;
    const error = t.throws(() => parseGeometry(sector, quiet), { instanceOf: DiskError });
    t.is(error?.code, 'CORRUPT');
    t.is(error?.offset, bootSector.fields[field].offset);
    t.true(error?.structure?.endsWith(field));
  });
}

const absurd: Record<string, Boot> = {
  'no sectors at all': { totalSectors16: 0, totalSectors32: 0 },
  'FATs beyond the volume': { sectorsPerFat16: 0xffff },
  'no root entries in a 16-bit layout': { rootEntryCount: 0 },
  'FAT32 by count in a 16-bit layout': { totalSectors16: 0, totalSectors32: 0xffffffff },
  'no FAT size in either place': { sectorsPerFat16: 0 },
};
for (const [name, changes] of Object.entries(absurd)) {
  test(`${name} is CORRUPT with its place`, (t) => {
    const sector = sectorOf(16, 5000, changes);
    sector.fill(0, 36, 40);
    const error = t.throws(() => parseGeometry(sector, quiet), { instanceOf: DiskError });
    t.is(error?.code, 'CORRUPT');
    t.is(typeof error?.offset, 'number');
  });
}

test('a FAT too small for its clusters: the clusters it cannot name do not exist, and that is said', (t) => {
  const said: string[] = [];
  const geometry = parseGeometry(sectorOf(16, 5000, { sectorsPerFat16: 10 }), ({ message }) => said.push(message));
  t.is(geometry.maxCluster, 10 * 256 - 1);
  t.regex(said.join(), /room for 2558 clusters/);
});

test('ExtFlags: the active FAT is read when mirroring is off, and only then', (t) => {
  const volume = new FatBuilder({ bits: 32, clusters: 66000 });
  const at = (flags: number) => {
    bootSector32.write(volume.bytes, { extendedFlags: flags });
    const said: string[] = [];
    return { geometry: parseGeometry(volume.bytes, ({ message }) => said.push(message)), said };
  };
  t.is(at(0x81).geometry.fatOffset, volume.fatOffset + volume.fatBytes);
  t.false(at(0x81).geometry.mirrored);
  t.is(at(0x01).geometry.fatOffset, volume.fatOffset);
  t.true(at(0x01).geometry.mirrored);
  t.is(at(0x87).geometry.fatOffset, volume.fatOffset);
  t.regex(at(0x87).said.join(), /active FAT is number 7 of 2/);
});

for (const [name, oem] of [
  ['NTFS', 'NTFS    '],
  ['exFAT', 'EXFAT   '],
  ['BitLocker', '-FVE-FS-'],
] as const) {
  test(`${name} is not taken for FAT`, async (t) => {
    const sector = sectorOf(16, 5000, { oemName: Buffer.from(oem) });
    t.false(await fatFormat.probe(new MemoryDevice(sector)));
  });
}

test('the probe is false, never an error, for what is short, empty or random', async (t) => {
  for (const size of [0, 1, 511]) t.false(await fatFormat.probe(new MemoryDevice(new Uint8Array(size))));
  t.false(await fatFormat.probe(new MemoryDevice(new Uint8Array(4096))));
  t.false(await fatFormat.probe(new MemoryDevice(new Uint8Array(4096).fill(0xff))));
  t.true(await fatFormat.probe(new MemoryDevice(sectorOf(12, 10))));
});

test('a truncated image opens, and says so', async (t) => {
  const { bytes } = new FatBuilder({ bits: 16, clusters: 5000 });
  const { filesystem, messages } = await opened(bytes.subarray(0, bytes.length - 4096));
  t.is(filesystem.type, 'fat16');
  t.regex(messages().join(), /its end is missing/);
});

test('a missing 55 AA and a dirty volume are said', async (t) => {
  const volume = new FatBuilder({ bits: 16, clusters: 5000 });
  bootSector.write(volume.bytes, { signature: 0 });
  volume.set(1, 0x7fff);
  const { filesystem, messages } = await opened(volume.bytes);
  t.deepEqual(messages(), ['the signature 55 AA is missing', 'the volume was not cleanly unmounted']);
  const property = (key: string) => filesystem.properties.find((found) => found.key === key)?.value;
  t.false(property('cleanlyUnmounted'));
  t.false(property('diskErrors'));
  t.is(property('serialNumber'), '1234-ABCD');
});

test("Linux's dirty bit in the boot sector counts as well", async (t) => {
  const volume = new FatBuilder({ bits: 32, clusters: 66000 });
  volume.bytes[0x41] = 1;
  const { messages } = await opened(volume.bytes);
  t.deepEqual(messages(), ['the volume was not cleanly unmounted']);
});

/** What is said of a FAT32 whose FSInfo has that changed, and the free clusters it is then said to tell. */
async function withHints(changes: Partial<ReturnType<typeof fsInfo.parse>>, fsInfoSector = 1) {
  const volume = new FatBuilder({ bits: 32, clusters: 66000 });
  fsInfo.write(volume.bytes, changes, 512);
  bootSector32.write(volume.bytes, { fsInfoSector });
  const { filesystem, messages } = await opened(volume.bytes);
  const told = filesystem.properties.find(({ key }) => key === 'fsInfoFreeClusters')?.value;
  requireCounted(filesystem.usage.free);
  return { told, messages: messages().join() };
}

/** The free space is counted, whatever FSInfo tells: all but the root's cluster. */
function requireCounted(free: number | undefined): void {
  if (free !== 65999 * 512) throw new Error(`${free} bytes free`);
}

test('FSInfo is a hint: right, unknown, wrong, absurd, unsigned, misplaced and absent', async (t) => {
  t.deepEqual(await withHints({ freeCount: 65999 }), { told: 65999, messages: '' });
  t.deepEqual(await withHints({}), { told: null, messages: '' });
  t.regex((await withHints({ freeCount: 7 })).messages, /tells 7 free clusters, the FAT has 65999/);
  t.like(await withHints({ freeCount: 66001 }), { told: null, messages: 'FSInfo tells 66001 free clusters of 66000' });
  t.like(await withHints({ leadSignature: 1 }), { told: undefined });
  t.regex((await withHints({ trailSignature: 1 })).messages, /lacks its signatures/);
  t.regex((await withHints({}, 8)).messages, /^expected a reserved sector, found 8$/);
  t.deepEqual(await withHints({}, 0xffff), { told: undefined, messages: '' });
});
