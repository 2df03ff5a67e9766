import test from 'ava';
import { DiskError, MemoryDevice, OverlayDevice, readBytes } from '../../../src/core/index.ts';
import { RecordingDevice } from '../../helpers/devices.ts';

const PAGE = 4096;
const original = Uint8Array.from({ length: 5 * PAGE + 100 }, (_, index) => index % 241);

test('writes are seen, listed as changed pages, and never reach the base', async (t) => {
  const base = new RecordingDevice(new MemoryDevice(original.slice()));
  const overlay = new OverlayDevice(base);
  t.deepEqual(overlay.changes(), []);
  await overlay.writeFrom(Uint8Array.of(1, 2, 3), 4 * PAGE - 1);
  await overlay.writeFrom(Uint8Array.of(9), 0);
  await overlay.writeFrom(Uint8Array.of(8), original.length - 1);
  await overlay.flush();
  t.deepEqual(overlay.changes(), [
    { start: 0, length: PAGE },
    { start: 3 * PAGE, length: 2 * PAGE + 100 },
  ]);
  const expected = original.slice();
  expected.set([1, 2, 3], 4 * PAGE - 1);
  expected[0] = 9;
  expected[original.length - 1] = 8;
  t.deepEqual(await readBytes(overlay, 0, original.length), expected);
  t.true(base.requests.every(({ kind }) => kind === 'read'));
  t.deepEqual(await readBytes(base, 0, original.length), original);
});

test('what lies past the base reads as zeros, also beside a write', async (t) => {
  const overlay = new OverlayDevice(new MemoryDevice(original), { size: 10 * PAGE });
  await overlay.writeFrom(Uint8Array.of(5), 5 * PAGE + 200);
  const expected = new Uint8Array(10 * PAGE);
  expected.set(original);
  expected[5 * PAGE + 200] = 5;
  t.deepEqual(await readBytes(overlay, 0, 10 * PAGE), expected);
});

test('an overlay smaller than its base ends where it says', async (t) => {
  const overlay = new OverlayDevice(new MemoryDevice(original), { size: 100 });
  await overlay.writeFrom(Uint8Array.of(5), 99);
  t.deepEqual(overlay.changes(), [{ start: 0, length: 100 }]);
  await t.throwsAsync(readBytes(overlay, 99, 2), { instanceOf: DiskError, code: 'OUT_OF_RANGE' });
});

test('the memory limit refuses the page too many and keeps what was written', async (t) => {
  const overlay = new OverlayDevice(new MemoryDevice(original), { limitBytes: 2 * PAGE });
  await overlay.writeFrom(new Uint8Array(2 * PAGE).fill(1), 0);
  const error = await t.throwsAsync(overlay.writeFrom(Uint8Array.of(1), 2 * PAGE), { instanceOf: DiskError });
  t.is(error?.code, 'OUT_OF_RANGE');
  t.regex(error?.message ?? '', /at most 8192 bytes of changes in memory/);
  await overlay.writeFrom(Uint8Array.of(7), 10);
  t.is((await readBytes(overlay, 10, 1))[0], 7);
});

test('zeros past the base take no memory, and still erase what was written there', async (t) => {
  const overlay = new OverlayDevice(new MemoryDevice(original), { size: 100 * PAGE, limitBytes: 2 * PAGE });
  await overlay.writeFrom(Uint8Array.of(5), 50 * PAGE + 7);
  await overlay.writeFrom(new Uint8Array(94 * PAGE), 6 * PAGE);
  t.deepEqual(await readBytes(overlay, 6 * PAGE, 94 * PAGE), new Uint8Array(94 * PAGE));
  await overlay.writeFrom(new Uint8Array(PAGE), 5 * PAGE);
  const expected = original.slice(4 * PAGE);
  expected.fill(0, PAGE);
  t.deepEqual(await readBytes(overlay, 4 * PAGE, expected.length), expected, 'zeros over the base count');
});

test('two writes into one page at once both stay', async (t) => {
  const overlay = new OverlayDevice(new MemoryDevice(original));
  await Promise.all([overlay.writeFrom(Uint8Array.of(1), 10), overlay.writeFrom(Uint8Array.of(2), 20)]);
  t.deepEqual([(await readBytes(overlay, 10, 1))[0], (await readBytes(overlay, 20, 1))[0]], [1, 2]);
});

test('a write outside is refused and changes nothing', async (t) => {
  const overlay = new OverlayDevice(new MemoryDevice(original));
  for (const offset of [-1, original.length, 0.5, Number.NaN]) {
    const error = await t.throwsAsync(overlay.writeFrom(Uint8Array.of(1), offset), { instanceOf: DiskError });
    t.is(error?.code, 'OUT_OF_RANGE');
  }
  t.deepEqual(overlay.changes(), []);
});

test('what was cut off reads as zeros when the overlay grows again, and the base keeps it', async (t) => {
  const base = new MemoryDevice(original.slice());
  const overlay = new OverlayDevice(base);
  await overlay.writeFrom(new Uint8Array(2 * PAGE).fill(7), PAGE + 50);
  await overlay.resize(2 * PAGE + 10);
  await t.throwsAsync(readBytes(overlay, 2 * PAGE + 10, 1), { instanceOf: DiskError, code: 'OUT_OF_RANGE' });
  await overlay.resize(7 * PAGE);
  const expected = new Uint8Array(7 * PAGE);
  expected.set(original.subarray(0, PAGE + 50));
  expected.fill(7, PAGE + 50, 2 * PAGE + 10);
  t.deepEqual(await readBytes(overlay, 0, 7 * PAGE), expected);
  await overlay.writeFrom(Uint8Array.of(5), 4 * PAGE);
  expected[4 * PAGE] = 5;
  t.deepEqual(await readBytes(overlay, 0, 7 * PAGE), expected);
  t.deepEqual(await readBytes(base, 0, original.length), original);
});
