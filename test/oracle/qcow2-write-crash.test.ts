import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { diskOf, openWritable } from '../core/container/qcow2/write/written-images.ts';
import { type DiskOperation, randomOperations, writeOf } from '../helpers/disk-operations.ts';
import { checkQcow2 } from '../helpers/qcow2-check.ts';
import { cuts, tornCuts, trace, unexplained } from '../helpers/qcow2-crash.ts';
import { seededRandom } from '../helpers/seeded-random.ts';
import { hasTools, temporaryFolder, tool, toolText } from '../helpers/tools.ts';
import { mixedContent, qemuIo } from './qcow2-images.ts';

const KIB = 1024;
const FLUSH: DiskOperation = { kind: 'flush' };

interface Scenario {
  readonly name: string;
  readonly clusterSize: number;
  readonly options?: string;
  readonly size: number;
  readonly backing?: number;
  readonly compressed?: boolean;
  /** What qemu-io does before a snapshot is taken, if one is, and after it. */
  readonly before?: readonly string[];
  readonly snapshot?: boolean;
  readonly after?: readonly string[];
  readonly operations: readonly DiskOperation[];
}

const scenarios: readonly Scenario[] = [
  {
    name: 'first writes',
    clusterSize: 512,
    options: 'refcount_bits=64',
    size: 64 * KIB,
    operations: [writeOf(100, 3000, 1), writeOf(30 * KIB, 1500, 2), FLUSH, writeOf(1000, 35 * KIB, 3), FLUSH],
  },
  {
    name: 'copy on write from a backing file, and zeros over it',
    clusterSize: 4096,
    size: 64 * KIB,
    backing: 50 * KIB,
    operations: [
      writeOf(5000, 100, 1),
      writeOf(49 * KIB, 5000, 2),
      { kind: 'zeros', offset: 17 * KIB, length: 20 * KIB },
      FLUSH,
      { kind: 'discard', offset: 0, length: 12 * KIB },
    ],
  },
  {
    name: 'copy on write from a snapshot, tables and all',
    clusterSize: 1024,
    size: 200 * KIB,
    before: ['write -P 1 3k 100k', 'write -z 150k 9k'],
    snapshot: true,
    after: ['write -P 2 10k 5k'],
    operations: [
      writeOf(5 * KIB + 7, 9 * KIB, 3),
      { kind: 'discard', offset: 40 * KIB, length: 9 * KIB },
      FLUSH,
      writeOf(41 * KIB, 3 * KIB, 4),
      writeOf(150 * KIB, 3 * KIB, 5),
    ],
  },
  {
    name: 'over compressed clusters',
    clusterSize: 4096,
    size: 100 * KIB,
    compressed: true,
    operations: [writeOf(5000, 100, 1), writeOf(20 * KIB, 30 * KIB, 2), FLUSH, writeOf(60 * KIB, 9 * KIB, 3)],
  },
  {
    name: 'zero clusters that keep a place, and clusters used again',
    clusterSize: 1024,
    size: 64 * KIB,
    before: ['write -P 1 0 40k', 'write -z 5k 20k'],
    operations: [
      writeOf(6 * KIB + 1, 3000, 2),
      { kind: 'discard', offset: 30 * KIB, length: 9 * KIB },
      FLUSH,
      writeOf(45 * KIB, 9 * KIB, 3),
      { kind: 'zeros', offset: 0, length: 64 * KIB },
    ],
  },
  {
    name: 'a larger disk over a longer backing file',
    clusterSize: 512,
    size: 30 * KIB,
    backing: 90 * KIB,
    before: ['write -P 1 20k 3k'],
    operations: [writeOf(100, 1000, 2), { kind: 'resize', size: 140 * KIB }, writeOf(100 * KIB, 1000, 3)],
  },
  {
    name: 'a larger refcount table',
    clusterSize: 512,
    options: 'refcount_bits=64',
    size: 2300 * KIB,
    before: ['write -P 1 0 1920k'],
    operations: [writeOf(2000 * KIB, 90 * KIB, 1)],
  },
  {
    name: 'version 2 with a snapshot',
    clusterSize: 1024,
    options: 'compat=0.10',
    size: 50 * KIB,
    backing: 40 * KIB,
    before: ['write -P 1 3k 20k'],
    snapshot: true,
    operations: randomOperations(5, { count: 10, size: 50 * KIB, length: 4 * KIB }),
  },
  {
    name: 'extended L2 entries',
    clusterSize: 16 * KIB,
    options: 'extended_l2=on',
    size: 200 * KIB,
    backing: 100 * KIB,
    before: ['write -P 1 3k 30k', 'write -z 60k 5k'],
    snapshot: true,
    after: ['write -P 2 70k 3k'],
    operations: randomOperations(7, { count: 12, size: 200 * KIB, length: 9 * KIB }),
  },
  {
    name: 'anything',
    clusterSize: 512,
    options: 'refcount_bits=1',
    size: 40 * KIB,
    operations: randomOperations(6, { count: 15, size: 40 * KIB, length: 4 * KIB, resize: true }),
  },
];

async function makeStart(folder: string, scenario: Scenario, backing: Uint8Array | undefined): Promise<Uint8Array> {
  const image = path.join(folder, 'start.qcow2');
  const { size, options = 'compat=1.1', compressed, before = [], after = [], snapshot } = scenario;
  const format = ['-o', `cluster_size=${scenario.clusterSize},${options}`];
  if (compressed === true) {
    await writeFile(path.join(folder, 'source.raw'), Buffer.from(mixedContent(size, 3)).fill('text ', 0, 50 * KIB));
    const source = path.join(folder, 'source.raw');
    await tool('qemu-img', ['convert', '-c', '-f', 'raw', '-O', 'qcow2', ...format, source, image]);
  } else {
    if (backing !== undefined) await writeFile(path.join(folder, 'base.raw'), backing);
    const base = backing === undefined ? [] : ['-b', 'base.raw', '-F', 'raw'];
    await tool('qemu-img', ['create', '-q', '-f', 'qcow2', ...format, ...base, image, String(size)]);
  }
  await qemuIo(image, before);
  if (snapshot === true) await tool('qemu-img', ['snapshot', '-c', 'kept', image]);
  await qemuIo(image, after);
  // Not a Buffer, whose slices share its memory.
  return new Uint8Array(await readFile(image));
}

/** The exit codes of `qemu-img check` for images in a folder: 0 clean, 3 leaks, 2 errors. */
async function qemuChecks(folder: string): Promise<Map<string, number>> {
  const each = `qemu-img check -q -f qcow2 "$1" >/dev/null 2>&1; echo "$1" $?`;
  const text = await toolText('sh', [
    '-c',
    `cd "$1" && ls | grep ^crash | xargs -P 2 -I{} sh -c '${each}' - {}`,
    '-',
    folder,
  ]);
  return new Map(
    text
      .trim()
      .split('\n')
      .map((line) => line.split(' '))
      .map(([name, code]) => [name!, Number(code)]),
  );
}

for (const [index, scenario] of scenarios.entries()) {
  test(`qemu-img check finds no error after a crash at any write: ${scenario.name}`, async (t) => {
    if (!hasTools(t, 'qemu-img', 'qemu-io')) return;
    const folder = temporaryFolder(t);
    const random = seededRandom(index);
    const { backing: length, clusterSize, operations } = scenario;
    const backing = length === undefined ? undefined : Uint8Array.from({ length }, () => 1 + random() * 250);
    const start = await makeStart(folder, scenario, backing);
    const open = (file: Parameters<typeof openWritable>[0]) => openWritable(file, backing);
    const recorded = await trace(start, await diskOf(start, backing), operations, clusterSize, open);
    const crashes = [...cuts(recorded), ...[...tornCuts(recorded, 1)].filter((_, count) => count % 4 === 0)];
    const images = path.join(folder, 'images');
    await mkdir(images);
    if (backing !== undefined) await writeFile(path.join(images, 'base.raw'), backing);
    for (const [count, crash] of crashes.entries()) {
      await writeFile(path.join(images, `crash${count}`), crash.image);
      t.is(unexplained(crash, await diskOf(crash.image, backing)), undefined, crash.name);
    }
    const codes = await qemuChecks(images);
    t.is(codes.size, crashes.length);
    for (const [count, { name, image }] of crashes.entries()) {
      const { errors, leaks } = checkQcow2(image);
      // Ours and theirs find the same, so that ours can be trusted with the crashes that are too many for theirs.
      t.is(codes.get(`crash${count}`), leaks === 0 ? 0 : 3, name);
      t.deepEqual(errors, [], name);
    }
    t.is(checkQcow2(recorded.file.bytes).leaks, 0);
    t.log(`${crashes.length} crashes`);
  });
}

test('our check and qemu-img check find the same in damaged images', async (t) => {
  if (!hasTools(t, 'qemu-img', 'qemu-io')) return;
  const folder = temporaryFolder(t);
  const scenario = scenarios.find(({ snapshot }) => snapshot === true)!;
  const start = await makeStart(folder, scenario, undefined);
  const images = path.join(folder, 'images');
  await mkdir(images);
  const random = seededRandom(9);
  const offsetAt = (at: number) => Number(Buffer.from(start).readBigUInt64BE(at) % 2n ** 56n);
  const block = offsetAt(offsetAt(48));
  const table = offsetAt(offsetAt(40));
  const found = Array.from({ length: 40 }, (_, count) => {
    const image = Buffer.from(start);
    // A count, or the flags of an entry.
    if (count % 2 === 0) image.writeUInt16BE(Math.floor(random() * 4), block + 2 * Math.floor(random() * 100));
    else image[table + 8 * Math.floor(random() * 60)]! = count % 4 === 1 ? 0x80 : 0;
    const { errors, leaks } = checkQcow2(image);
    return { image, code: errors.length > 0 ? 2 : leaks > 0 ? 3 : 0 };
  });
  for (const [count, { image }] of found.entries()) await writeFile(path.join(images, `crash${count}`), image);
  const codes = await qemuChecks(images);
  t.deepEqual(
    found.map((_, count) => codes.get(`crash${count}`)),
    found.map(({ code }) => code),
  );
  t.deepEqual([...new Set(codes.values())].sort(), [0, 2, 3]);
});
