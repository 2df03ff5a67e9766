import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import type { ResizableBlockDevice } from '../../../../../src/core/device/block-device.ts';
import { WritableFileDevice } from '../../../../../src/core/device/file-device.ts';
import { RecordingDevice } from '../../../../helpers/devices.ts';
import { checkQcow2 } from '../../../../helpers/qcow2-check.ts';
import { temporaryFolder } from '../../../../helpers/tools.ts';
import { emptyImage, openWritable } from './written-images.ts';

const KIB = 1024;
/** Bytes of the disk that one table of the smallest clusters maps. */
const TABLE_SPAN = 32 * KIB;

/** A file that keeps a list of what was asked of it. */
class RecordingFile extends RecordingDevice implements ResizableBlockDevice {
  async resize(size: number): Promise<void> {
    return (this.base as WritableFileDevice).resize(size);
  }

  flushes(): number {
    return this.requests.filter(({ kind }) => kind === 'flush').length;
  }
}

test('tables that wait in memory are written when they are many, without being asked for', async (t) => {
  const image = path.join(temporaryFolder(t), 'image.qcow2');
  await writeFile(image, await emptyImage({ virtualSize: 6000 * TABLE_SPAN, clusterSize: 512 }));
  const file = new RecordingFile(await WritableFileDevice.open(image));
  const container = await openWritable(file);
  const chunk = new Uint8Array(3 * KIB).fill(7);
  const write = async (from: number, to: number): Promise<number> => {
    const before = file.flushes();
    for (let table = from; table < to; table++) await container.writeFrom(chunk, table * TABLE_SPAN);
    return file.flushes() - before;
  };
  // Here the refcount table grows, at once.
  await write(0, 4050);
  t.is(await write(4050, 4090), 0);
  t.true((await write(4090, 4100)) > 0);
  await container.flush();
  const before = file.flushes();
  // What is given up waits as well, until its pointers have gone.
  await container.discard({ start: 0, length: 4100 * TABLE_SPAN });
  t.true(file.flushes() > before);
  await container[Symbol.asyncDispose]();
  await file[Symbol.asyncDispose]();
  t.deepEqual(checkQcow2(await readFile(image)), { errors: [], leaks: 0 });
});
