import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { WritableContainer } from '../../src/core/container/container.ts';
import { openContainer } from '../../src/core/container/formats.ts';
import { qcow2Format } from '../../src/core/container/qcow2/qcow2-format.ts';
import { WritableFileDevice } from '../../src/core/device/file-device.ts';
import { FileDevice, type OpenContext, readBytes } from '../../src/core/index.ts';
import { firstDifference, modelAfter, perform, randomOperations } from '../helpers/disk-operations.ts';
import { checkQcow2 } from '../helpers/qcow2-check.ts';
import { hasTools, temporaryFolder, tool, toolText } from '../helpers/tools.ts';
import { compare, mixedContent, qemuIo, randomCommands } from './qcow2-images.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

interface Recipe {
  readonly clusterSize: number;
  /** Further `-o` options of qemu-img create. */
  readonly options?: string;
  readonly size: number;
  readonly version?: 2 | 3;
  /** Bytes of a raw backing file. */
  readonly backing?: number;
  readonly compressed?: boolean;
  readonly snapshots?: boolean;
}

const recipes: readonly Recipe[] = [
  { clusterSize: 512, options: 'refcount_bits=64', size: 400 * KIB, snapshots: true },
  { clusterSize: 512, options: 'refcount_bits=1', size: 400 * KIB },
  { clusterSize: 512, size: 300 * KIB + 512, backing: 200 * KIB, snapshots: true },
  { clusterSize: 1024, options: 'refcount_bits=2', size: 400 * KIB, compressed: true },
  { clusterSize: 4096, options: 'refcount_bits=4', size: MIB + 512, backing: 2 * MIB, snapshots: true },
  { clusterSize: 4096, options: 'compression_type=zstd', size: 2 * MIB, compressed: true, snapshots: true },
  { clusterSize: 4096, options: 'compat=0.10', version: 2, size: MIB, backing: 700 * KIB },
  { clusterSize: 4096, options: 'compat=0.10', version: 2, size: MIB, compressed: true, snapshots: true },
  { clusterSize: 64 * KIB, options: 'preallocation=metadata', size: 2 * MIB + 512, snapshots: true },
  { clusterSize: 64 * KIB, options: 'refcount_bits=8', size: 3 * MIB, compressed: true },
  { clusterSize: 64 * KIB, options: 'lazy_refcounts=on', size: 2 * MIB, backing: 5 * MIB, snapshots: true },
  { clusterSize: 16 * KIB, options: 'extended_l2=on', size: 2 * MIB + 512, snapshots: true },
  { clusterSize: 16 * KIB, options: 'extended_l2=on', size: 2 * MIB, backing: 3 * MIB, snapshots: true },
  { clusterSize: 64 * KIB, options: 'extended_l2=on,compression_type=zstd', size: 3 * MIB, compressed: true },
  { clusterSize: 2 * MIB, options: 'refcount_bits=32', size: 7 * MIB, backing: 3 * MIB, snapshots: true },
];

async function makeImage(folder: string, recipe: Recipe, seed: number): Promise<string> {
  const image = path.join(folder, 'image.qcow2');
  const source = path.join(folder, 'source.raw');
  const options = ['-o', [`cluster_size=${recipe.clusterSize}`, recipe.options].filter(Boolean).join(',')];
  if (recipe.compressed === true) {
    await writeFile(source, mixedContent(recipe.size, seed));
    await tool('qemu-img', ['convert', '-c', '-f', 'raw', '-O', 'qcow2', ...options, source, image]);
  } else {
    if (recipe.backing !== undefined) await writeFile(source, mixedContent(recipe.backing, seed));
    const backing = recipe.backing === undefined ? [] : ['-b', 'source.raw', '-F', 'raw'];
    await tool('qemu-img', ['create', '-q', '-f', 'qcow2', ...options, ...backing, image, String(recipe.size)]);
  }
  await qemuIo(image, commandsFor(recipe, seed, recipe.size));
  return image;
}

function commandsFor({ version, compressed }: Recipe, seed: number, size: number): string[] {
  return randomCommands(seed, size, { zeros: version !== 2, count: compressed === true ? 4 : 12 });
}

async function openWritable(image: string): Promise<WritableContainer & { readonly device: FileDevice }> {
  const context: OpenContext = {
    report: () => undefined,
    openReference: async ({ name, format }) =>
      openContainer(await FileDevice.open(path.join(path.dirname(image), name)), context, format),
  };
  const device = await WritableFileDevice.open(image);
  return Object.assign(await qcow2Format.openWritable!(device, context), { device });
}

/** A state of the disk as qemu-img reads it. */
async function stateOf(image: string, snapshot?: string): Promise<Uint8Array> {
  const raw = path.join(path.dirname(image), 'state.raw');
  const from = snapshot === undefined ? [] : ['-l', `snapshot.name=${snapshot}`];
  await tool('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', ...from, image, raw]);
  return readFile(raw);
}

async function checkClean(t: ExecutionContext, image: string): Promise<void> {
  t.regex(await toolText('qemu-img', ['check', image]), /^No errors were found/);
  t.deepEqual(checkQcow2(await readFile(image)), { errors: [], leaks: 0 });
}

/** Writes at random with us onto `disk`, and wants qemu-img to find what the model holds, which is returned. */
async function writeAndCompare(
  t: ExecutionContext,
  image: string,
  disk: Uint8Array,
  recipe: Recipe,
  seed: number,
): Promise<Uint8Array> {
  const { clusterSize, version, snapshots } = recipe;
  const container = await openWritable(image);
  const length = Math.max(9000, Math.min(clusterSize * 2, 200 * KIB));
  const canResize = version !== 2 || snapshots !== true;
  let model = disk;
  for (const operation of randomOperations(seed, { count: 40, size: disk.length, length, resize: canResize })) {
    await perform(container, operation);
    model = modelAfter(model, operation, clusterSize);
  }
  t.is(firstDifference(await readBytes(container, 0, container.size), model), undefined);
  await container[Symbol.asyncDispose]();
  await container.device[Symbol.asyncDispose]();
  await checkClean(t, image);
  t.is(firstDifference(await stateOf(image), model), undefined);
  return model;
}

for (const [seed, recipe] of recipes.entries()) {
  test(`qemu-img agrees on what we write, and we on what it writes then: ${JSON.stringify(recipe)}`, async (t) => {
    if (!hasTools(t, 'qemu-img', 'qemu-io')) return;
    const image = await makeImage(temporaryFolder(t), recipe, seed);
    const states = new Map<string, Uint8Array>();
    let disk = await stateOf(image);
    for (const snapshot of recipe.snapshots === true ? ['one', 'two'] : [undefined]) {
      if (snapshot !== undefined) {
        await tool('qemu-img', ['snapshot', '-c', snapshot, image]);
        states.set(snapshot, disk);
      }
      const round = seed * 100 + states.size;
      disk = await writeAndCompare(t, image, disk, recipe, round);
      await qemuIo(image, commandsFor(recipe, round + 50, disk.length));
      disk = await stateOf(image);
    }
    for (const [name, state] of states) {
      // qemu-img gives a snapshot the size that the disk has now.
      const kept = (await stateOf(image, name)).subarray(0, state.length);
      t.is(firstDifference(kept, state), undefined, name);
    }
    await checkClean(t, image);
    await compare(t, image, recipe.backing === undefined ? {} : { rawDepth: 1 });
    if (recipe.snapshots !== true) return;
    await tool('qemu-img', ['snapshot', '-d', 'two', image]);
    await writeAndCompare(t, image, disk, recipe, seed * 100 + 99);
    await tool('qemu-img', ['snapshot', '-a', 'one', image]);
    await checkClean(t, image);
    t.is(firstDifference(await stateOf(image), states.get('one')!), undefined);
  });
}
