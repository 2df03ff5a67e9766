import test from 'ava';
import { DiskError, MemoryDevice, readBytes } from '../../../../../src/core/index.ts';
import { mutate } from '../../../../fuzz/mutate.ts';
import { perform, randomOperations } from '../../../../helpers/disk-operations.ts';
import { fixtureBytes } from '../../../../helpers/fixtures.ts';
import { seededRandom } from '../../../../helpers/seeded-random.ts';
import { emptyImage, openWritable } from './written-images.ts';

const KIB = 1024;
const ROUNDS = 300;
/** No damage makes an image of some 100 KiB grow further than this. */
const MAX_FILE_BYTES = 64 * 1024 * KIB;

/** Small images of different kinds, whole. */
async function wholeImages(): Promise<Uint8Array[]> {
  const written = [];
  for (const [clusterSize, refcountBits] of [
    [512, 64],
    [1024, 1],
    [4096, 16],
  ] as const) {
    const file = new MemoryDevice(await emptyImage({ virtualSize: 100 * KIB, clusterSize, refcountBits }));
    await using container = await openWritable(file);
    await container.writeFrom(new Uint8Array(40 * KIB).fill(1), 3 * KIB);
    await container.flush();
    written.push(file.bytes.slice());
  }
  return [...written, await fixtureBytes('qcow2/snapshot.qcow2'), await fixtureBytes('qcow2/extended-l2.qcow2')];
}

test('writing to damaged images ends in a value or a DiskError, and in bounded space', async (t) => {
  const images = await wholeImages();
  const random = seededRandom(4);
  const codes = new Map<string, number>();
  const count = (code: string) => codes.set(code, (codes.get(code) ?? 0) + 1);
  for (let round = 0; round < ROUNDS; round++) {
    const image = mutate(images[round % images.length]!.slice(), random).slice();
    const file = new MemoryDevice(image);
    try {
      await using container = await openWritable(file);
      const size = Math.min(container.size, 200 * KIB);
      if (size === 0) continue;
      for (const operation of randomOperations(round, { count: 8, size, length: 9 * KIB })) {
        await perform(container, operation).catch((error: unknown) => {
          if (!(error instanceof DiskError)) throw error;
          count(error.code);
        });
        await readBytes(container, 0, size).catch((error: unknown) => {
          if (!(error instanceof DiskError)) throw error;
        });
      }
      count('done');
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      count(error.code);
    }
    if (file.size > MAX_FILE_BYTES) t.fail(`round ${round}: the file grew to ${file.size} bytes`);
  }
  t.log(Object.fromEntries(codes));
  t.true(codes.get('done')! > 0 && codes.get('CORRUPT')! > 0 && codes.get('UNSUPPORTED')! > 0);
});

test('a cluster that was cut off with the end of the file is CORRUPT to a write in place, as to a read', async (t) => {
  const file = new MemoryDevice(await emptyImage({ virtualSize: 64 * KIB, clusterSize: 4 * KIB }));
  {
    await using container = await openWritable(file);
    await container.writeFrom(new Uint8Array(16 * KIB).fill(1), 0);
  }
  await file.resize(file.size - 9 * KIB);
  await using container = await openWritable(file);
  const lost = { instanceOf: DiskError, code: 'CORRUPT', message: /L2 table entry 2 .*a data cluster inside the file/ };
  await t.throwsAsync(container.readInto(new Uint8Array(1), 8 * KIB), lost);
  await t.throwsAsync(container.writeFrom(Uint8Array.of(2), 8 * KIB + 5), lost);
  await t.throwsAsync(container.writeFrom(new Uint8Array(12 * KIB).fill(2), 0), lost);
  await container.writeFrom(new Uint8Array(8 * KIB).fill(3), 0);
  t.deepEqual(await readBytes(container, 0, 8 * KIB), new Uint8Array(8 * KIB).fill(3));
});
