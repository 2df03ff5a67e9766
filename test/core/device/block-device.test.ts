import test from 'ava';
import { DiskError, MemoryDevice, RangeView, readBytes, streamBytes } from '../../../src/core/index.ts';
import { collect } from '../../helpers/collect.ts';
import { FaultyDevice, InjectedFault } from '../../helpers/devices.ts';

const bytes = Uint8Array.from({ length: 10_000 }, (_, index) => index % 251);

test('nothing is allocated for a size that the device does not have', async (t) => {
  const device = new MemoryDevice(bytes);
  for (const length of [2 ** 40, Number.MAX_SAFE_INTEGER, Number.POSITIVE_INFINITY, Number.NaN, -1]) {
    const error = await t.throwsAsync(readBytes(device, 0, length), { instanceOf: DiskError });
    t.is(error?.code, 'OUT_OF_RANGE');
  }
  const endless = {
    ...device,
    size: 2 ** 50,
    sectorSize: 512,
    readInto: async () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  };
  await t.throwsAsync(readBytes(endless, 0, 2 ** 49), { instanceOf: DiskError, message: /at most 268435456 bytes/ });
});

test('a stream gives a range in order, whatever the chunk size', async (t) => {
  for (const chunkBytes of [1, 7, 512, 9999, 100_000]) {
    const parts: Uint8Array[] = [];
    for await (const chunk of streamBytes(new MemoryDevice(bytes), { start: 13, length: 2000 }, { chunkBytes }))
      parts.push(chunk.slice());
    t.deepEqual(new Uint8Array(Buffer.concat(parts)), bytes.slice(13, 2013), String(chunkBytes));
  }
  t.deepEqual(await collect(streamBytes(new MemoryDevice(bytes), { start: 10_000, length: 0 })), []);
});

test('a fault in a stream reaches its reader at any request, and stopping early is fine', async (t) => {
  for (let failAt = 0; failAt < 10; failAt++) {
    const device = new FaultyDevice(new MemoryDevice(bytes), failAt);
    let chunks = 0;
    await t.throwsAsync(
      async () => {
        for await (const chunk of streamBytes(device, { start: 0, length: 10_000 }, { chunkBytes: 1000 }))
          chunks += chunk.length > 0 ? 1 : 0;
      },
      { instanceOf: InjectedFault },
    );
    t.is(chunks, failAt);
  }
  const device = new FaultyDevice(new MemoryDevice(bytes), 1);
  for await (const chunk of streamBytes(device, { start: 0, length: 10_000 }, { chunkBytes: 1000 })) {
    t.is(chunk.length, 1000);
    break;
  }
});

test('an aborted stream stops', async (t) => {
  const controller = new AbortController();
  let chunks = 0;
  await t.throwsAsync(
    async () => {
      for await (const chunk of streamBytes(
        new MemoryDevice(bytes),
        { start: 0, length: 10_000 },
        { chunkBytes: 1000, signal: controller.signal },
      )) {
        chunks += chunk.length > 0 ? 1 : 0;
        controller.abort();
      }
    },
    { name: 'AbortError' },
  );
  // What was being read ahead may still come.
  t.true(chunks >= 1 && chunks < 10);
});

test('a range view outside its base is OUT_OF_RANGE', (t) => {
  for (const range of [
    { start: -1, length: 5 },
    { start: 9_999, length: 2 },
    { start: 0, length: -1 },
    { start: 2 ** 53, length: 1 },
  ]) {
    t.is(
      t.throws(() => new RangeView(new MemoryDevice(bytes), range), { instanceOf: DiskError })?.code,
      'OUT_OF_RANGE',
    );
  }
});
