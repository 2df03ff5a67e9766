import test from 'ava';
import { readExtents } from '../../src/core/device/extent.ts';
import {
  type BlockDevice,
  DiskError,
  type Extent,
  type ExtentSource,
  MemoryDevice,
  mergeExtents,
  streamBytes,
} from '../../src/core/index.ts';
import { FaultyDevice, isInjectedFault, RecordingDevice } from '../helpers/devices.ts';
import { seededRandom } from './device-conformance.ts';

const random = seededRandom(21);
const bytes = Uint8Array.from({ length: 100_000 }, () => random() * 256);

/** Answers after a while, the earlier requests last, and counts what is under way. */
class SlowDevice extends RecordingDevice {
  running = 0;
  most = 0;

  override async readInto(target: Uint8Array, offset: number): Promise<void> {
    this.running++;
    this.most = Math.max(this.most, this.running);
    await new Promise((resolve) => setTimeout(resolve, 10 - Math.min(9, this.requests.length)));
    try {
      await super.readInto(target, offset);
    } finally {
      this.running--;
    }
  }
}

test('streamed chunks come in order, of the size asked for, with several reads under way', async (t) => {
  for (const chunkBytes of [1, 999, 10_000, 33_333, 100_000, 1_000_000]) {
    const length = chunkBytes === 1 ? 50 : bytes.length - 7;
    const device = new SlowDevice(new MemoryDevice(bytes));
    const parts: Uint8Array[] = [];
    for await (const chunk of streamBytes(device, { start: 7, length }, { chunkBytes })) parts.push(chunk.slice());
    t.is(Buffer.compare(Buffer.concat(parts), bytes.subarray(7, 7 + length)), 0);
    t.true(parts.slice(0, -1).every((part) => part.length === chunkBytes));
    t.is(device.most, Math.min(3, parts.length), `chunks of ${chunkBytes}`);
  }
  for await (const chunk of streamBytes(new MemoryDevice(bytes), { start: 5, length: 0 }))
    t.fail(`${chunk.length} bytes`);
});

test('a chunk stays as it is while its reader works on it', async (t) => {
  const device = new MemoryDevice(bytes);
  let at = 0;
  for await (const chunk of streamBytes(device, { start: 0, length: bytes.length }, { chunkBytes: 4096 })) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    t.is(Buffer.compare(chunk, bytes.subarray(at, at + chunk.length)), 0);
    at += chunk.length;
  }
});

test('a stream fails at the chunk that failed, after the ones before it, and leaves nothing running', async (t) => {
  for (let failAt = 0; failAt < 10; failAt++) {
    const device = new FaultyDevice(new MemoryDevice(bytes), failAt);
    let chunks = 0;
    const reading = async () => {
      for await (const chunk of streamBytes(device, { start: 0, length: bytes.length }, { chunkBytes: 10_000 }))
        chunks += chunk.length / 10_000;
    };
    t.true(isInjectedFault(await t.throwsAsync(reading())));
    t.is(chunks, failAt);
  }
});

test('a stream left early waits for its reads; an aborted one ends', async (t) => {
  const device = new SlowDevice(new MemoryDevice(bytes));
  for await (const _ of streamBytes(device, { start: 0, length: bytes.length }, { chunkBytes: 10_000 })) break;
  t.is(device.running, 0);
  const controller = new AbortController();
  const reading = async () => {
    const options = { chunkBytes: 10_000, signal: controller.signal };
    for await (const _ of streamBytes(device, { start: 0, length: bytes.length }, options)) controller.abort();
  };
  await t.throwsAsync(reading(), { name: 'AbortError' });
  t.is(device.running, 0);
});

/** Pieces of 1000 bytes of `source`, every second one a zero. */
function striped(source: BlockDevice, failure?: { readonly at: number; readonly error: Error }): ExtentSource {
  return {
    size: bytes.length,
    async *extents(range) {
      for (let start = range.start; start < range.start + range.length; start += 1000) {
        if (failure !== undefined && start >= failure.at) throw failure.error;
        if (start % 2000 === 0) yield { kind: 'data', start, length: 1000, source, sourceOffset: start };
        else yield { kind: 'zero', start, length: 1000, explicit: true };
      }
    },
  };
}

test('readExtents reads several extents at once, a bounded number, and every byte lands in its place', async (t) => {
  const device = new SlowDevice(new MemoryDevice(bytes));
  const target = new Uint8Array(bytes.length).fill(0xa5);
  await readExtents(striped(device), target, 0);
  const expected = bytes.map((byte, index) => (Math.floor(index / 1000) % 2 === 0 ? byte : 0));
  t.is(Buffer.compare(target, expected), 0);
  t.true(device.most > 1 && device.most <= 8, `${device.most} at once`);
});

test('of several failures readExtents throws the one at the lowest offset, once nothing is running any more', async (t) => {
  class FailingDevice extends SlowDevice {
    override async readInto(target: Uint8Array, offset: number): Promise<void> {
      await super.readInto(target, offset);
      throw new DiskError('IO', { layer: 'test', offset });
    }
  }
  const device = new FailingDevice(new MemoryDevice(bytes));
  const mapFailure = { at: 3000, error: new DiskError('CORRUPT', { layer: 'test', offset: 3000 }) };
  const error = await t.throwsAsync(readExtents(striped(device, mapFailure), new Uint8Array(20_000), 0), {
    instanceOf: DiskError,
  });
  t.is(error?.offset, 0);
  t.is(device.running, 0);
  const fine = striped(new MemoryDevice(bytes), mapFailure);
  t.is(await t.throwsAsync(readExtents(fine, new Uint8Array(20_000), 0)), mapFailure.error);
});

test('mergeExtents joins neighbours and gives what came before a failure', async (t) => {
  const source = new MemoryDevice(bytes);
  const error = new Error('the map ends');
  async function* pieces(): AsyncGenerator<Extent> {
    yield { kind: 'data', start: 0, length: 10, source, sourceOffset: 100 };
    yield { kind: 'data', start: 10, length: 10, source, sourceOffset: 110 };
    yield { kind: 'zero', start: 20, length: 5, explicit: true };
    throw error;
  }
  const seen: Extent[] = [];
  const walk = async () => {
    for await (const extent of mergeExtents(pieces())) seen.push(extent);
  };
  t.is(await t.throwsAsync(walk()), error);
  t.deepEqual(
    seen.map(({ kind, start, length }) => [kind, start, length]),
    [
      ['data', 0, 20],
      ['zero', 20, 5],
    ],
  );
});

test('a stream of what is ready at once lets timers and signals through', async (t) => {
  const zeros: BlockDevice = {
    size: 2 ** 50,
    sectorSize: 512,
    readInto: async (target) => void target.fill(0, 0, 512),
    [Symbol.asyncDispose]: async () => undefined,
  };
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 20);
  const stream = streamBytes(zeros, { start: 0, length: zeros.size }, { signal: controller.signal });
  const error = await t.throwsAsync(async () => {
    for await (const chunk of stream) if (chunk.length === 0) t.fail();
  });
  t.is(error?.name, 'AbortError');
});
