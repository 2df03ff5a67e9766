import { spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { sectorscope } from '../helpers/cli.ts';
import { seededRandom } from '../helpers/seeded-random.ts';
import { hasTools, temporaryFolder, tool } from '../helpers/tools.ts';

/** A tree of names that patterns can stumble over, of all sizes and ages, and an ext4 image of it. */
async function makeTree(t: ExecutionContext): Promise<{ readonly tree: string; readonly image: string }> {
  const tree = path.join(temporaryFolder(t), 'tree');
  const random = seededRandom(3);
  const names = ['a.log', 'B.LOG', '.hidden.log', 'x[1].txt', 'star*', 'back\\slash', 'ünï.log', '(a|b)+.txt', 'z'];
  for (const folder of ['', 'one', 'one/two', 'log']) {
    mkdirSync(path.join(tree, folder), { recursive: true });
    for (const name of names) {
      const file = path.join(tree, folder, name);
      writeFileSync(file, Buffer.alloc([0, 1, 1023, 1024, 1025, 5000][Math.floor(random() * 6)]!));
      const seconds = Date.UTC(2023, Math.floor(random() * 24), 1 + Math.floor(random() * 28)) / 1000;
      utimesSync(file, seconds, seconds);
    }
    symlinkSync('a.log', path.join(tree, folder, 'link.log'));
  }
  const image = `${tree}.img`;
  await tool('mke2fs', ['-q', '-F', '-t', 'ext4', '-d', tree, image, '8M']);
  return { tree, image };
}

const cases: readonly (readonly [ours: readonly string[], theirs: readonly string[]])[] = [
  [[], []],
  [
    ['--name', '*.log'],
    ['-name', '*.log'],
  ],
  [
    ['--name', '*.log', '-i'],
    ['-iname', '*.log'],
  ],
  [
    ['--name', '*.log', '--name', '*.txt'],
    ['(', '-name', '*.log', '-o', '-name', '*.txt', ')'],
  ],
  [
    ['--name', 'x\\[?].txt'],
    ['-name', 'x\\[?].txt'],
  ],
  [
    ['--name', 'star\\*'],
    ['-name', 'star\\*'],
  ],
  [
    ['--name', '[!a-y]'],
    ['-name', '[!a-y]'],
  ],
  [
    ['--name', '(a|b)+.txt'],
    ['-name', '(a|b)+.txt'],
  ],
  [
    ['--name', '?n?.log'],
    ['-name', '?n?.log'],
  ],
  [
    ['--type', 'd'],
    ['-type', 'd'],
  ],
  [
    ['--type', 'fl', '--name', 'l*'],
    ['-type', 'f,l', '-name', 'l*'],
  ],
  [
    ['--type', 'f', '--size', '1024'],
    ['-type', 'f', '-size', '1024c'],
  ],
  [
    ['--type', 'f', '--size', '+1025'],
    ['-type', 'f', '-size', '+1024c'],
  ],
  [
    ['--type', 'f', '--size', '-1k'],
    ['-type', 'f', '-size', '-1024c'],
  ],
  [
    ['--type', 'f', '--mtime', '2023-03-05..2024-02-10'],
    ['-type', 'f', '-newermt', '2023-03-04 23:59:59.5', '!', '-newermt', '2024-02-10 23:59:59.5'],
  ],
  [
    ['--type', 'f', '--mtime', '2024'],
    ['-type', 'f', '-newermt', '2023-12-31 23:59:59.5'],
  ],
  [
    ['--type', 'f', '--mtime', '..2023-02'],
    ['-type', 'f', '!', '-newermt', '2023-02-28 23:59:59.5'],
  ],
];

test('find(1) finds the same on the tree that the image was made of', async (t) => {
  if (!hasTools(t, 'mke2fs', 'find')) return;
  const { tree, image } = await makeTree(t);
  let found = 0;
  for (const [ours, theirs] of cases) {
    const expected = findIn(tree, theirs).trim().split('\n');
    const { code, stdout, stderr } = await sectorscope(['find', '--json', image, ...ours]);
    t.is(code, 0, stderr);
    const paths = (JSON.parse(stdout.toString()) as { path: string }[])
      .map((entry) => entry.path)
      .filter((name) => name !== '/lost+found');
    t.deepEqual(paths.sort(), expected.filter((name) => name !== '').sort(), ours.join(' '));
    found += paths.length;
  }
  t.true(found > 100);
});

function findIn(tree: string, args: readonly string[]): string {
  const options = { cwd: tree, env: { ...process.env, TZ: 'UTC', LC_ALL: 'C.UTF-8' } };
  return spawnSync('find', ['.', '-mindepth', '1', ...args, '-printf', '/%P\n'], options).stdout.toString();
}

test('what has no meaning is wrong usage', async (t) => {
  if (!hasTools(t, 'mke2fs')) return;
  const { image } = await makeTree(t);
  for (const args of [
    ['--name', '[z-a]'],
    ['--type', 'x'],
    ['--size', 'big'],
    ['--mtime', 'yesterday'],
    ['--mtime', '2023-02-30'],
    ['--mtime', '2024-05-02..2024-05-01'],
  ])
    t.is((await sectorscope(['find', image, ...args])).code, 2, args.join(' '));
  t.regex((await sectorscope(['find', image, '--type', 'd'])).stdout.toString(), /^:\/one\/$/m);
});
