import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { FatFileSystem } from '../../src/core/filesystem/fat/fat-file-system.ts';
import { openFat } from '../../src/core/filesystem/fat/fat-format.ts';
import { CachedDevice, FileDevice, fileDevice, type RecoverableFile } from '../../src/core/index.ts';
import { seededRandom } from '../conformance/device-conformance.ts';
import { testContext } from '../helpers/context.ts';
import { sha256 } from '../helpers/sha256.ts';
import { hasTools, temporaryFolder, tool, toolText } from '../helpers/tools.ts';

const LAYOUTS = [
  ['FAT12', ['-F', '12', '-s', '1'], '1440'],
  ['FAT16', ['-F', '16', '-s', '2'], '9000'],
  ['FAT32', ['-F', '32', '-s', '1'], '40000'],
] as const;

const SIZES = [0, 10, 512, 1500, 6000, 20_000];

/** Files that stay, files that go and leave their place free, files whose place is taken by others, and whole directories that go. */
async function makeImage(folder: string, args: readonly string[], kibibytes: string): Promise<string> {
  const image = path.join(folder, 'fat.img');
  await tool('mkfs.fat', ['-C', ...args, '-n', 'RECOVER', image, kibibytes]);
  const random = seededRandom(3);
  const source = path.join(folder, 'source');
  const write = async (target: string, size: number): Promise<void> => {
    writeFileSync(
      source,
      Uint8Array.from({ length: size }, () => random() * 256),
    );
    await tool('mcopy', ['-i', image, source, `::${target}`]);
  };
  const remove = (...names: string[]): Promise<unknown> =>
    tool('mdel', ['-i', image, ...names.map((name) => `::${name}`)]);
  for (const name of ['/gone', '/gone/deep', '/kept']) await tool('mmd', ['-i', image, `::${name}`]);
  for (const [at, size] of SIZES.entries()) {
    await write(`/kept/stays ${at}.bin`, size);
    await write(`/kept/a deleted file ${at}.bin`, size);
    await write(`/SHORT${at}.BIN`, size);
    await write(`/gone/in the directory ${at}.bin`, size);
    await write(`/gone/deep/DEEP${at}.BIN`, size);
  }
  // These leave gaps; the next ones are written into them, in pieces.
  await remove(...SIZES.map((_, at) => `/SHORT${at}.BIN`));
  await write('/kept/takes the place.bin', 9000);
  await remove(...SIZES.map((_, at) => `/kept/a deleted file ${at}.bin`));
  await tool('mdeltree', ['-i', image, '::/gone']);
  return image;
}

async function open(t: ExecutionContext, image: string): Promise<FatFileSystem> {
  const device = await FileDevice.open(image);
  t.teardown(() => device[Symbol.asyncDispose]());
  return openFat(new CachedDevice(device), testContext());
}

async function recoverable(filesystem: FatFileSystem): Promise<RecoverableFile[]> {
  const found: RecoverableFile[] = [];
  for await (const one of filesystem.recoverable()) found.push(one);
  return found;
}

/** The number that the Sleuth Kit has for an entry: it counts slots from the root or the data. */
function slotOf({ geometry }: FatFileSystem, id: number): number {
  return id - (geometry.entryBits === 32 ? geometry.dataOffset : geometry.rootOffset) / 32 + 3;
}

for (const [name, args, kibibytes] of LAYOUTS) {
  test.serial(`${name}: the deleted files of fls -r -d, and each byte as icat -r gives it`, async (t) => {
    if (!hasTools(t, 'mkfs.fat', 'mcopy', 'mdeltree', 'fls', 'icat', 'tsk_recover')) return;
    const folder = temporaryFolder(t);
    const image = await makeImage(folder, args, kibibytes);
    const filesystem = await open(t, image);
    const found = await recoverable(filesystem);
    t.true(found.every(({ source, node }) => source === 'directory entry' && node.deleted));
    t.is(new Set(found.map(({ key }) => key)).size, found.length);

    const listed = (await toolText('fls', ['-r', '-d', '-p', image]))
      .split('\n')
      .flatMap((line) => {
        const match = /^[rd-]\/[rd-] \* (\d+)(?:\(realloc\))?:\t(.*)$/.exec(line);
        // Entries in clusters that no directory is known to have had: the Sleuth Kit reads all free space for them.
        return match === null || match[2]!.startsWith('$OrphanFiles') ? [] : [`${match[1]} /${match[2]}`];
      })
      .sort();
    t.deepEqual(found.map(({ node, path: where }) => `${slotOf(filesystem, node.id)} ${where}`).sort(), listed);
    t.true(
      found.some(({ path: where }) => where?.startsWith('/_one/') === true || where?.startsWith('/_ONE/') === true),
    );

    const certainties = new Map<string, number>();
    for (const { node, path: where, certainty, reason } of found) {
      if (node.kind !== 'file') continue;
      certainties.set(certainty, (certainties.get(certainty) ?? 0) + 1);
      const slot = String(slotOf(filesystem, node.id));
      const real = await tool('icat', ['-r', image, slot]).catch(() => undefined);
      const mine = await sha256(fileDevice(filesystem, node)).catch(() => undefined);
      if (certainty === 'lost') t.is(mine, undefined, `${where}: ${reason}`);
      else t.is(mine, createHash('sha256').update(real!).digest('hex'), `${where}: ${reason}`);
      if (certainty === 'intact') t.is(real?.length, node.size);
    }
    t.true(certainties.has('intact'));
    // On FAT32 mtools goes on behind what it wrote last, and takes no place again.
    if (name !== 'FAT32') t.true(certainties.has('lost'));
    await compareWithTskRecover(t, image, folder, filesystem, found);
  });
}

/** What is intact here tsk_recover writes out too, under the same path and byte for byte. */
async function compareWithTskRecover(
  t: ExecutionContext,
  image: string,
  folder: string,
  filesystem: FatFileSystem,
  found: readonly RecoverableFile[],
): Promise<void> {
  const out = path.join(folder, 'out');
  mkdirSync(out);
  await tool('tsk_recover', [image, out]);
  let compared = 0;
  for (const { node, path: where, certainty } of found) {
    if (node.kind !== 'file' || certainty !== 'intact' || node.size === 0) continue;
    const real = createHash('sha256').update(readFileSync(path.join(out, where!)));
    t.is(await sha256(fileDevice(filesystem, node)), real.digest('hex'), where);
    compared++;
  }
  t.true(compared > 5);
}

test('the older of two deleted files that had the same clusters is damaged, the newer is intact', async (t) => {
  if (!hasTools(t, 'mkfs.fat', 'mcopy')) return;
  const folder = temporaryFolder(t);
  const image = path.join(folder, 'fat.img');
  await tool('mkfs.fat', ['-C', '-F', '16', '-s', '1', image, '9000']);
  const bytes = new Uint8Array(readFileSync(image));
  const { geometry } = await openFat(await FileDevice.open(image), testContext());
  // By hand, since no tool sets its clock: two entries, 10 clusters from 5 on and 4 from 9 on, the second a day later.
  const view = new DataView(bytes.buffer);
  [
    ['FIRST   BIN', 5, 5000, 0x5021],
    ['SECOND  BIN', 9, 2000, 0x5022],
    ['APART   BIN', 40, 2000, 0x5020],
  ].forEach(([name, cluster, size, date], at) => {
    const slot = geometry.rootOffset + at * 32;
    bytes.set(Buffer.from(String(name)), slot);
    bytes[slot] = 0xe5;
    bytes[slot + 11] = 0x20;
    view.setUint16(slot + 24, Number(date), true);
    view.setUint16(slot + 26, Number(cluster), true);
    view.setUint32(slot + 28, Number(size), true);
  });
  writeFileSync(image, bytes);
  const found = await recoverable(await open(t, image));
  t.deepEqual(
    found.map(({ path: where, certainty }) => [where, certainty]),
    [
      ['/_IRST.BIN', 'damaged'],
      ['/_ECOND.BIN', 'intact'],
      ['/_PART.BIN', 'intact'],
    ],
  );
});
