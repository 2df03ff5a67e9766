import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { changingCalls, cuts, PREPARED, recordCalls, wrongState } from '../core/container/vhdx/write/crash-trace.ts';
import { type DiskRecipe, MIB } from '../core/container/vhdx/write/vhdx-model.ts';
import { hasTools, temporaryFolder, tool } from '../helpers/tools.ts';

/** Of the reordered cuts, every so many goes to QEMU: our own reader sees them all. */
const REORDERED_STEP = 5;

// QEMU reads no differencing disks and no sectors of 4096 bytes: those cuts are our reader's.
for (const type of ['dynamic', 'fixed'] as const) {
  test(`qemu replays the log of a ${type} disk that was cut at any operation, and reads the state before or after`, async (t) => {
    if (!hasTools(t, 'qemu-img')) return;
    const folder = temporaryFolder(t);
    const recipe: DiskRecipe = { type, virtualSize: 3 * MIB + 4096, blockSize: MIB };
    const trace = await recordCalls(recipe, PREPARED, changingCalls(recipe));
    const wrong: string[] = [];
    const check = async (count: number, bytes: Uint8Array, mayLose: boolean): Promise<void> => {
      const [image, raw] = [path.join(folder, 'image.vhdx'), path.join(folder, 'image.raw')];
      await writeFile(image, bytes);
      try {
        // Opens it to write, which replays the log; a plain convert refuses to read one that is pending.
        await tool('qemu-img', ['check', '-q', '-r', 'all', image]);
        await tool('qemu-img', ['convert', '-f', 'vhdx', '-O', 'raw', image, raw]);
        const why = wrongState(trace, count, await readFile(raw), mayLose);
        if (why !== undefined) wrong.push(`cut ${count}${mayLose ? ', reordered' : ''}: ${why}`);
      } catch (error) {
        wrong.push(`cut ${count}${mayLose ? ', reordered' : ''}: ${String(error)}`);
      }
    };
    for (const count of cuts(trace)) await check(count, trace.file.after(count), false);
    for (let count = 1; count <= trace.file.operations.length; count += REORDERED_STEP)
      await check(count, trace.file.afterReordered(count, count), true);
    t.deepEqual(wrong.slice(0, 5), []);
  });
}
