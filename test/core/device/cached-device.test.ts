import test from 'ava';
import { CachedDevice, MemoryDevice, readBytes } from '../../../src/core/index.ts';
import { FaultyDevice, InjectedFault, RecordingDevice } from '../../helpers/devices.ts';

const bytes = Uint8Array.from({ length: 10_240 }, (_, index) => index % 253);
const OPTIONS = { blockBytes: 1024, limitBytes: 4096 };

function recorded() {
  const base = new RecordingDevice(new MemoryDevice(bytes));
  return { base, cache: new CachedDevice(base, OPTIONS) };
}

test('a block is read once, however many ask, together or later', async (t) => {
  const { base, cache } = recorded();
  await Promise.all(Array.from({ length: 50 }, (_, index) => readBytes(cache, 1024 + index, 100)));
  await readBytes(cache, 2000, 40);
  t.deepEqual(base.requests, [{ kind: 'read', offset: 1024, length: 1024 }]);
});

test('the last block is read only up to the end', async (t) => {
  const base = new RecordingDevice(new MemoryDevice(bytes.subarray(0, 1500)));
  const cache = new CachedDevice(base, OPTIONS);
  t.deepEqual(await readBytes(cache, 1400, 100), bytes.slice(1400, 1500));
  t.deepEqual(base.requests, [{ kind: 'read', offset: 1024, length: 476 }]);
});

test('no more blocks are kept than the limit allows, the least used going first', async (t) => {
  const { base, cache } = recorded();
  for (const block of [0, 1, 2, 3, 0, 4]) await readBytes(cache, block * 1024, 10);
  t.is(base.requests.length, 5);
  for (const block of [0, 2, 3, 4]) await readBytes(cache, block * 1024, 10);
  t.is(base.requests.length, 5);
  await readBytes(cache, 1024, 10);
  t.is(base.requests.length, 6);
});

test('a read of two blocks and more goes straight to the device and leaves the cache alone', async (t) => {
  const { base, cache } = recorded();
  await readBytes(cache, 0, 10);
  t.deepEqual(await readBytes(cache, 100, 2048), bytes.slice(100, 2148));
  t.deepEqual(base.requests.at(-1), { kind: 'read', offset: 100, length: 2048 });
  await readBytes(cache, 1024, 10);
  await readBytes(cache, 0, 10);
  t.is(base.requests.length, 3);
  t.deepEqual(await readBytes(cache, 1, 2047), bytes.slice(1, 2048));
  t.is(base.requests.length, 3);
});

test('of a large block the pages that are asked for are read, and all of it when that was not enough', async (t) => {
  const large = Uint8Array.from({ length: 100_000 }, (_, index) => index % 251);
  const base = new RecordingDevice(new MemoryDevice(large));
  const cache = new CachedDevice(base, { blockBytes: 65_536, limitBytes: 131_072 });
  t.deepEqual(await readBytes(cache, 9000, 100), large.slice(9000, 9100));
  await readBytes(cache, 8192, 4096);
  t.deepEqual(base.requests, [{ kind: 'read', offset: 8192, length: 4096 }]);
  // Two that want other parts, at once: one reads the whole block, the other has its bytes from it.
  const [first, second] = await Promise.all([readBytes(cache, 12_000, 500), readBytes(cache, 60_000, 9000)]);
  t.deepEqual(first, large.slice(12_000, 12_500));
  t.deepEqual(second, large.slice(60_000, 69_000));
  t.deepEqual(base.requests.slice(1), [
    { kind: 'read', offset: 0, length: 65_536 },
    { kind: 'read', offset: 65_536, length: 4096 },
  ]);
  t.deepEqual(await readBytes(cache, 99_990, 10), large.slice(99_990));
  t.deepEqual(base.requests.at(-1), { kind: 'read', offset: 65_536, length: 34_464 });
});

test('a fault reaches every waiting reader and is not kept', async (t) => {
  const cache = new CachedDevice(new FaultyDevice(new MemoryDevice(bytes), 0), OPTIONS);
  // The faulty device counts what it passed on: a request that failed is not among them, so it fails again until told otherwise.
  const results = await Promise.allSettled([readBytes(cache, 0, 10), readBytes(cache, 5, 10)]);
  t.true(results.every((result) => result.status === 'rejected' && result.reason instanceof InjectedFault));
  let failing = true;
  const base = new MemoryDevice(bytes);
  const flaky = new CachedDevice(
    {
      size: base.size,
      sectorSize: 512,
      readInto: async (target, offset) => {
        if (failing) throw new InjectedFault(0);
        await base.readInto(target, offset);
      },
      [Symbol.asyncDispose]: async () => undefined,
    },
    OPTIONS,
  );
  await t.throwsAsync(readBytes(flaky, 0, 10), { instanceOf: InjectedFault });
  failing = false;
  t.deepEqual(await readBytes(flaky, 0, 10), bytes.slice(0, 10));
});

test("one reader's abort does not fail another", async (t) => {
  const { cache } = recorded();
  const aborted = readBytes(cache, 0, 10, { signal: AbortSignal.abort() });
  const other = readBytes(cache, 0, 10);
  await t.throwsAsync(aborted, { name: 'AbortError' });
  t.deepEqual(await other, bytes.slice(0, 10));
});

test('a cache of less than a block is our own bug', (t) => {
  t.throws(() => new CachedDevice(new MemoryDevice(bytes), { blockBytes: 1024, limitBytes: 1000 }), {
    message: /assertion/,
  });
});

test('a reader that aborts while it waits stops at once; the read goes on for the others and is kept', async (t) => {
  const base = new MemoryDevice(bytes);
  const gate = Promise.withResolvers<void>();
  let reads = 0;
  const slow = {
    size: base.size,
    sectorSize: 512,
    readInto: async (target: Uint8Array, offset: number) => {
      reads++;
      await gate.promise;
      await base.readInto(target, offset);
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
  const cache = new CachedDevice(slow, OPTIONS);
  const controller = new AbortController();
  const impatient = readBytes(cache, 0, 10, { signal: controller.signal });
  const patient = readBytes(cache, 0, 10, { signal: new AbortController().signal });
  controller.abort();
  await t.throwsAsync(impatient, { name: 'AbortError' });
  gate.resolve();
  t.deepEqual(await patient, bytes.slice(0, 10));
  t.deepEqual(await readBytes(cache, 10, 10), bytes.slice(10, 20));
  t.is(reads, 1);
});
