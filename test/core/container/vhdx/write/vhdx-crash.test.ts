import test from 'ava';
import { vhdxFormat } from '../../../../../src/core/container/vhdx/vhdx-format.ts';
import { RecordedFile } from '../../../../helpers/recorded-file.ts';
import { changingCalls, cuts, PREPARED, readBothWays, readInMemory, recordCalls, wrongState } from './crash-trace.ts';
import { type DiskRecipe, firstDifference, MIB } from './vhdx-model.ts';

const recipes: DiskRecipe[] = [
  { type: 'dynamic', virtualSize: 3 * MIB + 4096, blockSize: MIB },
  { type: 'fixed', virtualSize: 3 * MIB + 4096, blockSize: MIB },
  { type: 'differencing', virtualSize: 3 * MIB + 4096, blockSize: MIB, parentSize: 6 * MIB },
  { type: 'differencing', virtualSize: 3 * MIB + 4096, blockSize: MIB, parentSize: 3 * MIB, logicalSectorSize: 4096 },
];

/** Headers and log stand before it. */
const METADATA_OFFSET = 2 * MIB;
const CRITICAL_SEEDS = 3;

for (const recipe of recipes) {
  const name = `${recipe.type}, blocks of ${recipe.blockSize / MIB} MiB, sectors of ${recipe.logicalSectorSize ?? 512}`;
  test(`a crash at any operation leaves the state before or after: ${name}`, async (t) => {
    const trace = await recordCalls(recipe, PREPARED, changingCalls(recipe));
    const wrong: string[] = [];
    const check = async (count: number, bytes: Uint8Array, mayLose: boolean, what: string): Promise<void> => {
      try {
        // That the replay for real gives the same as the one in memory is seen in order; it takes most of the time.
        const { inMemory, forReal } = mayLose
          ? { inMemory: await readInMemory(bytes, trace.context) }
          : await readBothWays(bytes, trace.context);
        const why = wrongState(trace, count, inMemory, mayLose);
        if (why !== undefined) wrong.push(`${what}: ${why}`);
        if (forReal !== undefined && Buffer.compare(inMemory, forReal) !== 0)
          wrong.push(`${what}: the replay for real gives another disk`);
      } catch (error) {
        wrong.push(`${what}: ${String(error)}`);
      }
    };
    const all = cuts(trace);
    for (const count of all) await check(count, trace.file.after(count), false, `cut ${count}`);
    // The two kinds of differencing disks differ in nothing that matters here, and a fixed one hardly changes its structures.
    const isReordered = recipe.type !== 'fixed' && recipe.logicalSectorSize === undefined;
    for (const [index, operation] of isReordered ? trace.file.operations.entries() : []) {
      const count = index + 1;
      // Where the order of writes matters most: a log entry, or a header that names a log or puts it away, is on its way.
      const isCritical = operation.kind === 'write' && operation.offset < METADATA_OFFSET;
      for (let seed = 1; seed <= (isCritical ? CRITICAL_SEEDS : 1); seed++)
        await check(count, trace.file.afterReordered(count, 1000 * seed + count), true, `cut ${count}, seed ${seed}`);
    }
    t.true(all.length > 30, `${all.length} cuts`);
    t.deepEqual(wrong.slice(0, 5), []);
  });
}

test('a crash while a pending log is replayed for real leaves it to be replayed again', async (t) => {
  const recipe: DiskRecipe = { type: 'dynamic', virtualSize: 3 * MIB + 4096, blockSize: MIB };
  const trace = await recordCalls(recipe, PREPARED, changingCalls(recipe).slice(0, 4));
  // The end of the last call, before the disk is closed: the log has an entry of each call.
  const pending = trace.file.after(trace.starts[4]!);
  const expected = await readInMemory(pending, trace.context);
  const file = new RecordedFile(pending);
  await vhdxFormat.openWritable!(file, trace.context);
  t.true(file.operations.some((operation) => operation.kind === 'write' && operation.offset >= METADATA_OFFSET));
  for (let count = 0; count <= file.operations.length; count++) {
    for (let seed = 0; seed < CRITICAL_SEEDS; seed++) {
      const { inMemory, forReal } = await readBothWays(file.afterReordered(count, seed * 100 + count), trace.context);
      t.is(firstDifference(inMemory, expected), undefined, `cut ${count}, seed ${seed}`);
      t.is(firstDifference(forReal, expected), undefined, `cut ${count}, seed ${seed}`);
    }
  }
});
