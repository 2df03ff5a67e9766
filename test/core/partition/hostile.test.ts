import test from 'ava';
import { type BlockDevice, DiskError, layoutRows, MemoryDevice } from '../../../src/core/index.ts';
import { openPartitionTable } from '../../../src/core/partition/formats.ts';
import { seededRandom } from '../../conformance/device-conformance.ts';
import { testContext } from '../../helpers/context.ts';
import { CountingDevice, FaultyDevice, isInjectedFault, RecordingDevice } from '../../helpers/devices.ts';
import { buildGpt, buildMbr, entryAt, writeHeader } from './build-tables.ts';

const gpt = buildGpt({ sectors: 600, entries: [entryAt(40, 99), entryAt(100, 200), entryAt(300, 500)] });
const entry = (startSector: number, sectorCount: number, type = 0x83) => ({ startSector, sectorCount, type });
const mbr = buildMbr(600, {
  0: [entry(40, 50), entry(100, 400, 0x0f)],
  100: [entry(2, 10), entry(100, 50, 5)],
  200: [entry(2, 10), entry(200, 50, 5)],
  300: [entry(2, 10)],
});
const seeds: readonly [string, Uint8Array][] = [
  ['gpt', gpt],
  ['mbr', mbr],
];
/** The most requests that any table may cost: a chain of 1024 records and the probes. */
const MAX_REQUESTS = 1100;

async function readBounded(device: BlockDevice): Promise<'a table' | 'no table' | DiskError> {
  const counting = new CountingDevice(device);
  const outcome = await readChecked(counting);
  if (counting.requestCount > MAX_REQUESTS) throw new Error(`${counting.requestCount} requests`);
  return outcome;
}

async function readChecked(device: BlockDevice): Promise<'a table' | 'no table' | DiskError> {
  try {
    const table = await openPartitionTable(device, testContext());
    if (table === undefined) return 'no table';
    for (const { start, length } of [...table.partitions, ...layoutRows(table, device.size)]) {
      if (!Number.isSafeInteger(start) || !Number.isSafeInteger(length) || start < 0 || length < 0)
        throw new Error(`a range of ${length} bytes at ${start}`);
    }
    return 'a table';
  } catch (error) {
    if (error instanceof DiskError) return error;
    throw error;
  }
}

for (const [name, seed] of seeds) {
  test(`${name}: 3000 mutations give a table, none, or a DiskError with its place`, async (t) => {
    const random = seededRandom(name.length);
    const outcomes = new Set<string>();
    // The places where bytes mean something.
    const places = [0, 440, 512, 1024, 100 * 512 + 440, 200 * 512 + 440, 598 * 512, 599 * 512];
    for (let round = 0; round < 3000; round++) {
      const bytes = seed.slice();
      const changes = 1 + Math.floor(random() * 6);
      for (let count = 0; count < changes; count++) {
        const place = places[Math.floor(random() * places.length)]!;
        bytes[place + Math.floor(random() * 96)] =
          random() < 0.5 ? Math.floor(random() * 256) : [0, 1, 5, 0x7f, 0x80, 0xee, 0xff][Math.floor(random() * 7)]!;
      }
      const device = new MemoryDevice(
        bytes.subarray(0, random() < 0.2 ? Math.floor(random() * bytes.length) : bytes.length),
      );
      const outcome = await readBounded(device);
      if (outcome instanceof DiskError)
        t.true(outcome.code === 'CORRUPT' && outcome.offset !== undefined, outcome.message);
      outcomes.add(typeof outcome === 'string' ? outcome : 'an error');
    }
    t.deepEqual([...outcomes].sort(), ['a table', 'an error', 'no table']);
  });

  test(`${name}: cut at every length up to 40 sectors`, async (t) => {
    for (let size = 0; size < 40 * 512; size += size < 1100 ? 1 : 101) {
      const outcome = await readBounded(new MemoryDevice(seed.subarray(0, size)));
      t.true(
        outcome instanceof DiskError ? outcome.code === 'CORRUPT' : size < 512 === (outcome === 'no table'),
        `${size}`,
      );
    }
  });

  test(`${name}: a fault at any request comes through, or another copy stands in with the same partitions`, async (t) => {
    const whole = new RecordingDevice(new MemoryDevice(seed));
    const expected = (await openPartitionTable(whole, testContext()))?.partitions;
    t.true(whole.requests.length >= 3);
    let stoodIn = 0;
    for (let failAt = 0; failAt < whole.requests.length; failAt++) {
      const context = testContext();
      try {
        const table = await openPartitionTable(new FaultyDevice(new MemoryDevice(seed), failAt), context);
        t.deepEqual(table?.partitions, expected);
        t.regex(context.diagnostics.map(({ message }) => message).join(), /injected fault/);
        stoodIn++;
      } catch (error) {
        t.true(isInjectedFault(error), String(error));
      }
    }
    t.is(stoodIn > 0, name === 'gpt');
  });
}

test('gpt: mutations with right checksums reach the entries and never give a broken range', async (t) => {
  const random = seededRandom(99);
  const outcomes = new Set<string>();
  const numbers = [0, 1, 2, 33, 34, 127, 128, 599, 600, 2 ** 31, 2 ** 32 - 1, 2 ** 52, Number.MAX_SAFE_INTEGER];
  const pick = () => numbers[Math.floor(random() * numbers.length)]!;
  for (let round = 0; round < 2000; round++) {
    const entries = Array.from({ length: 3 }, () => entryAt(pick(), pick()));
    const bytes = buildGpt({ sectors: 600, entries });
    if (random() < 0.5) {
      const header = {
        myLba: 1,
        alternateLba: pick(),
        entryLba: pick(),
        entryCount: pick() % 2 ** 32,
        entrySize: pick() % 2 ** 32,
      };
      writeHeader(bytes, 1, 512, { ...header, firstUsableLba: pick(), lastUsableLba: pick() });
    }
    const outcome = await readBounded(new MemoryDevice(bytes));
    outcomes.add(typeof outcome === 'string' ? outcome : 'an error');
  }
  t.true(outcomes.has('a table'));
  t.false(outcomes.has('no table'));
});
