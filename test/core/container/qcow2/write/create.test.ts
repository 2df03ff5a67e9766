import test from 'ava';
import { qcow2Format } from '../../../../../src/core/container/qcow2/qcow2-format.ts';
import { type CreateOptions, createQcow2 } from '../../../../../src/core/container/qcow2/write/create.ts';
import { DiskError, MemoryDevice } from '../../../../../src/core/index.ts';
import { checkQcow2 } from '../../../../helpers/qcow2-check.ts';
import { RecordedFile } from '../../../../helpers/recorded-file.ts';
import { diskOf, emptyImage } from './written-images.ts';

const KIB = 1024;

test('a crash while an image is made leaves none, or a whole one', async (t) => {
  const old = await emptyImage({ virtualSize: 9 * KIB, clusterSize: 512 });
  const file = new RecordedFile(old);
  await createQcow2(file, { virtualSize: 300 * KIB, clusterSize: 1024, refcountBits: 64 });
  let whole = 0;
  for (let count = 1; count <= file.operations.length; count++) {
    for (const image of [file.after(count), file.afterReordered(count, count), file.afterReordered(count, -count)]) {
      if (!(await qcow2Format.probe(new MemoryDevice(image)))) continue;
      whole++;
      t.deepEqual(checkQcow2(image), { errors: [], leaks: 0 });
      t.is((await diskOf(image)).length, 300 * KIB);
    }
  }
  t.true(whole >= 2);
});

test('what the format does not have is refused before anything is written', async (t) => {
  const refused: readonly CreateOptions[] = [
    { virtualSize: 1000 },
    { virtualSize: -512 },
    { virtualSize: Number.NaN },
    { virtualSize: 2 ** 50, clusterSize: 512 },
    { virtualSize: 512, clusterSize: 256 },
    { virtualSize: 512, clusterSize: 3000 },
    { virtualSize: 512, clusterSize: 4 * 1024 * KIB },
    { virtualSize: 512, refcountBits: 3 },
    { virtualSize: 512, refcountBits: 128 },
    { virtualSize: 512, version: 2, refcountBits: 8 },
    { virtualSize: 512, version: 2, compressionType: 'zstd' },
    { virtualSize: 512, backing: { name: 'x'.repeat(1024), format: 'raw' } },
    { virtualSize: 512, clusterSize: 512, backing: { name: 'x'.repeat(400), format: 'raw' } },
    { virtualSize: 512, backing: { name: '', format: 'raw' } },
  ];
  for (const options of refused) {
    const file = new RecordedFile(new Uint8Array(100));
    const error = await t.throwsAsync(createQcow2(file, options), { instanceOf: DiskError }, JSON.stringify(options));
    t.is(error?.code, options.version === 2 ? 'UNSUPPORTED' : 'OUT_OF_RANGE');
    t.deepEqual(file.operations, []);
  }
});
