import test from 'ava';
import { headerV2 } from '../../../../../src/core/container/qcow2/header.ts';
import type { CreateOptions } from '../../../../../src/core/container/qcow2/write/create.ts';
import { MemoryDevice } from '../../../../../src/core/index.ts';
import {
  type DiskOperation,
  modelAfter,
  perform,
  randomOperations,
  writeOf,
} from '../../../../helpers/disk-operations.ts';
import { checkQcow2 } from '../../../../helpers/qcow2-check.ts';
import { type Crash, cuts, tornCuts, trace, unexplained } from '../../../../helpers/qcow2-crash.ts';
import { seededRandom } from '../../../../helpers/seeded-random.ts';
import { diskOf, emptyImage, openWritable } from './written-images.ts';

const KIB = 1024;
const FLUSH: DiskOperation = { kind: 'flush' };

interface Scenario extends CreateOptions {
  readonly name: string;
  readonly clusterSize: number;
  readonly backingSize?: number;
  /** Done before the record begins. */
  readonly before?: readonly DiskOperation[];
  readonly operations: readonly DiskOperation[];
  /** How many torn images for each cut. */
  readonly seeds?: number;
  readonly movesRefcountTable?: true;
}

const scenarios: readonly Scenario[] = [
  {
    name: 'first writes to an empty image',
    virtualSize: 100 * KIB,
    clusterSize: 512,
    refcountBits: 64,
    operations: [writeOf(100, 40 * KIB, 1), writeOf(80 * KIB, 1500, 2), FLUSH, writeOf(1000, 5000, 3)],
    seeds: 12,
  },
  {
    name: 'over a backing file',
    virtualSize: 64 * KIB,
    clusterSize: 4096,
    backingSize: 50 * KIB + 100,
    operations: [writeOf(5000, 100, 1), writeOf(50 * KIB, 5000, 2), FLUSH, writeOf(5050, 9000, 3), FLUSH],
  },
  {
    name: 'clusters given up and used again',
    virtualSize: 64 * KIB,
    clusterSize: 1024,
    before: [writeOf(0, 64 * KIB, 9)],
    operations: [
      { kind: 'discard', offset: 10 * KIB, length: 20 * KIB },
      writeOf(100, 500, 1),
      { kind: 'zeros', offset: 40 * KIB + 3, length: 9 * KIB },
      FLUSH,
      writeOf(11 * KIB + 7, 12 * KIB, 2),
      { kind: 'discard', offset: 0, length: 64 * KIB },
      writeOf(20 * KIB, 3 * KIB, 3),
      FLUSH,
      writeOf(0, 30 * KIB, 4),
    ],
  },
  {
    name: 'zeros and discards over a backing file, version 2',
    version: 2,
    virtualSize: 48 * KIB,
    clusterSize: 1024,
    backingSize: 30 * KIB,
    before: [writeOf(3000, 9000, 9)],
    operations: [
      { kind: 'zeros', offset: 5 * KIB + 100, length: 8 * KIB },
      { kind: 'discard', offset: 25 * KIB, length: 20 * KIB },
      writeOf(2 * KIB, 20 * KIB, 5),
    ],
  },
  {
    name: 'a larger disk, its L1 table moved, over a longer backing file',
    virtualSize: 30 * KIB + 512,
    clusterSize: 512,
    backingSize: 300 * KIB,
    before: [writeOf(29 * KIB, 1000, 9)],
    operations: [writeOf(1000, 3000, 1), { kind: 'resize', size: 150 * KIB }, writeOf(140 * KIB, 2000, 2)],
  },
  {
    name: 'a larger refcount table',
    virtualSize: 2300 * KIB,
    clusterSize: 512,
    refcountBits: 64,
    before: [writeOf(0, 1920 * KIB, 9)],
    operations: [writeOf(2000 * KIB, 90 * KIB, 1)],
    seeds: 3,
    movesRefcountTable: true,
  },
  ...[1, 2, 3, 4].map((seed) => ({
    name: `anything, seed ${seed}`,
    virtualSize: 40 * KIB,
    clusterSize: seed % 2 === 0 ? 512 : 2048,
    refcountBits: [64, 1, 2, 16][seed - 1]!,
    ...(seed > 2 ? { backingSize: 35 * KIB } : {}),
    operations: randomOperations(seed, { count: 25, size: 40 * KIB, length: 4 * KIB, resize: true }),
  })),
];

/** Where an image has its refcount table. */
function tableOffset(image: Uint8Array): number {
  return headerV2.parse(image).refcountTableOffset;
}

for (const [index, scenario] of scenarios.entries()) {
  test(`a crash at any write leaves a whole image: ${scenario.name}`, async (t) => {
    const { clusterSize, virtualSize, backingSize, before = [], operations } = scenario;
    const random = seededRandom(index);
    const backing =
      backingSize === undefined ? undefined : Uint8Array.from({ length: backingSize }, () => 1 + random() * 250);
    const named = backing === undefined ? {} : { backing: { name: 'base.raw', format: 'raw' } };
    const start = new MemoryDevice(await emptyImage({ ...scenario, ...named }));
    let disk: Uint8Array = new Uint8Array(virtualSize);
    disk.set(backing?.subarray(0, virtualSize) ?? []);
    const open = (file: typeof start) => openWritable(file, backing);
    {
      await using container = await open(start);
      for (const operation of before) {
        await perform(container, operation);
        disk = modelAfter(disk, operation, clusterSize);
      }
    }
    const recorded = await trace(start.bytes, disk, operations, clusterSize, (file) => openWritable(file, backing));
    const complaint = async (crash: Crash): Promise<string | undefined> => {
      const { errors } = checkQcow2(crash.image);
      const wrong = errors[0] ?? unexplained(crash, await diskOf(crash.image, backing));
      return wrong === undefined ? undefined : `${crash.name}: ${wrong}`;
    };
    let count = 0;
    for (const crash of [...cuts(recorded), ...tornCuts(recorded, scenario.seeds ?? 4)]) {
      const wrong = await complaint(crash);
      if (wrong !== undefined) return t.fail(wrong);
      count++;
    }
    t.is(tableOffset(recorded.file.bytes) !== tableOffset(start.bytes), scenario.movesRefcountTable === true);
    t.log(`${recorded.file.operations.length} operations of the file, ${count} crashes`);
    t.deepEqual(checkQcow2(recorded.file.bytes), { errors: [], leaks: 0 });
  });
}
