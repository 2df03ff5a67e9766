import { execFileSync } from 'node:child_process';
import { chmod, mkdir, open, readFile, stat, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { WritableFileDevice } from '../../../src/core/device/file-device.ts';
import { DiskError, FileDevice, readBytes, streamBytes } from '../../../src/core/index.ts';
import { temporaryFolder } from '../../helpers/tools.ts';

const isRoot = process.getuid?.() === 0;

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'no error';
  } catch (error) {
    return error instanceof DiskError ? error.code : String(error);
  }
}

test('a directory, a FIFO and a device are refused, without waiting; a missing file is NOT_FOUND', async (t) => {
  const folder = temporaryFolder(t);
  t.is(await codeOf(FileDevice.open(folder)), 'UNSUPPORTED');
  t.is(await codeOf(FileDevice.open(path.join(folder, 'missing'))), 'NOT_FOUND');
  t.is(await codeOf(FileDevice.open(path.join(folder, 'x'.repeat(5000)))), 'NOT_FOUND');
  await writeFile(path.join(folder, 'file'), 'x');
  t.is(await codeOf(FileDevice.open(path.join(folder, 'file', 'below'))), 'NOT_FOUND');
  if (process.platform === 'win32') return;
  execFileSync('mkfifo', [path.join(folder, 'fifo')]);
  t.is(await codeOf(FileDevice.open(path.join(folder, 'fifo'))), 'UNSUPPORTED');
  await symlink(path.join(folder, 'fifo'), path.join(folder, 'link'));
  t.is(await codeOf(FileDevice.open(path.join(folder, 'link'))), 'UNSUPPORTED');
  t.is(await codeOf(FileDevice.open('/dev/null')), 'UNSUPPORTED');
});

test('a file without permission is DENIED', async (t) => {
  if (isRoot || process.platform === 'win32') return t.pass('root may read everything');
  const file = path.join(temporaryFolder(t), 'secret');
  await writeFile(file, 'x');
  await chmod(file, 0);
  t.is(await codeOf(FileDevice.open(file)), 'DENIED');
});

test('a file that shrinks while it is open is IO, with the place; the rest still reads', async (t) => {
  const file = path.join(temporaryFolder(t), 'file');
  await writeFile(file, new Uint8Array(10_000).fill(7));
  await using device = await FileDevice.open(file);
  await truncate(file, 4000);
  t.is(device.size, 10_000);
  t.deepEqual(await readBytes(device, 3990, 10), new Uint8Array(10).fill(7));
  const error = await t.throwsAsync(readBytes(device, 3990, 20), { instanceOf: DiskError });
  t.is(error?.code, 'IO');
  t.is(error?.offset, 4000);
  t.regex(error?.message ?? '', /expected 10000 bytes, as when it was opened/);
});

test('reading leaves the bytes, the modification time and the access time as they were', async (t) => {
  const file = path.join(temporaryFolder(t), 'file');
  const bytes = Uint8Array.from({ length: 100_000 }, (_, index) => index % 251);
  await writeFile(file, bytes);
  // An access time older than the modification is the one that a relatime mount would move.
  await utimes(file, new Date('2001-02-03T04:05:06Z'), new Date('2020-01-01T00:00:00Z'));
  const before = await stat(file, { bigint: true });
  await using device = await FileDevice.open(file);
  let sum = 0;
  for await (const chunk of streamBytes(device, { start: 0, length: device.size })) sum += chunk.length;
  t.is(sum, bytes.length);
  const after = await stat(file, { bigint: true });
  t.is(after.mtimeNs, before.mtimeNs);
  t.is(after.ctimeNs, before.ctimeNs);
  if (process.platform === 'linux') t.is(after.atimeNs, before.atimeNs);
  t.deepEqual(new Uint8Array(await readFile(file)), bytes);
});

test('two paths of one file have one identity', async (t) => {
  const folder = temporaryFolder(t);
  const file = path.join(folder, 'file');
  await writeFile(file, 'x');
  await writeFile(path.join(folder, 'other'), 'x');
  await mkdir(path.join(folder, 'below'));
  await symlink(file, path.join(folder, 'below', 'link'));
  await using one = await FileDevice.open(file);
  await using two = await FileDevice.open(path.join(folder, 'below', 'link'));
  await using three = await FileDevice.open(path.join(folder, 'other'));
  t.is(one.identity, two.identity);
  t.not(one.identity, three.identity);
});

test('a descriptor that was given stays open; one of its own is closed', async (t) => {
  const file = path.join(temporaryFolder(t), 'file');
  await writeFile(file, 'hello');
  await using handle = await open(file);
  const device = await FileDevice.fromDescriptor(handle.fd, '-');
  await device[Symbol.asyncDispose]();
  t.is((await handle.stat()).size, 5);
  await using folder = await open(path.dirname(file));
  t.is(await codeOf(FileDevice.fromDescriptor(folder.fd, '-')), 'UNSUPPORTED');
  const own = await FileDevice.open(file);
  await own[Symbol.asyncDispose]();
  t.is(await codeOf(readBytes(own, 0, 1)), 'IO');
});

test('an aborted read rejects with the reason', async (t) => {
  const file = path.join(temporaryFolder(t), 'file');
  await writeFile(file, 'hello');
  await using device = await FileDevice.open(file);
  await t.throwsAsync(readBytes(device, 0, 1, { signal: AbortSignal.abort() }), { name: 'AbortError' });
});

test('a writable device writes in place, never past its size, and only when asked for', async (t) => {
  const file = path.join(temporaryFolder(t), 'file');
  await writeFile(file, 'hello');
  const device = await WritableFileDevice.open(file);
  await device.writeFrom(Buffer.from('LL'), 2);
  await device.flush();
  t.is(await codeOf(device.writeFrom(Buffer.from('xx'), 4)), 'OUT_OF_RANGE');
  await device[Symbol.asyncDispose]();
  t.is(await readFile(file, 'utf8'), 'heLLo');
  t.false('writeFrom' in (await FileDevice.open(file)));
});
