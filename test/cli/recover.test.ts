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
  t.regex(text.stdout.toString(), /^intact +10 +2023-11-14T22:15:00Z +inode-\d+ +:\/top +inode: its blocks are free/m);

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
