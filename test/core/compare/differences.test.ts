import { writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import {
  type BlockDevice,
  type ByteRange,
  differences,
  type Extent,
  type ExtentSource,
  FileDevice,
  MemoryDevice,
  type Progress,
} from '../../../src/core/index.ts';
import { collect } from '../../helpers/collect.ts';
import { FaultyDevice, isInjectedFault, RecordingDevice } from '../../helpers/devices.ts';
import { temporaryFolder } from '../../helpers/tools.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

/** The same answer sector by sector, with no thought for speed. */
function expected(first: Uint8Array, second: Uint8Array, sectorSize: number): ByteRange[] {
  const size = Math.max(first.length, second.length);
  const ranges: { start: number; length: number }[] = [];
  for (let start = 0; start < size; start += sectorSize) {
    const length = Math.min(sectorSize, size - start);
    const sectors = [first, second].map((bytes) => {
      const sector = new Uint8Array(length);
      sector.set(bytes.subarray(start, start + length));
      return sector;
    });
    if (Buffer.compare(sectors[0]!, sectors[1]!) === 0) continue;
    const last = ranges.at(-1);
    if (last !== undefined && last.start + last.length === start) last.length += length;
    else ranges.push({ start, length });
  }
  return ranges;
}

/** A device of pieces that say where they lie; reading what lies in a place that the test forbids fails it. */
class MappedDevice implements BlockDevice, ExtentSource {
  readonly sectorSize = 512;
  readonly size: number;
  readonly #extents: readonly Extent[];
  readonly #bytes: Uint8Array | undefined;

  constructor(extents: readonly Extent[], bytes?: Uint8Array) {
    this.#extents = extents;
    this.#bytes = bytes;
    this.size = extents.reduce((sum, { length }) => sum + length, 0);
  }

  async *extents(range: ByteRange): AsyncGenerator<Extent, void> {
    for (const extent of this.#extents) {
      if (extent.start < range.start + range.length) yield extent;
    }
  }

  async readInto(target: Uint8Array, offset: number): Promise<void> {
    if (this.#bytes === undefined) throw new Error('this need not be read');
    target.set(this.#bytes.subarray(offset, offset + target.length));
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

test('differences are those of a comparison sector by sector', async (t) => {
  const patch = fc.record({ at: fc.nat(3 * MIB), length: fc.integer({ min: 1, max: 70_000 }), fill: fc.nat(2) });
  const disk = fc.record({ size: fc.integer({ min: 1, max: 3 * MIB }), patches: fc.array(patch, { maxLength: 4 }) });
  const build = ({ size, patches }: { size: number; patches: { at: number; length: number; fill: number }[] }) => {
    const bytes = new Uint8Array(size);
    for (const { at, length, fill } of patches) bytes.fill(fill, at, at + length);
    return bytes;
  };
  await fc.assert(
    fc.asyncProperty(disk, disk, fc.constantFrom(512, 4096, 65536), async (left, right, sectorSize) => {
      const [first, second] = [build(left), build(right)];
      const found = differences(new MemoryDevice(first), new MemoryDevice(second), { sectorSize });
      t.deepEqual(await collect(found), expected(first, second, sectorSize));
    }),
    { numRuns: 60 },
  );
});

test('the first and the last byte count, in clipped sectors; so does a sector that two pieces share', async (t) => {
  const size = 3 * MIB + 100;
  const compare = async (...at: number[]) => {
    const bytes = new Uint8Array(size).fill(7);
    for (const offset of at) bytes[offset] = 8;
    return collect(differences(new MemoryDevice(new Uint8Array(size).fill(7)), new MemoryDevice(bytes)));
  };
  t.deepEqual(await compare(0, size - 1), [
    { start: 0, length: 512 },
    { start: 3 * MIB, length: 100 },
  ]);
  t.deepEqual(await compare(MIB - 1, MIB), [{ start: MIB - 512, length: 1024 }]);
  t.deepEqual(await compare(), []);
});

test('behind the shorter end zeros are the same, unless strict', async (t) => {
  const short = new MemoryDevice(new Uint8Array(1000).fill(1));
  const bytes = new Uint8Array(5000);
  bytes.fill(1, 0, 1000);
  t.deepEqual(await collect(differences(short, new MemoryDevice(bytes))), []);
  t.deepEqual(await collect(differences(new MemoryDevice(bytes), short)), []);
  t.deepEqual(await collect(differences(short, new MemoryDevice(bytes), { strict: true })), [
    { start: 1000, length: 4000 },
  ]);
  bytes[4999] = 1;
  t.deepEqual(await collect(differences(short, new MemoryDevice(bytes))), [{ start: 4608, length: 392 }]);
});

test('what both have in the same place of the same file, and what is zero on both, is not read', async (t) => {
  const file = path.join(temporaryFolder(t), 'base');
  writeFileSync(file, new Uint8Array(256 * KIB).fill(3));
  await using one = await FileDevice.open(file);
  await using other = await FileDevice.open(file);
  const decodeInto = async () => t.fail('this need not be decoded');
  const map = (source: BlockDevice, shift: number): Extent[] => [
    { kind: 'data', start: 0, length: 64 * KIB, source, sourceOffset: 4096 },
    { kind: 'zero', start: 64 * KIB, length: 64 * KIB, explicit: source === one },
    {
      kind: 'encoded',
      start: 128 * KIB,
      length: 64 * KIB,
      source,
      sourceOffset: 8192 + shift,
      sourceLength: 700,
      encoding: 'zlib',
      decodeInto,
    },
  ];
  t.deepEqual(await collect(differences(new MappedDevice(map(one, 0)), new MappedDevice(map(other, 0)))), []);
  // The same through a layer, which the upper image cuts into other pieces.
  const layer = new MappedDevice(map(other, 0));
  const upper = new MappedDevice([{ kind: 'inherited', start: 0, length: layer.size, layer, layerOffset: 0 }]);
  t.deepEqual(await collect(differences(new MappedDevice(map(one, 0)), upper)), []);
  // Other places are read, of data and of what is encoded.
  const at = (sourceOffset: number): MappedDevice =>
    new MappedDevice([{ kind: 'data', start: 0, length: 4096, source: one, sourceOffset }]);
  await t.throwsAsync(collect(differences(at(0), at(512))), { message: 'this need not be read' });
  await t.throwsAsync(collect(differences(new MappedDevice(map(one, 0)), new MappedDevice(map(other, 512)))), {
    message: 'this need not be read',
  });
});

test('one side alone is read where the other is zero', async (t) => {
  const bytes = new Uint8Array(64 * KIB);
  bytes[40_000] = 1;
  const hole = new MappedDevice([{ kind: 'zero', start: 0, length: bytes.length, explicit: true }]);
  t.deepEqual(await collect(differences(hole, new MemoryDevice(bytes))), [{ start: 39936, length: 512 }]);
  t.deepEqual(await collect(differences(new MemoryDevice(bytes), hole)), [{ start: 39936, length: 512 }]);
});

test('a fault of either device at any request comes through, and an abort ends it', async (t) => {
  const bytes = new Uint8Array(12 * MIB).fill(9);
  const good = new MemoryDevice(bytes);
  let faults = 0;
  for (let failAt = 0; failAt < 3; failAt++) {
    for (const pair of [
      [new FaultyDevice(good, failAt), good],
      [good, new FaultyDevice(good, failAt)],
    ] as const) {
      const error = await t.throwsAsync(collect(differences(pair[0], pair[1])));
      if (isInjectedFault(error)) faults += 1;
    }
  }
  t.is(faults, 6);
  const controller = new AbortController();
  const onProgress = () => controller.abort();
  await t.throwsAsync(collect(differences(good, good, { signal: controller.signal, onProgress })), {
    name: 'AbortError',
  });
});

test('progress ends at the end, and a reader that stops early stops the reading', async (t) => {
  const first = new RecordingDevice(new MemoryDevice(new Uint8Array(40 * MIB)));
  const second = new MemoryDevice(new Uint8Array(40 * MIB).fill(1, 0, 512).fill(1, MIB, MIB + 1));
  const seen: Progress[] = [];
  await collect(differences(first, second, { onProgress: (progress) => seen.push(progress) }));
  t.deepEqual(seen.at(-1), { done: 40 * MIB, total: 40 * MIB });
  t.true(seen.every(({ done }, index) => index === 0 || done >= seen[index - 1]!.done));
  const before = first.requests.length;
  for await (const range of differences(first, second)) {
    t.deepEqual(range, { start: 0, length: 512 });
    break;
  }
  t.true(first.requests.length - before < 20);
});
