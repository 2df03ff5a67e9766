import { copyFile, readFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { openImage } from '../../src/core/index.ts';
import { hasTools, temporaryFolder, tool, toolText } from '../helpers/tools.ts';
import { compare, compareBytes, makeImage, qemuIo, randomCommands } from './qcow2-images.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

interface QemuSnapshot {
  readonly id: string;
  readonly name: string;
  readonly 'date-sec': number;
  readonly 'date-nsec': number;
  readonly 'vm-state-size': number;
}

/** The disk of each snapshot by `qemu-img convert -l` and, at its own size, by going back to it in a copy of the image. */
async function compareSnapshots(t: ExecutionContext, image: string, names: readonly string[]): Promise<void> {
  const folder = path.dirname(image);
  const raw = path.join(folder, 'snapshot.raw');
  const info = JSON.parse(await toolText('qemu-img', ['info', '--output=json', image]));
  const known = (info.snapshots ?? []) as QemuSnapshot[];
  t.deepEqual(
    known.map(({ name }) => name),
    names,
  );
  for (const { id, name } of known) {
    const copy = path.join(folder, 'copy.qcow2');
    await copyFile(image, copy);
    await tool('qemu-img', ['snapshot', '-a', name, copy]);
    await tool('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', copy, raw]);
    const expected = await readFile(raw);
    for (const snapshot of [id, name]) {
      await using opened = await openImage(image, { snapshot });
      const { container } = opened;
      t.is(container.properties.find(({ key }) => key === 'openedSnapshot')?.value, `${id} ${name}`);
      await compareBytes(t, container, expected);
      t.deepEqual(
        container.snapshots?.map((each) => [each.id, each.name, each.date, each.vmStateSize]),
        known.map((each) => [
          each.id,
          each.name,
          each['date-sec'] * 1000 + Math.floor(each['date-nsec'] / 1e6),
          each['vm-state-size'],
        ]),
      );
    }
    // `convert -l` gives the snapshot's clusters at the present size of the disk.
    await tool('qemu-img', ['convert', '-f', 'qcow2', '-l', `snapshot.name=${name}`, '-O', 'raw', image, raw]);
    const clipped = await readFile(raw);
    const length = Math.min(clipped.length, expected.length);
    t.is(Buffer.compare(clipped.subarray(0, length), expected.subarray(0, length)), 0, name);
  }
  await compare(t, image);
}

for (const [index, { name, options, compressed }] of [
  { name: 'v3', options: 'cluster_size=64k', compressed: false },
  { name: 'v3, clusters of 512', options: 'cluster_size=512', compressed: false },
  { name: 'v2', options: 'compat=0.10,cluster_size=4k', compressed: false },
  { name: 'compressed', options: 'cluster_size=16k', compressed: true },
  { name: 'extended L2', options: 'extended_l2=on,cluster_size=16k', compressed: false },
  { name: 'refcounts of 8 bits', options: 'refcount_bits=8', compressed: false },
].entries()) {
  test(`qemu-img agrees: snapshots with writes, sizes and deletions between, ${name}`, async (t) => {
    if (!hasTools(t, 'qemu-img', 'qemu-io')) return;
    const zeros = name !== 'v2';
    const folder = temporaryFolder(t);
    const image = await makeImage(folder, { size: 2 * MIB, options, compressed, zeros }, 500 + index);
    const snapshot = (action: string, title: string) => tool('qemu-img', ['snapshot', action, title, image]);
    const write = (seed: number, size: number) => qemuIo(image, randomCommands(seed, size, { zeros, count: 10 }));
    await snapshot('-c', 'first');
    await write(600 + index, 2 * MIB);
    await snapshot('-c', 'to be deleted');
    // An image of version 2 keeps its size while it has snapshots.
    const larger = zeros ? 5 * MIB + 512 : 2 * MIB;
    if (zeros) await tool('qemu-img', ['resize', '-q', image, String(larger)]);
    await write(700 + index, larger);
    await snapshot('-c', 'ünï cödé');
    await write(800 + index, larger);
    await snapshot('-d', 'to be deleted');
    await write(900 + index, larger);
    if (zeros) await tool('qemu-img', ['resize', '-q', '--shrink', image, String(MIB)]);
    await compareSnapshots(t, image, ['first', 'ünï cödé']);
  });
}

test('an ID wins over a name; what is not there is told with what is', async (t) => {
  if (!hasTools(t, 'qemu-img', 'qemu-io')) return;
  const image = await makeImage(temporaryFolder(t), { size: MIB, options: 'cluster_size=4k' }, 950);
  await qemuIo(image, ['write -P 1 0 4k']);
  await tool('qemu-img', ['snapshot', '-c', '2', image]);
  await qemuIo(image, ['write -P 2 0 4k']);
  await tool('qemu-img', ['snapshot', '-c', 'other', image]);
  const first = async (snapshot: string) => {
    await using opened = await openImage(image, { snapshot });
    const target = new Uint8Array(1);
    await opened.container.readInto(target, 0);
    return target[0];
  };
  t.is(await first('1'), 1);
  t.is(await first('2'), 2);
  t.is(await first('other'), 2);
  await t.throwsAsync(openImage(image, { snapshot: 'Other' }), {
    message: /expected one of 1 2, 2 other, found Other/,
    code: 'NOT_FOUND',
  });
});
