import test from 'ava';
import { clipExtent, type Extent, joinExtents, readExtents } from '../../../src/core/device/extent.ts';
import { MemoryDevice, mergeExtents } from '../../../src/core/index.ts';
import { collect } from '../../helpers/collect.ts';

const source = new MemoryDevice(Uint8Array.from({ length: 1000 }, (_, index) => index % 256));
const data = (start: number, length: number, sourceOffset: number): Extent => ({
  kind: 'data',
  start,
  length,
  source,
  sourceOffset,
});
const zero = (start: number, length: number, explicit = true): Extent => ({ kind: 'zero', start, length, explicit });
const encoded: Extent = {
  kind: 'encoded',
  start: 100,
  length: 50,
  source,
  sourceOffset: 7,
  sourceLength: 20,
  encoding: 'zlib',
  decodeInto: async (target, offset) => {
    for (let index = 0; index < target.length; index++) target[index] = offset + index;
  },
};

test('clipping keeps the overlap and moves the source with it', (t) => {
  t.deepEqual(clipExtent(data(100, 50, 500), { start: 0, length: 120 }), data(100, 20, 500));
  t.deepEqual(clipExtent(data(100, 50, 500), { start: 130, length: 500 }), data(130, 20, 530));
  t.deepEqual(clipExtent(zero(100, 50), { start: 110, length: 10 }), zero(110, 10));
  const whole = data(100, 50, 500);
  t.is(clipExtent(whole, { start: 0, length: 1000 }), whole);
  t.throws(() => clipExtent(whole, { start: 150, length: 10 }), { message: /overlap/ });
});

test('a clipped encoded extent keeps its whole source and decodes from its own start, clipped twice too', async (t) => {
  const once = clipExtent(encoded, { start: 110, length: 30 });
  const twice = clipExtent(once, { start: 120, length: 100 });
  t.like(twice, { start: 120, length: 20, sourceOffset: 7, sourceLength: 20 });
  const target = new Uint8Array(5);
  if (twice.kind === 'encoded') await twice.decodeInto(target, 3);
  t.deepEqual([...target], [23, 24, 25, 26, 27]);
});

test('extents join only when one can say both', (t) => {
  const other = new MemoryDevice(new Uint8Array(10));
  t.deepEqual(joinExtents(data(0, 10, 100), data(10, 5, 110)), data(0, 15, 100));
  t.is(joinExtents(data(0, 10, 100), data(10, 5, 111)), undefined);
  t.is(joinExtents(data(0, 10, 100), data(11, 5, 111)), undefined);
  t.is(joinExtents(data(0, 10, 100), { ...data(10, 5, 110), source: other } as Extent), undefined);
  t.deepEqual(joinExtents(zero(0, 10), zero(10, 5)), zero(0, 15));
  t.is(joinExtents(zero(0, 10, true), zero(10, 5, false)), undefined);
  t.is(joinExtents(zero(0, 10), data(10, 5, 0)), undefined);
  const inherited = (start: number, layer: MemoryDevice, layerOffset = start): Extent => ({
    kind: 'inherited',
    start,
    length: 10,
    layer,
    layerOffset,
  });
  t.deepEqual(joinExtents(inherited(0, source), inherited(10, source)), { ...inherited(0, source), length: 20 });
  t.is(joinExtents(inherited(0, source), inherited(10, other)), undefined);
  t.is(joinExtents(inherited(0, source), inherited(10, source, 11)), undefined);
  t.is(joinExtents(encoded, { ...encoded, start: 150 }), undefined);
});

async function* list(extents: readonly Extent[]): AsyncGenerator<Extent, void> {
  yield* extents;
}

test('merging joins runs of neighbours', async (t) => {
  const merged = await collect(
    mergeExtents(list([data(0, 1, 5), data(1, 1, 6), data(2, 1, 7), zero(3, 1), zero(4, 2), data(6, 1, 0)])),
  );
  t.deepEqual(merged, [data(0, 3, 5), zero(3, 3), data(6, 1, 0)]);
  t.deepEqual(await collect(mergeExtents(list([]))), []);
});

test('reading extents fills from each kind; a gap or a short answer is our own bug', async (t) => {
  const extents = [
    data(0, 10, 100),
    zero(10, 5),
    { kind: 'inherited', start: 15, length: 5, layer: source, layerOffset: 15 } as Extent,
  ];
  const target = new Uint8Array(20).fill(0xff);
  await readExtents({ size: 20, extents: () => list(extents) }, target, 0);
  t.deepEqual([...target], [100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 0, 0, 0, 0, 0, 15, 16, 17, 18, 19]);
  for (const wrong of [[zero(0, 10)], [zero(1, 19)], [zero(0, 10), zero(11, 9)], [zero(0, 21)]]) {
    await t.throwsAsync(readExtents({ size: 20, extents: () => list(wrong) }, target, 0), {
      message: /assertion failed/,
    });
  }
});

test('of several failures the one at the lowest offset is thrown, and nothing is left running', async (t) => {
  let running = 0;
  const failing = (start: number, delay: number): Extent => ({
    ...(encoded as Extent & { kind: 'encoded' }),
    start,
    length: 10,
    decodeInto: async () => {
      running++;
      await new Promise((resolve) => setTimeout(resolve, delay));
      running--;
      throw new Error(`at ${start}`);
    },
  });
  const extents = [zero(0, 10), failing(10, 20), failing(20, 1), zero(30, 10)];
  const reading = readExtents({ size: 40, extents: () => list(extents) }, new Uint8Array(40), 0);
  await t.throwsAsync(reading, { message: 'at 10' });
  t.is(running, 0);
});

test('merging gives what came before a failure, then the failure', async (t) => {
  const broken = async function* (): AsyncGenerator<Extent, void> {
    yield zero(0, 5);
    yield zero(5, 5);
    throw new Error('broken');
  };
  const seen: Extent[] = [];
  await t.throwsAsync(
    async () => {
      for await (const extent of mergeExtents(broken())) seen.push(extent);
    },
    { message: 'broken' },
  );
  t.deepEqual(seen, [zero(0, 10)]);
});
