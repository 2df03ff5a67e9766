import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { sectorscope } from '../helpers/cli.ts';
import { hasTools, temporaryFolder, tool, toolText } from '../helpers/tools.ts';

const LAYOUTS = [
  ['12', '2000'],
  ['16', '20000'],
  ['32', '70000'],
] as const;

/** A directory tree that is deleted whole, and files deleted beside live ones. */
async function makeImage(t: ExecutionContext, bits: string, kibibytes: string): Promise<string> {
  const folder = temporaryFolder(t);
  const image = path.join(folder, 'image');
  const source = path.join(folder, 'source');
  await tool('mkfs.fat', ['-F', bits, '-s', '1', '-C', image, kibibytes]);
  const write = async (name: string, size: number): Promise<void> => {
    writeFileSync(source, Buffer.alloc(size, `${name} `));
    await tool('mcopy', ['-i', image, source, `::${name}`]);
  };
  for (const name of ['/keep', '/gone', '/gone/sub', '/gone/sub/deep', '/A long directory name'])
    await tool('mmd', ['-i', image, `::${name}`]);
  await write('/gone/one.bin', 5000);
  await write('/gone/sub/A long file name.txt', 3000);
  await write('/gone/sub/deep/leaf.bin', 20_000);
  await write('/keep/kept.txt', 700);
  await write('/keep/lost.txt', 5000);
  await write('/A long directory name/x.txt', 100);
  await tool('mdeltree', ['-i', image, '::/gone', '::/A long directory name']);
  await tool('mdel', ['-i', image, '::/keep/lost.txt']);
  return image;
}

for (const [bits, kibibytes] of LAYOUTS)
  test(`deleted directories are entered, and deleted paths lead to what fls and icat find: FAT${bits}`, async (t) => {
    if (!hasTools(t, 'mkfs.fat', 'mcopy', 'fls', 'icat')) return;
    const image = await makeImage(t, bits, kibibytes);
    const rows = (await toolText('fls', ['-r', '-d', '-p', image])).trim().split('\n');
    const expected = rows.map((row) => /^(.)\/. \* (\d+):\t(.*)$/.exec(row)!.slice(1) as [string, string, string]);
    t.true(expected.length >= 8);
    const json = async (...args: string[]): Promise<{ path: string; kind: string; deleted: boolean }[]> => {
      const { code, stdout, stderr } = await sectorscope([...args, '--deleted', '--json', image]);
      t.is(code, 0, stderr);
      return JSON.parse(stdout.toString());
    };
    const told = expected.map(([kind, , name]) => `/${name}${kind === 'd' ? '/' : ''}`).sort();
    for (const command of [['ls', '-R'], ['find']]) {
      const found = (await json(...command)).filter(({ deleted }) => deleted);
      t.deepEqual(found.map((one) => `${one.path}${one.kind === 'directory' ? '/' : ''}`).sort(), told);
    }
    const timeline = (await sectorscope(['timeline', '--deleted', image])).stdout.toString();
    t.is(timeline.match(/ \(deleted\)\|/g)?.length, expected.length);

    const out = path.join(path.dirname(image), 'out');
    const extracted = await sectorscope(['extract', '--deleted', image, ':/_one', out]);
    t.is(extracted.code, 0, extracted.stderr);
    for (const [kind, inode, name] of expected) {
      if (kind !== 'r') continue;
      const content = await tool('icat', ['-r', image, inode]);
      const { code, stdout, stderr } = await sectorscope(['cat', '--deleted', image, `:/${name}`]);
      t.is(code, 0, stderr);
      t.true(content.equals(stdout), name);
      t.is((await sectorscope(['cat', image, `:/${name}`])).code, 5);
      if (name.startsWith('_one/'))
        t.true(content.equals(readFileSync(path.join(out, name.slice('_one/'.length)))), name);
    }
    const [, inode] = expected.find(([, , name]) => name.endsWith('A long file name.txt'))!;
    const size = (await tool('icat', ['-r', image, inode])).length;
    const place = ':/_one/_ub/A long file name.txt';
    t.regex(
      (await sectorscope(['stat', '--deleted', image, place])).stdout.toString(),
      new RegExp(`\\(${size.toLocaleString('en-US')} bytes\\)[^]*deleted +yes`),
    );
    for (const command of ['hex', 'map', 'hash'])
      t.is((await sectorscope([command, '--deleted', image, place])).code, 0);
    const listed = await sectorscope(['ls', '--deleted', image, ':/_one/_ub']);
    t.is(listed.stdout.toString(), '_eep/  (deleted)\nA long file name.txt  (deleted)\n');
    t.is((await sectorscope(['hash', '--deleted', image, ':/_one'])).stdout.toString().trim().split('\n').length, 3);
  });

test('a deleted name of ext whose inode is another file by now is refused', async (t) => {
  if (!hasTools(t, 'mke2fs', 'debugfs')) return;
  const folder = temporaryFolder(t);
  const image = path.join(folder, 'image');
  const source = path.join(folder, 'source');
  writeFileSync(source, 'content');
  await tool('mke2fs', ['-q', '-F', '-t', 'ext2', image, '2M']);
  const script = [
    'mkdir dir',
    `write ${source} first`,
    `write ${source} gone`,
    `write ${source} again`,
    'rm gone',
    'rm again',
    'cd dir',
    `write ${source} other`,
  ];
  await tool('debugfs', ['-w', '-f', '-', image], script.join('\n'));
  const listed = (await sectorscope(['ls', '-l', '--deleted', image])).stdout.toString();
  t.regex(listed, /gone {2}\(deleted\): inode \d+ is in use again/);
  const reused = await sectorscope(['cat', '--deleted', image, '/gone']);
  t.is(reused.code, 5);
  t.regex(reused.stderr, /no gone in \/; the inode \d+ of the deleted one is in use again/);
  const free = await sectorscope(['cat', '--deleted', image, '/again']);
  t.is(free.stdout.toString(), 'content', free.stderr);
});

test('a live file goes before a deleted one of its name', async (t) => {
  if (!hasTools(t, 'mkfs.fat', 'mcopy')) return;
  const folder = temporaryFolder(t);
  const image = path.join(folder, 'image');
  const source = path.join(folder, 'source');
  await tool('mkfs.fat', ['-C', image, '1440']);
  for (const content of ['the first', 'the second']) {
    writeFileSync(source, content);
    await tool('mcopy', ['-o', '-i', image, source, '::/A long name.txt']);
  }
  t.is((await sectorscope(['cat', '--deleted', image, '/A long name.txt'])).stdout.toString(), 'the second');
});
