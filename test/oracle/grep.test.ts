import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { launcher, sectorscope, sectorscopeJson } from '../helpers/cli.ts';
import { seededRandom } from '../helpers/seeded-random.ts';
import { hasTools, temporaryFolder, tool } from '../helpers/tools.ts';

interface Hit {
  readonly locator: string;
  readonly offset: number;
  readonly diskOffset: number | null;
  readonly lba: number | null;
  readonly length: number;
}

/**
 * Byte offsets as grep has them, which tells no match that begins inside another. With -z a line feed is no end of a line;
 * grep 3.8 does not count the zeros that it passes over then, and tells offsets behind them too low.
 */
function grepOffsets(pattern: string, file: string, ...options: string[]): number[] {
  const args = ['-obUaP', ...options, '-e', pattern, file];
  const { stdout, stderr } = spawnSync('grep', args, { env: { ...process.env, LC_ALL: 'C' }, maxBuffer: 1024 ** 3 });
  if (stderr.length > 0) throw new Error(stderr.toString());
  return [...stdout.toString('latin1').matchAll(/(?:^|[\n\0])(\d+):/g)].map(([, offset]) => Number(offset));
}

/** Of matches that overlap the first, as grep takes them. */
function withoutOverlaps(hits: readonly { readonly offset: number; readonly length: number }[]): number[] {
  let end = 0;
  return hits.flatMap(({ offset, length }) => {
    if (offset < end) return [];
    end = offset + length;
    return [offset];
  });
}

/** No zeros, at which grep -z ends its lines, and no digits before a colon, which its output has. */
function randomBytes(random: () => number, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => [0x41, 0x61, 0x42, 0xff, 0xc3, 0x0a, 0x5c][Math.floor(random() * 7)]!);
}

test('grep finds the same in a raw disk', async (t) => {
  if (!hasTools(t, 'grep')) return;
  const image = path.join(temporaryFolder(t), 'raw.img');
  const random = seededRandom(21);
  writeFileSync(image, randomBytes(random, 1024 * 1024));
  for (let round = 0; round < 12; round++) {
    const bytes = [...randomBytes(random, 2 + Math.floor(random() * 4))];
    const digits = bytes.map((byte) =>
      random() < 0.2 && byte !== bytes[0] ? '??' : byte.toString(16).padStart(2, '0'),
    );
    const pattern = digits.map((each) => (each === '??' ? '[\\x00-\\xff]' : `\\x${each}`)).join('');
    const hits = await sectorscopeJson<Hit[]>(['grep', '--format', 'raw', image, '--hex', digits.join(' ')]);
    t.deepEqual(withoutOverlaps(hits), grepOffsets(pattern, image, '-z'), digits.join(' '));
  }
  const hits = await sectorscopeJson<Hit[]>(['grep', '--format', 'raw', image, 'aAb', '-i']);
  t.deepEqual(withoutOverlaps(hits), grepOffsets('aAb', image, '-z', '-i'));
  t.true(hits.length > 1000);
  t.true(hits.every(({ lba, offset }) => lba === Math.floor(offset / 512)));
});

/** A tree, and an ext4 image of it in which some files lie in pieces. */
async function makeTree(t: ExecutionContext): Promise<{ readonly tree: string; readonly raw: string }> {
  const folder = temporaryFolder(t);
  const tree = path.join(folder, 'tree');
  const raw = path.join(folder, 'disk.raw');
  mkdirSync(path.join(tree, 'sub'), { recursive: true });
  const random = seededRandom(4);
  for (let number = 0; number < 40; number++) {
    const text = Buffer.from(`no needl but needles ${number}, Needle\n`.repeat(1 + Math.floor(random() * 400)));
    writeFileSync(path.join(tree, number % 2 === 0 ? 'sub' : '', `file ${number}`), text);
  }
  await tool('mke2fs', ['-q', '-F', '-t', 'ext4', '-b', '1024', '-d', tree, raw, '4M']);
  // Every other file goes, and one that needs all the holes comes.
  const removed = Array.from({ length: 20 }, (_, index) => `rm "/sub/file ${index * 2}"`).join('\n');
  await tool('debugfs', ['-w', '-f', '-', raw], removed);
  const pieces = path.join(folder, 'pieces');
  writeFileSync(pieces, 'a needle every thirty-three bytes'.repeat(80_000 / 33 + 1));
  await tool('debugfs', ['-w', '-f', '-', raw], `write ${pieces} pieces\n`);
  writeFileSync(path.join(tree, 'pieces'), readFileSync(pieces));
  return { tree, raw };
}

test('grep finds the same in the files, and the disk has it where it is said to be', async (t) => {
  if (!hasTools(t, 'grep', 'mke2fs', 'debugfs', 'qemu-img')) return;
  const { tree, raw } = await makeTree(t);
  const compressed = `${raw}.qcow2`;
  await tool('qemu-img', ['convert', '-c', '-O', 'qcow2', raw, compressed]);
  const disk = readFileSync(raw);
  for (const image of [raw, compressed]) {
    const hits = await sectorscopeJson<Hit[]>(['grep', image, 'needle', '--files']);
    const byFile = Map.groupBy(hits, ({ locator }) => locator);
    t.is(byFile.size, 21);
    for (const [locator, found] of byFile)
      t.deepEqual(withoutOverlaps(found), grepOffsets('needle', path.join(tree, locator.slice(2))), locator);
    // The last bytes of a match may lie elsewhere.
    t.true(hits.every(({ diskOffset }) => disk[diskOffset!] === 'n'.charCodeAt(0)));
    t.is(
      (await sectorscopeJson<{ count: number }>(['grep', image, 'needle', ':/pieces', '-c'])).count,
      byFile.get(':/pieces')!.length,
    );
    const onDisk = await sectorscopeJson<Hit[]>(['grep', image, 'needle']);
    t.deepEqual(
      onDisk.map(({ offset }) => offset),
      grepOffsets('needle', raw),
    );
  }
});

test('the exit code says whether anything was found, and damage of a file leaves only that out', async (t) => {
  if (!hasTools(t, 'mke2fs', 'debugfs')) return;
  const { raw } = await makeTree(t);
  const none = await sectorscope(['grep', raw, 'no such text']);
  t.deepEqual([none.code, none.stdout.toString(), none.stderr], [1, '', '']);
  const limited = await sectorscope(['grep', raw, 'needle', ':/pieces', '--limit', '2', '--context', '3']);
  t.is(limited.code, 0, limited.stderr);
  t.regex(
    limited.stdout.toString(),
    /^0x[0-9a-f]+ {2}lba \d+ {2}:\/pieces\+0x2 {2}a needle ev\n.*\+0x23 {2}sa needle ev\n$/,
  );
  t.is((await sectorscope(['grep', raw, 'needle', '-c', '--limit', '7'])).stdout.toString(), '7\n');
  await tool('debugfs', ['-w', '-f', '-', raw], 'sif pieces block[IND] 0\nsif pieces mode 0\n');
  const damaged = await sectorscope(['grep', raw, 'needle', '--files', '-c']);
  t.is(damaged.code, 1);
  t.regex(damaged.stderr, /:\/pieces: .*inode/);
  t.true(Number(damaged.stdout.toString()) > 1000);
  for (const args of [
    ['--hex', 'zz'],
    ['--hex', '00', '-i'],
    ['x', '--encoding', 'ebcdic'],
    [''],
    ['x', '--limit', '0'],
  ])
    t.is((await sectorscope(['grep', raw, ...args])).code, 2, args.join(' '));
});

test('a run of zeros that has the pattern everywhere is interrupted, also where the output goes to nothing', async (t) => {
  const image = path.join(temporaryFolder(t), 'sparse.raw');
  writeFileSync(image, '');
  truncateSync(image, 2 ** 40);
  const args = [launcher, 'grep', '--format', 'raw', image, '--hex', '00 00'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const timer = setInterval(() => child.kill('SIGINT'), 2000);
  const [code] = await once(child, 'exit');
  clearInterval(timer);
  t.is(code, 130);
});
