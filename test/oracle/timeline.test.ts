import test from 'ava';
import { demoImage, sectorscope } from '../helpers/cli.ts';
import { fixtureFile } from '../helpers/fixtures.ts';
import { hasTools, temporaryFolder, tool } from '../helpers/tools.ts';

/** The lines in order, without what fls makes up; `fields` are the numbers of those that are compared. */
function sorted(lines: string, fields: readonly number[]): string[] {
  return lines
    .split('\n')
    .filter((line) => line !== '' && !/\/\$OrphanFiles|\/\$MBR|\/\$FAT|\(Volume Label Entry\)/.test(line))
    .map((line) => line.split('|'))
    .map((parts) => fields.map((field) => parts[field]).join('|'))
    .sort();
}

const ALL = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
/** fls shows the time of creation for ext4 only, although the inodes of ext3 may have one. */
const BUT_CREATION = ALL.slice(0, -1);
/** fls counts the entries of a FAT directory in its own way, and makes permissions of whether a file is hidden. */
const OF_FAT = ALL.filter((field) => field !== 2 && field !== 3);

for (const [name, fields] of [
  ['ext/ext2-1k.img', ALL],
  ['ext/ext3-1k-metabg.img', BUT_CREATION],
  ['ext/ext4-2k-32bit-inline.img', ALL],
  ['ext/deleted-1k.img', ALL],
  ['fat/fat16.img', OF_FAT],
  ['fat/fat32.img', OF_FAT],
  ['fat/floppy-fat12.img', OF_FAT],
] as const) {
  test(`fls agrees on the body file of ${name}`, async (t) => {
    if (!hasTools(t, 'fls')) return;
    const image = await fixtureFile(name, temporaryFolder(t));
    const { code, stdout } = await sectorscope(['timeline', image]);
    t.is(code, 0);
    // Names that are not UTF-8, and the targets of long links, are not printed by fls.
    const comparable = (lines: string[]): string[] =>
      lines.filter((line) => !/latin1-|symlink-[56]\d{1,2}\b|\(deleted/.test(line));
    const ours = sorted(stdout.toString().replaceAll('|:/', '|/'), fields);
    const theirs = sorted((await tool('fls', ['-r', '-m', '', image])).toString(), fields);
    t.true(theirs.length > 3);
    t.deepEqual(comparable(ours), comparable(theirs));
  });
}

test('deleted files are marked; a bar cannot split a line; JSON has a line for each', async (t) => {
  const image = await fixtureFile('ext/deleted-1k.img', temporaryFolder(t));
  const body = (await sectorscope(['timeline', '--deleted', image])).stdout.toString();
  t.regex(
    body,
    /^0\|:\/dir\/file-2 \(deleted\)\|14\|r\/rrw-r--r--\|0\|0\|6\|1700000002\|1700000000\|1700000001\|1700000003$/m,
  );
  t.regex(body, /^0\|:\/dir\/file-5 \(deleted-realloc\)\|17\|-\/-{10}\|0\|0\|0\|0\|0\|0\|0$/m);
  for (const line of body.trim().split('\n')) t.is(line.split('|').length, 11, line);
  const json = (await sectorscope(['timeline', '--deleted', '--json', image])).stdout.toString().trim().split('\n');
  t.is(json.length, body.trim().split('\n').length);
  t.like(JSON.parse(json.find((line) => line.includes('file-2'))!), {
    locator: ':/dir/file-2',
    deleted: true,
    id: 14,
    times: { created: '2023-11-14T22:13:23Z' },
  });
  const demo = (await sectorscope(['timeline', demoImage])).stdout.toString();
  t.regex(demo, /^0\|p1:\/EFI\|/m);
  t.regex(demo, /^0\|p2:\/etc\/passwd\|/m);
});
