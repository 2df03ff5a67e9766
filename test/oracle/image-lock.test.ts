import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { createImage, openWritableImage } from '../../src/core/index.ts';
import { hasTools, temporaryFolder, tool } from '../helpers/tools.ts';

/** qemu-io with the image open; it holds its locks until the test ends. */
async function holding(t: ExecutionContext, args: readonly string[]): Promise<() => Promise<void>> {
  const child = spawn('qemu-io', [...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  child.stdin.write('length\n');
  await once(child.stdout, 'data');
  return async () => {
    child.stdin.end();
    await once(child, 'close');
  };
}

async function rawImage(t: ExecutionContext): Promise<string> {
  const file = path.join(temporaryFolder(t), 'disk.raw');
  await createImage(file, { format: 'raw', size: 1024 * 1024 });
  return file;
}

const REFUSED = { code: 'DENIED', message: /no other program/ };

test('an image that QEMU has open for writing is not opened for writing', async (t) => {
  if (process.platform !== 'linux' || !hasTools(t, 'qemu-io')) return;
  const file = await rawImage(t);
  const release = await holding(t, ['-f', 'raw', file]);
  await t.throwsAsync(openWritableImage(file, { writable: true }), REFUSED);
  await t.throwsAsync(createImage(file, { format: 'raw', size: 512, overwrite: true }), REFUSED);
  await release();
  await using image = await openWritableImage(file, { writable: true });
  t.is(image.disk.size, 1024 * 1024);
});

test('QEMU does not write to an image that is open for writing here', async (t) => {
  if (process.platform !== 'linux' || !hasTools(t, 'qemu-io')) return;
  const file = await rawImage(t);
  const write = () => tool('qemu-io', ['-f', 'raw', '-c', 'write 0 512', file]);
  {
    await using _image = await openWritableImage(file, { writable: true });
    await t.throwsAsync(write, { message: /Failed to get "write" lock/ });
  }
  await t.notThrowsAsync(write);
});
