import test from 'ava';
import { changingCalls, cuts, PREPARED, readBothWays, recordCalls, wrongState } from './crash-trace.ts';
import { type DiskRecipe, MIB } from './vhdx-model.ts';

const recipes: DiskRecipe[] = [
  { type: 'dynamic', virtualSize: 3 * MIB + 4096, blockSize: MIB },
  { type: 'fixed', virtualSize: 3 * MIB + 4096, blockSize: MIB },
  { type: 'differencing', virtualSize: 3 * MIB + 4096, blockSize: MIB, parentSize: 6 * MIB },
  { type: 'differencing', virtualSize: 3 * MIB + 4096, blockSize: MIB, parentSize: 3 * MIB, logicalSectorSize: 4096 },
];

for (const recipe of recipes) {
  const name = `${recipe.type}, blocks of ${recipe.blockSize / MIB} MiB, sectors of ${recipe.logicalSectorSize ?? 512}`;
  test(`a crash at any operation leaves the state before or after: ${name}`, async (t) => {
    const trace = await recordCalls(recipe, PREPARED, changingCalls(recipe));
    const wrong: string[] = [];
    const check = async (count: number, bytes: Uint8Array, mayLose: boolean, what: string): Promise<void> => {
      try {
        const { inMemory, forReal } = await readBothWays(bytes, trace.context);
        const why = wrongState(trace, count, inMemory, mayLose);
        if (why !== undefined) wrong.push(`${what}: ${why}`);
        if (Buffer.compare(inMemory, forReal) !== 0) wrong.push(`${what}: the replay for real gives another disk`);
      } catch (error) {
        wrong.push(`${what}: ${String(error)}`);
      }
    };
    const all = cuts(trace);
    for (const count of all) await check(count, trace.file.after(count), false, `cut ${count}`);
    // Once for each kind of disk: with all operations, this costs most.
    const reordered = recipe.type !== 'fixed' && recipe.logicalSectorSize === undefined;
    for (let count = 1; reordered && count <= trace.file.operations.length; count++) {
      await check(count, trace.file.afterReordered(count, count), true, `cut ${count}, reordered`);
    }
    t.true(all.length > 30, `${all.length} cuts`);
    t.deepEqual(wrong.slice(0, 5), []);
  });
}
