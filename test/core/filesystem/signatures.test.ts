import test from 'ava';
import { identifyContent } from '../../../src/core/filesystem/signatures.ts';
import { MemoryDevice } from '../../../src/core/index.ts';
import { CountingDevice } from '../../helpers/devices.ts';

test('content is told by its magic bytes, and by reading little more than them', async (t) => {
  const bytes = new Uint8Array(128 * 1024);
  const device = new CountingDevice(new MemoryDevice(bytes));
  t.is(await identifyContent(device), undefined);
  t.true(device.bytesRead < 8192, `${device.bytesRead} bytes`);
  bytes.set(Buffer.from('_BHRfS_M'), 0x10040);
  t.is(await identifyContent(device), 'Btrfs');
  t.is(await identifyContent(new MemoryDevice(bytes.subarray(0, 0x10047))), undefined, 'too short by a byte');
  t.is(await identifyContent(new MemoryDevice(new Uint8Array(0))), undefined);
});
