import test, { type ExecutionContext } from 'ava';
import type { ResizableBlockDevice } from '../../../../../src/core/device/block-device.ts';
import { DiskError, MemoryDevice, readBytes } from '../../../../../src/core/index.ts';
import { FaultyDevice, InjectedFault, isInjectedFault, type Request } from '../../../../helpers/devices.ts';
import {
  type DiskOperation,
  firstDifference,
  modelAfter,
  perform,
  writeOf,
} from '../../../../helpers/disk-operations.ts';
import { fixtureBytes } from '../../../../helpers/fixtures.ts';
import { checkQcow2 } from '../../../../helpers/qcow2-check.ts';
import { diskOf, emptyImage, openWritable } from './written-images.ts';

const KIB = 1024;

/** A file that fails one request, flushes and resizes among them. */
class FaultyFile extends FaultyDevice implements ResizableBlockDevice {
  hasFailed = false;
  #requests = 0;

  protected override note(_request: Request): void {
    if (this.#requests++ !== this.failAt) return;
    this.hasFailed = true;
    throw new InjectedFault(this.failAt);
  }

  async resize(size: number): Promise<void> {
    this.note({ kind: 'write', offset: size, length: 0 });
    return (this.base as MemoryDevice).resize(size);
  }
}

interface Scenario {
  readonly name: string;
  readonly clusterSize: number;
  readonly refcountBits: number;
  readonly size: number;
  /** The image to begin with instead of an empty one; of `size` bytes of disk. */
  readonly fixture?: string;
  readonly backing?: number;
  readonly before: readonly DiskOperation[];
  readonly operations: readonly DiskOperation[];
}

const scenarios: readonly Scenario[] = [
  {
    name: 'writes, zeros, discards',
    clusterSize: 1024,
    refcountBits: 16,
    size: 60 * KIB,
    backing: 50 * KIB,
    before: [writeOf(10 * KIB, 20 * KIB, 9)],
    operations: [
      writeOf(5 * KIB + 100, 9 * KIB, 1),
      { kind: 'discard', offset: 10 * KIB, length: 9 * KIB },
      { kind: 'flush' },
      { kind: 'zeros', offset: 25 * KIB + 5, length: 20 * KIB },
      writeOf(20 * KIB + 1, 30 * KIB, 2),
    ],
  },
  {
    name: 'over compressed clusters',
    fixture: 'qcow2/zlib-v2-4k.qcow2',
    clusterSize: 4 * KIB,
    refcountBits: 16,
    size: 589_824,
    before: [],
    operations: [writeOf(5 * KIB + 100, 30 * KIB, 1), { kind: 'flush' }, writeOf(200 * KIB, 9 * KIB, 2)],
  },
  {
    name: 'over clusters that snapshots have too',
    fixture: 'qcow2/snapshot.qcow2',
    clusterSize: 64 * KIB,
    refcountBits: 16,
    size: 1024 * KIB,
    before: [],
    operations: [writeOf(5 * KIB, 200 * KIB, 1), { kind: 'discard', offset: 100 * KIB, length: 500 * KIB }],
  },
  {
    name: 'a larger disk, its L1 table moved',
    clusterSize: 512,
    refcountBits: 64,
    size: 30 * KIB,
    backing: 200 * KIB,
    before: [writeOf(0, 20 * KIB, 9)],
    operations: [{ kind: 'resize', size: 150 * KIB }, writeOf(140 * KIB, 3 * KIB, 1)],
  },
  {
    name: 'a larger refcount table',
    clusterSize: 512,
    refcountBits: 64,
    size: 2100 * KIB,
    before: [writeOf(0, 1940 * KIB, 9)],
    operations: [writeOf(2000 * KIB, 60 * KIB, 1)],
  },
];

/** Performs all operations, each again when it fails; false when the container refuses to go on. */
async function persist(
  t: ExecutionContext,
  file: FaultyFile,
  operations: readonly DiskOperation[],
  backing: Uint8Array | undefined,
): Promise<boolean> {
  const container = await openWritable(file, backing);
  for (const operation of operations) {
    try {
      await perform(container, operation);
    } catch (error) {
      if (!isInjectedFault(error)) throw error;
      try {
        await perform(container, operation);
      } catch (refusal) {
        t.true(refusal instanceof DiskError && refusal.code === 'IO' && isInjectedFault(refusal));
        await t.throwsAsync(container.flush(), { instanceOf: DiskError });
        await readBytes(container, 0, container.size);
        await container[Symbol.asyncDispose]();
        return false;
      }
    }
  }
  await container[Symbol.asyncDispose]();
  return true;
}

for (const { name, fixture, before, operations, backing: backingSize, ...recipe } of scenarios) {
  test(`a fault at any request leaves a whole image, and writing goes on or is refused: ${name}`, async (t) => {
    const backing = backingSize === undefined ? undefined : new Uint8Array(backingSize).fill(7);
    const named = backing === undefined ? {} : { backing: { name: 'base.raw', format: 'raw' } };
    const { clusterSize, refcountBits, size } = recipe;
    const start = new MemoryDevice(
      fixture === undefined
        ? await emptyImage({ virtualSize: size, clusterSize, refcountBits, ...named })
        : (await fixtureBytes(fixture)).slice(),
    );
    let disk = await diskOf(start.bytes, backing);
    {
      await using container = await openWritable(start, backing);
      for (const operation of before) {
        await perform(container, operation);
        disk = modelAfter(disk, operation, clusterSize);
      }
    }
    const last = operations.reduce((state, operation) => modelAfter(state, operation, clusterSize), disk);
    const outcomes = { went: 0, refused: 0, notOpened: 0 };
    for (let failAt = 0; ; failAt++) {
      const memory = new MemoryDevice(start.bytes.slice());
      const file = new FaultyFile(memory, failAt);
      let hasGoneOn: boolean | undefined;
      try {
        hasGoneOn = await persist(t, file, operations, backing);
      } catch (error) {
        // While it is opened, or in the flush of its end.
        if (!isInjectedFault(error)) throw error;
        outcomes.notOpened++;
      }
      const { errors, leaks } = checkQcow2(memory.bytes);
      if (errors.length > 0) return t.fail(`request ${failAt}: ${errors[0]}`);
      if (hasGoneOn === undefined) continue;
      if (hasGoneOn && leaks > 0) return t.fail(`request ${failAt}: ${leaks} clusters leak`);
      outcomes[hasGoneOn ? 'went' : 'refused']++;
      if (hasGoneOn) {
        const difference = firstDifference(await diskOf(memory.bytes, backing), last);
        if (difference !== undefined) return t.fail(`request ${failAt}: ${difference}`);
      }
      if (!file.hasFailed) break;
    }
    t.log(outcomes);
    t.true(outcomes.went > 5);
  });
}
