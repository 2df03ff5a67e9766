import { readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { DiskError, exportDevice, MemoryDevice, OverlayDevice, type Progress } from '../../../src/core/index.ts';
import { FaultyDevice, isInjectedFault } from '../../helpers/devices.ts';
import { temporaryFolder } from '../../helpers/tools.ts';

const KIB = 1024;

/** Data and zeros of many lengths, on and off the 4 KiB grid. */
function patchwork(): Uint8Array {
  const bytes = new Uint8Array(3000 * KIB + 123);
  for (const [start, length] of [
    [0, 1],
    [4095, 2],
    [64 * KIB, 64 * KIB],
    [1024 * KIB - 3, 6],
    [2048 * KIB, 4096],
    [bytes.length - 1, 1],
  ] as const) {
    bytes.fill(0x5a, start, start + length);
  }
  return bytes;
}

test('a file has the bytes, the size and the holes', async (t) => {
  const folder = temporaryFolder(t);
  const out = path.join(folder, 'out.raw');
  const seen: Progress[] = [];
  await exportDevice(new MemoryDevice(patchwork()), out, { onProgress: (progress) => seen.push(progress) });
  t.is(Buffer.compare(readFileSync(out), patchwork()), 0);
  t.true(statSync(out).blocks * 512 < 200 * KIB);
  t.deepEqual(seen.at(-1), { done: patchwork().length, total: patchwork().length });
});

test('an empty device is an empty file, one of zeros only a hole', async (t) => {
  const folder = temporaryFolder(t);
  for (const size of [0, 1, 5 * KIB]) {
    const out = path.join(folder, `out-${size}`);
    await exportDevice(new MemoryDevice(new Uint8Array(size)), out);
    t.is(statSync(out).size, size);
    t.is(statSync(out).blocks, 0);
  }
});

test('a fault at any request leaves no file, and no other is touched', async (t) => {
  const folder = temporaryFolder(t);
  const out = path.join(folder, 'out.raw');
  let failures = 0;
  for (let failAt = 0; ; failAt++) {
    const error = await exportDevice(new FaultyDevice(new MemoryDevice(patchwork()), failAt), out).catch(
      (cause) => cause,
    );
    if (error === undefined) break;
    failures += 1;
    t.true(isInjectedFault(error));
    t.deepEqual(readdirSync(folder), []);
  }
  t.true(failures > 0);
  t.deepEqual(readdirSync(folder), ['out.raw']);
});

test('a file that is there is replaced only when told, and a link never', async (t) => {
  const folder = temporaryFolder(t);
  const out = path.join(folder, 'out.raw');
  writeFileSync(out, 'mine');
  const device = new OverlayDevice(new MemoryDevice(new Uint8Array(10)));
  await t.throwsAsync(exportDevice(device, out), { instanceOf: DiskError });
  t.is(readFileSync(out, 'utf8'), 'mine');
  const link = path.join(folder, 'link');
  symlinkSync(out, link);
  await t.throwsAsync(exportDevice(device, link, { overwrite: true }), { instanceOf: DiskError });
  t.is(readFileSync(out, 'utf8'), 'mine');
  await exportDevice(device, out, { overwrite: true });
  t.is(statSync(out).size, 10);
});

test('an abort leaves no file', async (t) => {
  const folder = temporaryFolder(t);
  const controller = new AbortController();
  const running = exportDevice(new MemoryDevice(new Uint8Array(20 * 1024 * KIB).fill(1)), path.join(folder, 'out'), {
    signal: controller.signal,
    onProgress: () => controller.abort(),
  });
  await t.throwsAsync(running, { name: 'AbortError' });
  t.deepEqual(readdirSync(folder), []);
});
