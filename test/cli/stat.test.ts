import { readFileSync, statSync } from 'node:fs';
import test from 'ava';
import { demoImage, sectorscope } from '../helpers/cli.ts';
import { fixtureFile } from '../helpers/fixtures.ts';
import { temporaryFolder } from '../helpers/tools.ts';

interface Stat {
  readonly id: number;
  readonly times: Readonly<Record<string, string>>;
  readonly location: { readonly start: number; readonly length: number };
  readonly attributes: readonly { readonly name: string; readonly value: string }[];
  readonly extents: readonly { readonly kind: string; readonly offset?: number; readonly length: number }[];
}

test('a file has its times, attributes and the place of each byte in the image file', async (t) => {
  const image = await fixtureFile('ext/ext4-1k.img', temporaryFolder(t));
  const bytes = readFileSync(image);
  const { mtimeMs } = statSync(image);
  const { code, stdout } = await sectorscope(['stat', '--json', image, '/xattrs/small']);
  t.is(code, 0);
  const stat: Stat = JSON.parse(stdout.toString());
  t.like(stat, { locator: ':/xattrs/small', kind: 'file', size: 1, mode: '0644', uid: 0, gid: 0, linkCount: 1 });
  t.is(stat.times['created'], '2023-11-14T22:13:23Z');
  t.deepEqual(stat.attributes, [
    { name: 'user.comment', value: Buffer.from('a comment').toString('hex') },
    { name: 'user.binary', value: '0001feff' },
  ]);
  // The inode's own words: i_mode and i_mtime.
  t.is(bytes.readUInt16LE(stat.location.start), 0o100644);
  t.is(bytes.readUInt32LE(stat.location.start + 0x10), 1_700_000_000);
  t.is(stat.extents.length, 1);
  t.is(bytes.toString('latin1', stat.extents[0]!.offset, stat.extents[0]!.offset! + 1), 'x');
  const text = (await sectorscope(['stat', image, '/xattrs/small'])).stdout.toString();
  t.regex(text, /^mode +-rw-r--r-- 0644$/m);
  t.regex(text, /^ {2}user\.comment {2}a comment\n {2}user\.binary {3}0x0001feff$/m);
  t.is(statSync(image).mtimeMs, mtimeMs);
});

test('a link is itself, not what it leads to; holes are rows; what is no path is refused', async (t) => {
  const image = await fixtureFile('ext/ext4-1k.img', temporaryFolder(t));
  const link = await sectorscope(['stat', image, '/links/hello']);
  t.regex(link.stdout.toString(), /^kind +symlink$[\s\S]*^target +\.\.\/dir\/hello\.txt$/m);
  const sparse: Stat = JSON.parse((await sectorscope(['stat', '--json', image, '/dir/sparse'])).stdout.toString());
  t.deepEqual(
    sparse.extents.map(({ kind }) => kind),
    ['data', 'hole', 'data', 'hole', 'data'],
  );
  t.regex((await sectorscope(['stat', image, '/special/new'])).stdout.toString(), /^device +300, 70000$/m);
  for (const [args, code] of [
    [[demoImage, 'p2'], 4],
    [[demoImage, 'p2:/missing'], 5],
    [[demoImage], 2],
  ] as const)
    t.is((await sectorscope(['stat', ...args])).code, code, args.join(' '));
  t.regex(
    (await sectorscope(['stat', demoImage, 'p2'])).stderr,
    /expected a path, such as p2:\/, found the bytes of p2/,
  );
  t.regex((await sectorscope(['stat', demoImage, 'p1:/EFI'])).stdout.toString(), /^kind +directory$/m);
});
