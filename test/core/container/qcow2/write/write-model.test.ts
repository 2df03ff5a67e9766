import test from 'ava';
import type { CreateOptions } from '../../../../../src/core/container/qcow2/write/create.ts';
import { MemoryDevice, readBytes } from '../../../../../src/core/index.ts';
import { firstDifference, modelAfter, perform, randomOperations } from '../../../../helpers/disk-operations.ts';
import { checkQcow2 } from '../../../../helpers/qcow2-check.ts';
import { seededRandom } from '../../../../helpers/seeded-random.ts';
import { diskOf, emptyImage, openWritable } from './written-images.ts';

const KIB = 1024;

interface Recipe {
  readonly clusterSize: number;
  readonly refcountBits: number;
  readonly size: number;
  readonly version?: 2 | 3;
  /** Bytes of the backing file. */
  readonly backing?: number;
}

const cases: readonly Recipe[] = [
  { clusterSize: 512, refcountBits: 64, size: 200 * KIB },
  { clusterSize: 512, refcountBits: 1, size: 200 * KIB },
  { clusterSize: 512, refcountBits: 16, size: 77 * KIB + 512, backing: 40 * KIB + 100 },
  { clusterSize: 1024, refcountBits: 32, size: 300 * KIB, backing: 900 * KIB },
  { clusterSize: 1024, refcountBits: 2, size: 300 * KIB },
  { clusterSize: 4 * KIB, refcountBits: 4, size: 500 * KIB + 512, backing: 500 * KIB },
  { clusterSize: 4 * KIB, refcountBits: 16, size: 500 * KIB, version: 2 },
  { clusterSize: 4 * KIB, refcountBits: 16, size: 400 * KIB, version: 2, backing: 300 * KIB },
  { clusterSize: 1024, refcountBits: 16, size: 100 * KIB, version: 2, backing: 800 * KIB },
  { clusterSize: 64 * KIB, refcountBits: 8, size: 900 * KIB, backing: 1000 * KIB },
  { clusterSize: 2048 * KIB, refcountBits: 16, size: 5000 * KIB },
];

function makeBacking({ backing }: Recipe, random: () => number): Uint8Array | undefined {
  return backing === undefined ? undefined : Uint8Array.from({ length: backing }, () => random() * 256);
}

for (const [seed, recipe] of cases.entries()) {
  test(`what is written is read, and every count is right: ${JSON.stringify(recipe)}`, async (t) => {
    const { clusterSize, refcountBits, size, version = 3 } = recipe;
    const random = seededRandom(seed);
    const backing = makeBacking(recipe, random);
    const options: CreateOptions = { virtualSize: size, clusterSize, refcountBits, version };
    const named = backing === undefined ? {} : { backing: { name: 'base.raw', format: 'raw' } };
    const file = new MemoryDevice(await emptyImage({ ...options, ...named }));
    let disk: Uint8Array = new Uint8Array(size);
    disk.set(backing?.subarray(0, size) ?? []);
    for (let round = 0; round < 3; round++) {
      {
        await using container = await openWritable(file, backing);
        const length = Math.max(3000, clusterSize * 2);
        const operations = randomOperations(seed * 10 + round, { count: 60, size: disk.length, length, resize: true });
        for (const [index, operation] of operations.entries()) {
          await perform(container, operation);
          disk = modelAfter(disk, operation, clusterSize);
          if (index % 10 === 0) {
            const difference = firstDifference(await readBytes(container, 0, container.size), disk);
            if (difference !== undefined) return t.fail(`round ${round}, operation ${index}: ${difference}`);
          }
        }
      }
      t.deepEqual(checkQcow2(file.bytes), { errors: [], leaks: 0 });
      t.is(firstDifference(await diskOf(file.bytes, backing), disk), undefined);
    }
  });
}
