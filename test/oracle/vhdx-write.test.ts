import { open, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { vhdxFormat } from '../../src/core/container/vhdx/vhdx-format.ts';
import { createVhdx } from '../../src/core/container/vhdx/write/create-vhdx.ts';
import type { VhdxOptions } from '../../src/core/container/vhdx/write/vhdx-layout.ts';
import { FileDevice, WritableFileDevice } from '../../src/core/device/file-device.ts';
import { seededRandom } from '../conformance/device-conformance.ts';
import {
  contents,
  type DiskModel,
  type DiskRecipe,
  firstDifference,
  MIB,
  makeDisk,
  perform,
  randomCalls,
} from '../core/container/vhdx/write/vhdx-model.ts';
import { testContext } from '../helpers/context.ts';
import { hasTools, temporaryFolder, tool, toolText } from '../helpers/tools.ts';

const recipes: DiskRecipe[] = (['fixed', 'dynamic'] as const).flatMap((type) => [
  { type, virtualSize: 5 * MIB + 512 * 7, blockSize: MIB },
  { type, virtualSize: 6 * MIB + 512, blockSize: 2 * MIB },
  { type, virtualSize: 40 * MIB, blockSize: 32 * MIB },
]);
const ROUNDS = 3;

for (const [index, recipe] of recipes.entries()) {
  test(`qemu reads what we wrote, and we what qemu wrote: ${recipe.type}, blocks of ${recipe.blockSize / MIB} MiB`, async (t) => {
    if (!hasTools(t, 'qemu-img', 'qemu-io')) return;
    const folder = temporaryFolder(t);
    const [image, raw] = [path.join(folder, 'disk.vhdx'), path.join(folder, 'disk.raw')];
    await (await open(image, 'w')).close();
    await using file = await WritableFileDevice.open(image);
    const { model } = await makeDisk(file, recipe);
    for (let round = 1; round <= ROUNDS; round++) {
      {
        await using ours = await WritableFileDevice.open(image);
        const disk = await vhdxFormat.openWritable!(ours, testContext());
        const calls = randomCalls(index * 10 + round, 15, { ...recipe, virtualSize: model.bytes.length });
        // QEMU 7.2 damages the table when it allocates the block of the first entry in a page of it (gitlab qemu-project/qemu#727).
        for (const call of [...calls, { kind: 'write', offset: 5, length: 3, seed: round } as const]) {
          await perform(disk, call);
          model.apply(call);
        }
        await disk[Symbol.asyncDispose]();
      }
      await tool('qemu-img', ['check', '-q', image]);
      await tool('qemu-img', ['convert', '-f', 'vhdx', '-O', 'raw', image, raw]);
      t.is(firstDifference(await readFile(raw), model.bytes), undefined, `round ${round}: what qemu reads`);
      await rm(raw);
      await tool('qemu-io', ['-f', 'vhdx', ...qemuWrites(model, round), image]);
      await using again = await FileDevice.open(image);
      const difference = firstDifference(await contents(await vhdxFormat.open(again, testContext())), model.bytes);
      t.is(difference, undefined, `round ${round}: what qemu wrote`);
    }
  });
}

// Of the readers at hand, QEMU reads no differencing disks; 7-Zip does, when parent and child are of one size.
test('7z reads what we wrote to a differencing disk', async (t) => {
  if (!hasTools(t, '7z')) return;
  const folder = temporaryFolder(t);
  const [image, parent] = [path.join(folder, 'disk.vhdx'), path.join(folder, 'parent.vhdx')];
  await (await open(image, 'w')).close();
  await using file = await WritableFileDevice.open(image);
  const recipe: DiskRecipe = { type: 'differencing', virtualSize: 7 * MIB, blockSize: MIB };
  const { context, model, parentFile } = await makeDisk(file, recipe);
  await writeFile(parent, parentFile!.bytes);
  for (let round = 1; round <= ROUNDS; round++) {
    const disk = await vhdxFormat.openWritable!(file, context);
    for (const call of randomCalls(round, 20, recipe).filter(({ kind }) => kind !== 'resize')) {
      // After a resize that is left out, a call may lie behind the end.
      if ('offset' in call && call.offset + call.length > disk.size) continue;
      await perform(disk, call);
      model.apply(call);
    }
    await disk[Symbol.asyncDispose]();
    t.is(firstDifference(await tool('7z', ['x', '-so', image]), model.bytes), undefined, `round ${round}`);
  }
});

const GIB = 1024 ** 3;
const growths: [VhdxOptions, number][] = [
  // The table of 1 MiB is full at not quite 128 GiB: it moves.
  [{ type: 'dynamic', virtualSize: 127 * GIB, blockSize: MIB }, 300 * GIB],
  [{ type: 'fixed', virtualSize: 3 * MIB + 512, blockSize: MIB }, 130 * GIB],
  [{ type: 'dynamic', virtualSize: MIB, blockSize: 256 * MIB }, 64 * 1024 ** 4],
];

for (const [options, size] of growths) {
  test(`qemu reads a ${options.type} disk that grew from ${options.virtualSize} to ${size} bytes`, async (t) => {
    if (!hasTools(t, 'qemu-img', 'qemu-io')) return;
    const image = path.join(temporaryFolder(t), 'disk.vhdx');
    await (await open(image, 'w')).close();
    await using file = await WritableFileDevice.open(image);
    await createVhdx(file, options);
    const disk = await vhdxFormat.openWritable!(file, testContext());
    const last = options.virtualSize - 512;
    await disk.writeFrom(new Uint8Array(512).fill(7), last);
    await disk.resize(size);
    await disk.writeFrom(new Uint8Array(512).fill(9), size - 512);
    await disk[Symbol.asyncDispose]();
    await tool('qemu-img', ['check', '-q', image]);
    const info = JSON.parse(await toolText('qemu-img', ['info', '--output=json', image])) as Record<string, unknown>;
    t.is(info['virtual-size'], size);
    const reads = [`read -P 7 ${last} 512`, `read -P 0 ${last + 512} 1M`, `read -P 9 ${size - 512} 512`];
    const said = await toolText('qemu-io', ['-r', '-f', 'vhdx', ...reads.flatMap((read) => ['-c', read]), image]);
    t.notRegex(said, /failed/);
    t.is(said.match(/^read /gm)?.length, 3);
  });
}

/** Random writes as arguments of qemu-io, done to the model too. */
function qemuWrites({ bytes }: DiskModel, seed: number): string[] {
  const random = seededRandom(seed);
  return Array.from({ length: 6 }, () => {
    const offset = Math.floor(random() * (bytes.length - 1));
    const length = 1 + Math.floor(random() * Math.min(bytes.length - offset, 200_000));
    const pattern = 1 + Math.floor(random() * 255);
    bytes.fill(pattern, offset, offset + length);
    return ['-c', `write -P ${pattern} ${offset} ${length}`];
  }).flat();
}
