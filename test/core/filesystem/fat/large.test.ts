import test from 'ava';
import { bootSector32 } from '../../../../src/core/filesystem/fat/boot-sector-32.ts';
import { type BlockDevice, DiskError, fileDevice, MemoryDevice } from '../../../../src/core/index.ts';
import { seededRandom } from '../../../conformance/device-conformance.ts';
import { RecordingDevice } from '../../../helpers/devices.ts';
import { FatBuilder, longEntry, shortSlot } from './fat-builder.ts';
import { extentsOf, fileNamed, nodeNamed, opened } from './open-fat.ts';

/** A FAT32 of one-sector clusters whose FAT is told by a function and whose data is zeros: 4 GiB in no memory. */
class SyntheticFat implements BlockDevice {
  readonly sectorSize = 512;
  readonly size: number;
  readonly #head: Uint8Array;
  readonly #fatOffset: number;
  readonly #fatBytes: number;
  readonly #entry: (cluster: number) => number;

  constructor(
    head: Uint8Array,
    fat: { offset: number; bytes: number },
    size: number,
    entry: (cluster: number) => number,
  ) {
    this.#head = head;
    this.#fatOffset = fat.offset;
    this.#fatBytes = fat.bytes;
    this.size = size;
    this.#entry = entry;
  }

  async readInto(target: Uint8Array, offset: number): Promise<void> {
    if (offset >= this.#fatOffset && offset < this.#fatOffset + this.#fatBytes) {
      const view = new DataView(target.buffer, target.byteOffset, target.length);
      const first = (offset - this.#fatOffset) / 4;
      for (let at = 0; at * 4 + 4 <= target.length; at++) view.setUint32(at * 4, this.#entry(first + at), true);
      return;
    }
    target.fill(0);
    if (offset < this.#head.length) target.set(this.#head.subarray(offset, offset + target.length));
    else if (offset === this.#fatOffset + this.#fatBytes)
      target.set(shortSlot('BIG', { cluster: 3, size: 0xffffffff }));
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

const BIG_CLUSTERS = 8 * 1024 * 1024;
function bigVolume(next: (cluster: number) => number): SyntheticFat {
  const sectorsPerFat = Math.ceil(((BIG_CLUSTERS + 100) * 4) / 512);
  const head = new FatBuilder({ bits: 32, clusters: 66000, fats: 1 }).bytes.slice(0, 8 * 512);
  const sectors = 8 + sectorsPerFat + BIG_CLUSTERS + 50;
  bootSector32.write(head, { sectorsPerFat32: sectorsPerFat });
  new DataView(head.buffer).setUint32(32, sectors, true);
  const fat = { offset: 8 * 512, bytes: sectorsPerFat * 512 };
  return new SyntheticFat(head, fat, sectors * 512, (cluster) => (cluster < 3 ? 0x0fffffff : next(cluster)));
}

test('a file of 4 GiB - 1 in 8,388,608 clusters, no two together: every byte has its place, random reads follow few links', async (t) => {
  // Odd clusters upwards, then even ones downwards.
  const top = BIG_CLUSTERS + 2;
  const next = (cluster: number): number => {
    if (cluster % 2 === 1) return cluster + 2 <= top ? cluster + 2 : top;
    return cluster > 4 ? cluster - 2 : 0x0fffffff;
  };
  const device = new RecordingDevice(bigVolume(next));
  const { filesystem } = await opened(device);
  const file = await fileNamed(filesystem, 'BIG');
  t.is(file.size, 0xffffffff);
  const at = async (offset: number) => {
    for await (const extent of file.extents({ start: offset, length: 1 }))
      return extent.kind === 'data' ? extent.sourceOffset : -1;
    return -1;
  };
  const half = BIG_CLUSTERS / 2;
  const place = (cluster: number) => filesystem.geometry.dataOffset + (cluster - 2) * 512;
  t.is(await at(0xfffffffe), place(4) + 510);
  const random = seededRandom(1);
  const before = device.requests.length;
  for (let round = 0; round < 200; round++) {
    const index = Math.floor(random() * BIG_CLUSTERS);
    const cluster = index < half ? 3 + 2 * index : top - 2 * (index - half);
    t.is(await at(index * 512), place(cluster));
  }
  t.true(device.requests.length - before <= 400, 'a random read needs at most two pages of the FAT');
});

test('a file of 4 GiB - 1 in one run is one extent', async (t) => {
  const { filesystem } = await opened(bigVolume((cluster) => (cluster < BIG_CLUSTERS + 2 ? cluster + 1 : 0x0fffffff)));
  const file = await fileNamed(filesystem, 'BIG');
  t.deepEqual(await extentsOf(file), [[0, 0xffffffff, filesystem.geometry.dataOffset + 512]]);
});

test('a cycle after millions of clusters is found at its link', async (t) => {
  const { filesystem } = await opened(bigVolume((cluster) => (cluster === 5_000_000 ? 1_000_000 : cluster + 1)));
  const file = fileDevice(filesystem, await fileNamed(filesystem, 'BIG'));
  const error = await t.throwsAsync(file.readInto(new Uint8Array(1), 0xfffffff0), { instanceOf: DiskError });
  t.is(error?.offset, filesystem.geometry.fatOffset + 4 * 5_000_000);
});

test('a directory of 60,000 slots is read in pieces of whole clusters, each once', async (t) => {
  const volume = new FatBuilder({ bits: 32, clusters: 70_000, fats: 1 });
  const slots = Array.from({ length: 20_000 }, (_, at) =>
    longEntry(`entry number ${at} with a long name`, `E${at}`, { size: 0 }),
  ).flat();
  const cluster = volume.store(Buffer.concat(slots));
  volume.setRoot([shortSlot('MANY', { attributes: 0x10, cluster })]);
  const device = new RecordingDevice(new MemoryDevice(volume.bytes));
  const { filesystem } = await opened(device);
  const directory = await nodeNamed(filesystem, 'MANY');
  t.is(directory.kind, 'directory');
  const before = device.bytesRead;
  const requests = device.requests.length;
  const names: string[] = [];
  if (directory.kind === 'directory') for await (const { name } of directory.entries()) names.push(name);
  t.is(names.length, 20_000);
  t.is(names[19_999], 'entry number 19999 with a long name');
  t.true(device.bytesRead - before <= directory.size);
  t.true(device.requests.length - requests <= directory.size / 65536 + 1);
});
