import test from 'ava';
import { vhdxFormat } from '../../../../../src/core/container/vhdx/vhdx-format.ts';
import { MemoryDevice } from '../../../../../src/core/device/memory-device.ts';
import { contents, type DiskRecipe, firstDifference, MIB, makeDisk, perform, randomCalls } from './vhdx-model.ts';

const recipes: DiskRecipe[] = (['fixed', 'dynamic', 'differencing'] as const).flatMap((type) => [
  { type, virtualSize: 5 * MIB + 512 * 7, blockSize: MIB },
  { type, virtualSize: 7 * MIB + 4096 * 3, blockSize: 2 * MIB, logicalSectorSize: 4096 },
]);
recipes.push(
  { type: 'differencing', virtualSize: 4 * MIB + 512, blockSize: MIB, parentSize: 9 * MIB },
  { type: 'differencing', virtualSize: 6 * MIB, blockSize: MIB, parentSize: 2 * MIB + 512 },
);

for (const [index, recipe] of recipes.entries()) {
  const { type, blockSize, logicalSectorSize = 512, parentSize } = recipe;
  const name = `${type}, blocks of ${blockSize / MIB} MiB, sectors of ${logicalSectorSize}`;
  test(`random calls do what a plain array does: ${name}${parentSize ? `, parent of ${parentSize}` : ''}`, async (t) => {
    for (let seed = 1; seed <= 2; seed++) {
      const file = new MemoryDevice(new Uint8Array(0));
      const { context, model, parentFile } = await makeDisk(file, recipe);
      const parentBefore = parentFile && (await contents(parentFile));
      let disk = await vhdxFormat.openWritable!(file, context);
      for (const [number, call] of randomCalls(seed * 100 + index, 32, recipe).entries()) {
        await perform(disk, call);
        model.apply(call);
        const difference = firstDifference(await contents(disk), model.bytes);
        if (difference !== undefined) {
          t.fail(`seed ${seed}, call ${number} ${JSON.stringify(call)}: ${difference}`);
          return;
        }
        if (number % 11 === 10) {
          await disk[Symbol.asyncDispose]();
          disk = await vhdxFormat.openWritable!(file, context);
        }
      }
      await disk[Symbol.asyncDispose]();
      t.is(firstDifference(await contents(await vhdxFormat.open(file, context)), model.bytes), undefined);
      if (parentBefore)
        t.is(firstDifference(await contents(parentFile), parentBefore), undefined, 'the parent is untouched');
    }
  });
}
