import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import {
  CachedDevice,
  ExtentDevice,
  FileDevice,
  MemoryDevice,
  OverlayDevice,
  RangeView,
} from '../../src/core/index.ts';
import { CountingDevice, FaultyDevice, RecordingDevice } from '../helpers/devices.ts';
import { deviceConformance, seededRandom } from './device-conformance.ts';

const random = seededRandom(7);
const bytes = Uint8Array.from({ length: 300_001 }, () => random() * 256);
const folder = mkdtempSync(path.join(tmpdir(), 'sectorscope-devices-'));
const file = path.join(folder, 'bytes.bin');
writeFileSync(file, bytes);
test.after.always(() => rmSync(folder, { recursive: true }));

deviceConformance('memory', async () => ({ device: new MemoryDevice(bytes), expected: bytes }));
deviceConformance('file', async () => ({ device: await FileDevice.open(file), expected: bytes }));
deviceConformance('range view', async () => ({
  device: new RangeView(new MemoryDevice(bytes), { start: 777, length: 100_000 }),
  expected: bytes.subarray(777, 100_777),
}));
deviceConformance('counting', async () => ({ device: new CountingDevice(new MemoryDevice(bytes)), expected: bytes }));
deviceConformance('recording', async () => ({ device: new RecordingDevice(new MemoryDevice(bytes)), expected: bytes }));
deviceConformance('faulty, never failing', async () => ({
  device: new FaultyDevice(new MemoryDevice(bytes), Number.POSITIVE_INFINITY),
  expected: bytes,
}));
for (const blockBytes of [512, 4096, 65536]) {
  deviceConformance(`cached, ${blockBytes}-byte blocks, two of them kept`, async () => ({
    device: new CachedDevice(new MemoryDevice(bytes), { blockBytes, limitBytes: 2 * blockBytes }),
    expected: bytes,
  }));
}
deviceConformance('overlay, untouched', async () => ({
  device: new OverlayDevice(new MemoryDevice(bytes)),
  expected: bytes,
}));
deviceConformance('overlay, written at odd places and grown', async () => {
  const device = new OverlayDevice(new MemoryDevice(bytes), { size: 400_000 });
  const expected = new Uint8Array(400_000);
  expected.set(bytes);
  const writes = seededRandom(3);
  for (let count = 0; count < 60; count++) {
    const offset = Math.floor(writes() * 390_000);
    const patch = Uint8Array.from({ length: Math.floor(writes() * 10_000) }, () => writes() * 256);
    await device.writeFrom(patch, offset);
    expected.set(patch, offset);
  }
  return { device, expected };
});
deviceConformance('extent device', async () => {
  const source = new MemoryDevice(bytes);
  const expected = new Uint8Array(30_000);
  expected.set(bytes.subarray(50_000, 60_000), 0);
  expected.set(bytes.subarray(5, 10_005), 20_000);
  const device = new ExtentDevice(
    {
      size: 30_000,
      async *extents(range) {
        const all = [
          { kind: 'data', start: 0, length: 10_000, source, sourceOffset: 50_000 } as const,
          { kind: 'zero', start: 10_000, length: 10_000, explicit: true } as const,
          { kind: 'data', start: 20_000, length: 10_000, source, sourceOffset: 5 } as const,
        ];
        for (const extent of all) {
          const start = Math.max(extent.start, range.start);
          const end = Math.min(extent.start + extent.length, range.start + range.length);
          if (start >= end) continue;
          const moved = start - extent.start;
          yield extent.kind === 'zero'
            ? { ...extent, start, length: end - start }
            : { ...extent, start, length: end - start, sourceOffset: extent.sourceOffset + moved };
        }
      },
    },
    512,
  );
  return { device, expected };
});
