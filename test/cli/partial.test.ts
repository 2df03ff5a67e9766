import { spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { sectorscope } from '../helpers/cli.ts';
import { fixtureFile } from '../helpers/fixtures.ts';
import { hasTools, temporaryFolder, toolText } from '../helpers/tools.ts';

interface Lost {
  readonly path: string;
  readonly start: number;
  readonly length: number;
  readonly reason: { readonly code: string; readonly message: string };
}

test('extract --partial: a chain that breaks off costs what is behind the break; without the option the file is left out', async (t) => {
  const folder = temporaryFolder(t);
  const image = await fixtureFile('fat-damage/loop-12.img', folder);
  const whole = Array.from({ length: 1000 }, (_, at) => `${at + 1}\n`).join('');
  const without = path.join(folder, 'without');
  t.is((await sectorscope(['extract', image, ':/', without])).code, 1);
  t.false(existsSync(path.join(without, 'one.txt')));

  const out = path.join(folder, 'out');
  const { code, stderr } = await sectorscope(['extract', '--partial', image, ':/', out]);
  t.is(code, 1);
  t.regex(stderr, /lost of :\/one\.txt: bytes 3072 to 3892: corrupt: fat: FAT entry of cluster 4 at offset 0x206/);
  t.deepEqual(
    readFileSync(path.join(out, 'one.txt')),
    Buffer.concat([Buffer.from(whole.slice(0, 3072)), Buffer.alloc(821)]),
  );
  t.deepEqual(readFileSync(path.join(out, 'two.txt')), readFileSync(path.join(without, 'two.txt')));

  const json = await sectorscope(['extract', '--partial', '--json', image, ':/one.txt', path.join(folder, 'one')]);
  t.is(json.code, 1);
  const { lost } = JSON.parse(json.stdout.toString()) as { lost: Lost[] };
  t.like(lost, [{ path: 'one.txt', start: 3072, length: 821, reason: { code: 'CORRUPT' } }]);
  const piped = await sectorscope(['extract', '--partial', image, ':/one.txt', '-']);
  t.is(piped.code, 1);
  t.deepEqual(piped.stdout, readFileSync(path.join(out, 'one.txt')));
});

test('extract --partial: a file of which nothing can be read is left out all the same', async (t) => {
  const folder = temporaryFolder(t);
  const image = await fixtureFile('fat-damage/start-outside-16.img', folder);
  const { code, stderr } = await sectorscope(['extract', '--partial', image, ':/', path.join(folder, 'out')]);
  t.is(code, 1);
  t.regex(stderr, /left out :\/\S+: corrupt: fat: directory entry/);
});

const BLOCK = 1024;
const BLOCKS = 600;

/** A file of single blocks with two holes behind each, in a filesystem of that type; gives its content too. */
async function makeFragmented(
  t: ExecutionContext,
  type: string,
): Promise<{ image: string; content: Buffer; folder: string }> {
  const folder = temporaryFolder(t);
  const image = path.join(folder, 'image');
  const source = path.join(folder, 'source');
  writeFileSync(image, '');
  truncateSync(image, 16 * 1024 ** 2);
  spawnSync('mke2fs', ['-q', '-F', '-t', type, '-b', String(BLOCK), '-O', '^metadata_csum', image]);
  const file = openSync(source, 'w');
  for (let at = 0; at < BLOCKS; at++) writeSync(file, Buffer.alloc(BLOCK, 65 + (at % 26)), 0, BLOCK, at * 3 * BLOCK);
  closeSync(file);
  await toolText('debugfs', ['-w', '-R', `write ${source} file`, image]);
  return { image, content: readFileSync(source), folder };
}

function patch(image: string, offset: number, bytes: readonly number[]): void {
  const file = openSync(image, 'r+');
  writeSync(file, Buffer.from(bytes), 0, bytes.length, offset);
  closeSync(file);
}

function u32(image: string, offset: number): number {
  const file = openSync(image, 'r');
  const bytes = Buffer.alloc(4);
  readSync(file, bytes, 0, 4, offset);
  closeSync(file);
  return bytes.readUInt32LE();
}

/** Extracts the file and checks that it is `content` but for zeros in the blocks from `first` up to `end`. */
async function loses(t: ExecutionContext, image: string, content: Buffer, first: number, end: number): Promise<void> {
  const out = path.join(temporaryFolder(t), 'out');
  const { code, stdout } = await sectorscope(['extract', '--partial', '--json', image, ':/file', out]);
  t.is(code, 1);
  const { lost } = JSON.parse(stdout.toString()) as { lost: Lost[] };
  t.deepEqual(
    lost.map(({ start, length }) => [start / BLOCK, (start + length) / BLOCK]),
    [[first, end]],
  );
  const expected = Buffer.from(content);
  expected.fill(0, first * BLOCK, end * BLOCK);
  t.true(expected.equals(readFileSync(out)));
  t.is(statSync(out).size, content.length);
}

test('extract --partial: a damaged block of an extent tree, or one entry in it, costs its own range', async (t) => {
  if (!hasTools(t, 'mke2fs', 'debugfs')) return;
  const { image, content } = await makeFragmented(t, 'ext4');
  // Lines as `1/ 2   2/  8   249 -   497  4391   249`: depth, which of how many, blocks of the file, and the node's block.
  const tree = await toolText('debugfs', ['-R', 'ex /file', image]);
  const nodes = [...tree.matchAll(/^ (\d)\/ *\d +\d+\/ *\d+ +(\d+) - +(\d+) +(\d+) +\d+ *$/gm)].map((row) =>
    row.slice(1).map(Number),
  );
  const leaves = nodes.filter(([depth]) => depth === Math.max(...nodes.map(([each]) => each!)));
  const [, first, last, block] = leaves[1]!;
  const magic = [0x0a, 0xf3];
  patch(image, block! * BLOCK, [0, 0]);
  await loses(t, image, content, first!, last! + 1);
  patch(image, block! * BLOCK, magic);
  // The physical block of the third entry.
  patch(image, block! * BLOCK + 12 + 2 * 12 + 8, [255, 255, 255, 255]);
  const lostBlock = u32(image, block! * BLOCK + 12 + 2 * 12);
  await loses(t, image, content, lostBlock, lostBlock + 1);
});

test('extract --partial: a bad pointer in a block map costs what it maps', async (t) => {
  if (!hasTools(t, 'mke2fs', 'debugfs')) return;
  const { image, content } = await makeFragmented(t, 'ext2');
  const stat = await toolText('debugfs', ['-R', 'stat /file', image]);
  const indirect = Number(/\(IND\):(\d+)/.exec(stat)?.[1]);
  // Block 15 of the file is pointer 3 of the first indirect block.
  t.true(u32(image, indirect * BLOCK + 3 * 4) > 0);
  patch(image, indirect * BLOCK + 3 * 4, [255, 255, 255, 255]);
  await loses(t, image, content, 15, 16);
});

test('recover --partial: a deleted file whose map is damaged', async (t) => {
  if (!hasTools(t, 'mke2fs', 'debugfs')) return;
  const { image, content, folder } = await makeFragmented(t, 'ext2');
  const indirect = Number(/\(IND\):(\d+)/.exec(await toolText('debugfs', ['-R', 'stat /file', image]))?.[1]);
  await toolText('debugfs', ['-w', '-R', 'rm file', image]);
  patch(image, indirect * BLOCK + 3 * 4, [255, 255, 255, 255]);
  const certainty = ['--certainty', 'lost'];
  const plain = path.join(folder, 'plain');
  t.is((await sectorscope(['recover', ...certainty, image, ':/', plain])).code, 1);
  t.false(existsSync(path.join(plain, 'file')));
  const out = path.join(folder, 'out');
  const { code, stdout } = await sectorscope(['recover', '--partial', '--json', ...certainty, image, ':/', out]);
  t.is(code, 1);
  const [found] = JSON.parse(stdout.toString()) as { lost: Lost[]; host: string }[];
  t.like(found?.lost, [{ start: 15 * BLOCK, length: BLOCK }]);
  const expected = Buffer.from(content).fill(0, 15 * BLOCK, 16 * BLOCK);
  t.true(expected.equals(readFileSync(found!.host)));
  const piped = await sectorscope(['recover', '--partial', ...certainty, image, ':/file', '-']);
  t.true(expected.equals(piped.stdout));
});
