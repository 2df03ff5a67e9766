import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { sectorscope, sectorscopeJson } from '../helpers/cli.ts';
import { hasTools, temporaryFolder } from '../helpers/tools.ts';

const SECOND = 1_700_000_000;

/** An ext2 filesystem with two deleted files in a directory, one at the top, and one whose blocks are another's by now. */
function makeImage(t: ExecutionContext): { image: string; folder: string } {
  const folder = temporaryFolder(t);
  const image = path.join(folder, 'image');
  writeFileSync(image, '');
  truncateSync(image, 2 * 1024 ** 2);
  spawnSync('mke2fs', ['-q', '-F', '-t', 'ext2', '-b', '1024', image]);
  const source = (name: string, bytes: string): string => {
    writeFileSync(path.join(folder, name), bytes);
    return path.join(folder, name);
  };
  const script = [
    `set_current_time @${SECOND}`,
    `write ${source('lost', 'l'.repeat(600_000))} spare`,
    `write ${source('lost', 'l'.repeat(600_000))} over`,
    'mkdir docs',
    'cd docs',
    `write ${source('one', 'the first')} one`,
    `write ${source('two', 'second '.repeat(3000))} two`,
    'cd /',
    `write ${source('top', 'at the top')} top`,
    'rm spare',
    'rm over',
    // Takes the inode of the first, and the blocks of both.
    `write ${source('big', 'b'.repeat(900_000))} big`,
    'set_inode_field docs/one mode 0100640',
    `set_current_time @${SECOND + 100}`,
    'rm docs/one',
    'rm docs/two',
    'rm top',
  ];
  spawnSync('debugfs', ['-w', '-f', '-', image], { input: script.join('\n') });
  return { image, folder };
}

/** An ext2 filesystem with nothing in it. */
function makeEmpty(t: ExecutionContext): string {
  const image = path.join(temporaryFolder(t), 'image');
  writeFileSync(image, '');
  truncateSync(image, 1024 ** 2);
  spawnSync('mke2fs', ['-q', '-F', '-t', 'ext2', '-b', '1024', image]);
  return image;
}

test('recover lists, writes a directory, a file and one by its key', async (t) => {
  if (!hasTools(t, 'mke2fs', 'debugfs')) return;
  const { image, folder } = makeImage(t);
  const listed = await sectorscopeJson<{ path: string; certainty: string; key: string; size: number }[]>([
    'recover',
    image,
  ]);
  t.deepEqual(listed.map(({ path: name }) => name).sort(), ['/docs/one', '/docs/two', '/top']);
  t.true(listed.every(({ certainty }) => certainty === 'intact'));
  const text = await sectorscope(['recover', image]);
  t.regex(
    text.stdout.toString(),
    /^intact +10 +2023-11-14T22:15:00Z +inode-\d+ +:\/top +\(inode: its blocks are free/m,
  );

  const out = path.join(folder, 'out');
  const written = await sectorscope(['recover', image, '/docs', out]);
  t.is(written.code, 0, written.stderr);
  t.regex(written.stderr, /2 files .* recovered/);
  t.deepEqual(readdirSync(out, { recursive: true }).sort(), ['docs', 'docs/one', 'docs/two']);
  t.is(readFileSync(path.join(out, 'docs/one'), 'utf8'), 'the first');
  t.is(readFileSync(path.join(out, 'docs/two'), 'utf8'), 'second '.repeat(3000));
  t.is(statSync(path.join(out, 'docs/one')).mtimeMs, SECOND * 1000);
  t.is(statSync(path.join(out, 'docs/one')).mode % 0o1000, 0o640);

  const one = await sectorscope(['recover', image, '/docs/two', '-']);
  t.is(one.stdout.toString(), 'second '.repeat(3000));
  const { key } = listed.find(({ path: name }) => name === '/top')!;
  t.is((await sectorscope(['recover', '--key', key, image, '/', '-'])).stdout.toString(), 'at the top');
});

test('what is not sure is left out, and said; what is damaged is asked for and ends with 1', async (t) => {
  if (!hasTools(t, 'mke2fs', 'debugfs')) return;
  const { image, folder } = makeImage(t);
  const sure = await sectorscope(['recover', image]);
  t.is(sure.code, 0);
  t.notRegex(sure.stdout.toString(), /over/);
  const out = path.join(folder, 'all');
  const all = await sectorscope(['recover', '--certainty', 'damaged', image, '/', out]);
  t.regex(sure.stderr, /left out: 1 damaged; --certainty damaged has them too/);
  t.is(all.code, 1);
  t.regex(all.stderr, /left out :\/over \(inode-13\): corrupt: ext: block pointer/);
  t.false(existsSync(path.join(out, 'over')));
  const none = await sectorscope(['recover', image, '/nothing', '-']);
  t.is(none.code, 5);
  const full = await sectorscope(['recover', image, '/', folder]);
  t.is(full.code, 7);
  t.regex(full.stderr, /new or empty directory/);
});

test('a deleted entry whose inode is in use again is a row without facts', async (t) => {
  if (!hasTools(t, 'mke2fs', 'debugfs')) return;
  const image = makeEmpty(t);
  const script = ['mkdir docs', 'symlink docs/gone there', 'rm docs/gone', 'symlink next here'];
  spawnSync('debugfs', ['-w', '-f', '-', image], { input: script.join('\n') });
  const listed = await sectorscope(['ls', '-l', '--deleted', image, '/docs']);
  t.is(
    listed.stdout.toString(),
    '??????????   -     -     -           - - gone  (deleted): inode 13 is in use again\n',
  );
});

test('what was asked for and is not there is said, in every form of the command', async (t) => {
  if (!hasTools(t, 'mke2fs', 'debugfs')) return;
  const { image, folder } = makeImage(t);
  for (const args of [
    ['--key', 'inode-999', image],
    [image, '/nothing'],
    [image, '/nothing', path.join(folder, 'none')],
  ]) {
    const none = await sectorscope(['recover', ...args]);
    t.is(none.code, 5, none.stderr);
    t.regex(none.stderr, /not found: recover: .*expected a deleted file, or an earlier version, found none/);
  }
  const alone = await sectorscope(['recover', image, './here']);
  t.is(alone.code, 5);
  t.regex(alone.stderr, /expected a LOCATOR such as p2, before DEST, or '' for the whole disk, found \.\/here/);
  const owner = await sectorscope(['recover', '--owner', image]);
  t.is(owner.code, 2);
  t.regex(owner.stderr, /--owner is for files that are written into a folder DEST/);
  const several = await sectorscope(['recover', image, '/docs', '-']);
  t.is(several.code, 0);
  t.regex(several.stderr, /inode-1[56] of 2 files: --key KEY takes another/);
  const empty = await sectorscope(['recover', makeEmpty(t)]);
  t.is(empty.code, 0);
  t.is(empty.stderr, 'sectorscope: nothing deleted was found\n');
});

test('a deleted link whose target the kernel cleared is lost, not a link to zeros', async (t) => {
  if (!hasTools(t, 'mke2fs', 'debugfs')) return;
  const folder = temporaryFolder(t);
  const image = makeEmpty(t);
  const script = [
    `set_current_time @${SECOND}`,
    'symlink kept target',
    'symlink gone target',
    'rm kept',
    'rm gone',
    'set_inode_field <13> block[0] 0',
    'set_inode_field <13> block[1] 0',
  ];
  spawnSync('debugfs', ['-w', '-f', '-', image], { input: script.join('\n') });
  const found = await sectorscopeJson<{ key: string; certainty: string }[]>(['recover', '--certainty', 'lost', image]);
  const certainties = Object.fromEntries(found.map(({ key, certainty }) => [key, certainty]));
  t.deepEqual(certainties, { 'inode-12': 'intact', 'inode-13': 'lost' });
  const out = path.join(folder, 'out');
  const written = await sectorscope(['recover', '--certainty', 'lost', image, '/', out]);
  t.regex(written.stderr, /inode-13\): corrupt: output: symbolic link: expected a target, found one that no host has/);
  t.deepEqual(readdirSync(out), ['kept']);
});
