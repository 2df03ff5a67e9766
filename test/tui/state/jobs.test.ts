import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import type { DirectoryEntry, Finding } from '../../../src/core/index.ts';
import { MAX_REPORT_ENTRIES } from '../../../src/tui/state/task.ts';
import { temporaryFolder } from '../../helpers/tools.ts';
import { Driver } from '../drive.ts';
import { bigDirectory, type FakeExtras, type FakeTree, fakeImage, text } from '../fake-image.ts';

const tree: FakeTree = {
  etc: { passwd: text('root:x:0:0\n'), 'conf.d': { 'a.conf': text('a') } },
  'old.conf': text('deleted content'),
  'notes.CONF': text('n'),
};
/** The fake's ids go in depth: the root is 2. */
const OLD_CONF = 7;
const gone = (name: string, nodeId: number): DirectoryEntry => ({ name, nodeId, kind: 'file', deleted: true });

async function drive(extras: FakeExtras = {}): Promise<Driver> {
  return (await new Driver(fakeImage(tree, extras).image).settle()).goto('p1:');
}

async function find(driver: Driver, pattern: string): Promise<void> {
  driver.press('find');
  driver.type(pattern);
  driver.press('prompt-accept');
  await driver.settle();
}

async function extractTo(driver: Driver, destination: string): Promise<string> {
  driver.press('extract', 'prompt-clear');
  driver.type(destination);
  driver.press('prompt-accept');
  await driver.settle();
  return driver.state.message?.text ?? '';
}

test('find goes through the whole filesystem, jumps to the first match, and n and N around', async (t) => {
  const driver = await drive();
  await find(driver, 'conf');
  t.regex(driver.state.message?.text ?? '', /^4 of 6 names match "conf"/);
  const at = driver.selected;
  const seen = new Set([at]);
  for (let step = 0; step < 4; step++) {
    driver.press('find-next');
    await driver.settle();
    seen.add(driver.selected);
    t.regex(driver.state.message?.text ?? '', /^match \d of 4: p1:\//);
  }
  t.deepEqual([...seen].sort(), ['a.conf', 'conf.d/', 'notes.CONF', 'old.conf']);
  const rows = driver.state.tree.rows.map(({ item }) => item);
  const places = (driver.state.search?.matches ?? []).map(({ path }) =>
    rows.findIndex((item) => 'name' in item && path.endsWith(`/${item.name}`)),
  );
  t.deepEqual(
    places,
    [...places].sort((left, right) => left - right),
    'in the order of the rows',
  );

  t.is(driver.selected, at, 'around the end');
  driver.press('find-previous');
  await driver.settle();
  driver.press('find-next');
  await driver.settle();
  t.is(driver.selected, at);
  driver.press('report');
  t.is(driver.state.report?.entries.length, 4);
});

test('a pattern is for the whole name, or with a slash for the path; no match is said', async (t) => {
  const driver = await drive();
  await find(driver, '*.conf');
  t.is(driver.state.search?.total, 3);
  await find(driver, '/etc/*conf');
  t.is(driver.state.search?.total, 1);
  await find(driver, 'absent');
  t.regex(driver.state.message?.text ?? '', /^no name matches "absent", of 6 names/);
  driver.press('find-next');
  t.regex(driver.state.message?.text ?? '', /no name matches/);
});

test('find knows deleted entries when they are listed, and goes to the right one of a name', async (t) => {
  const driver = await drive({ deleted: [gone('old.conf', OLD_CONF)], freeIds: [] });
  driver.press('toggle-deleted');
  await driver.settle();
  await find(driver, 'old.conf');
  t.is(driver.state.search?.total, 2);
  driver.press('find-next');
  await driver.settle();
  t.is(driver.selected, '✗ old.conf');
});

test('more matches than are kept are counted', async (t) => {
  const { image } = fakeImage({ many: bigDirectory(20_000) });
  const driver = await (await new Driver(image).settle()).goto('p1:');
  await find(driver, 'file-');
  t.is(driver.state.search?.total, 20_000);
  t.is(driver.state.search?.matches.length, 10_000);
  t.is(driver.state.report?.entries.length, MAX_REPORT_ENTRIES);
  t.is(driver.state.report?.left, 10_000);
});

test('a damaged filesystem does not end a search of the disk: it is told', async (t) => {
  const driver = await (await drive()).goto('p1');
  driver.press('first');
  await find(driver, 'passwd');
  t.regex(driver.state.message?.text ?? '', /^1 of 6 names .*; 1 place could not be read \(r lists them\)/);
  t.regex(driver.state.report?.entries.at(-1)?.text ?? '', /expected magic 0xef53/);
});

test('a file, a directory and a filesystem are extracted to where was typed, and the outcome is said', async (t) => {
  const folder = temporaryFolder(t);
  const driver = await (await drive()).goto('p1:/etc/passwd');
  driver.press('extract');
  t.is(driver.state.prompt?.text, './passwd');
  driver.press('prompt-cancel');
  t.is(await extractTo(driver, `${folder}/one`), `1 file (11 B) extracted to ${folder}/one`);
  t.is(readFileSync(path.join(folder, 'one'), 'utf8'), 'root:x:0:0\n');
  await driver.goto('p1:/etc');
  t.regex(await extractTo(driver, `${folder}/etc`), /^2 files \(12 B\), 2 directories extracted to /);
  t.is(readFileSync(path.join(folder, 'etc/conf.d/a.conf'), 'utf8'), 'a');
  await driver.goto('p1:');
  t.regex(await extractTo(driver, `${folder}/all`), /^4 files .*, 3 directories extracted to /);
  t.deepEqual(readdirSync(folder).sort(), ['all', 'etc', 'one'], 'nothing else was written');
  t.is(driver.state.task, undefined);
});

test('a destination that is taken, missing or not meant is refused, and offered again', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(path.join(folder, 'taken'), 'mine');
  const driver = await (await drive()).goto('p1:/etc');
  t.regex(await extractTo(driver, folder), /expected a new or empty directory, found a directory with entries/);
  t.is(driver.state.message?.tone, 'error');
  driver.press('extract');
  t.is(driver.state.prompt?.text, folder, 'what was typed is not lost');
  driver.press('prompt-cancel');
  t.regex(await extractTo(driver, `${folder}/no/such`), /no such file/);
  await driver.goto('p1:/etc/passwd');
  t.regex(await extractTo(driver, `${folder}/taken`), /a file of that name/);
  t.is(readFileSync(path.join(folder, 'taken'), 'utf8'), 'mine');
  for (const [typed, problem] of [
    ['~/x', /~ is not expanded/],
    [' ', /a folder or file/],
  ] as const) {
    driver.press('extract', 'prompt-clear');
    driver.type(typed);
    driver.press('prompt-accept');
    t.regex(driver.state.prompt?.problem ?? '', problem);
    driver.press('prompt-cancel');
  }
  t.deepEqual(readdirSync(folder), ['taken']);
});

test('a name from the image makes no path of its own: the folder that is offered is plain', async (t) => {
  const hostile = fakeImage({ 'a\\..\\b:c\x1b': text('x') });
  const driver = await (await new Driver(hostile.image).settle()).goto('p1:');
  driver.press('down', 'extract');
  t.regex(driver.state.prompt?.text ?? '', /^\.\/[^/\\:]+$/);
});

test('what cannot be extracted is said; what is left out is listed', async (t) => {
  const folder = temporaryFolder(t);
  const driver = await drive();
  driver.press('first', 'extract');
  t.regex(driver.state.message?.text ?? '', /nothing to extract here/);
  const bad = fakeImage({ dir: { 'a/b': text('x'), 'c\nd': text('y') } });
  const other = await (await new Driver(bad.image).settle()).goto('p1:/dir');
  t.regex(
    await extractTo(other, `${folder}/dir`),
    /^1 file .*; 1 left out \(r lists them\): \/a\/b: .*plain file name/,
  );
  t.is(other.state.report?.entries.length, 1);
});

test('one job at a time; Esc in the tree cancels it, and quitting while files are written is asked for twice', async (t) => {
  const driver = await (await drive()).goto('p1:/etc');
  driver.press('extract', 'prompt-accept');
  t.is(driver.state.task?.job.kind, 'extract');
  driver.press('check');
  t.regex(driver.state.message?.text ?? '', /one at a time: Extracting etc\/ to \.\/etc/);
  driver.press('down', 'up');
  t.is(driver.selected, 'etc/', 'the tree stays usable');
  driver.press('quit');
  t.false(driver.state.isDone);
  t.regex(driver.state.message?.text ?? '', /q again cancels it and quits/);
  driver.press('down', 'quit');
  t.false(driver.state.isLeaving, 'another key went on');
  driver.press('quit');
  t.true(driver.state.isLeaving && driver.state.task?.isCanceled === true && !driver.state.isDone);
  await driver.settle();
  t.true(driver.state.isDone, 'it ends when the job has');
  t.false(existsSync('etc'), 'canceled before anything was written');
});

test('escape and ctrl-c cancel; the answer says what became of it', async (t) => {
  for (const key of ['close', 'interrupt'] as const) {
    const driver = await (await drive()).goto('p1:/etc');
    driver.press('extract', 'prompt-accept', key);
    t.true(driver.state.task?.isCanceled);
    await driver.settle();
    t.is(driver.state.task, undefined);
    t.is(driver.state.message?.text, 'canceled: no file was written');
    t.false(driver.state.isDone);
  }
  const driver = await drive();
  driver.press('interrupt');
  t.true(driver.state.isDone, 'with nothing to cancel it quits');
});

const findings: readonly Finding[] = [
  {
    severity: 'error',
    code: 'block-claimed-twice',
    structure: 'block 77',
    offset: 0x400,
    message: 'claimed twice\x1b[2J',
    owners: ['/a', '/b\u202e'],
  },
  { severity: 'warning', code: 'odd', structure: 'inode 12', message: 'odd' },
  { severity: 'note', code: 'known', structure: 'superblock', message: 'worth knowing' },
];

test('a check opens its report, words each severity, and gives a verdict', async (t) => {
  const driver = await drive({ findings });
  driver.press('check');
  t.is(driver.state.overlay?.kind, 'report');
  await driver.settle();
  const { report } = driver.state;
  t.is(report?.summary, 'p1: ext4 is not consistent: 1 error, 1 warning, 1 note');
  t.deepEqual(report?.entries, [
    { tone: 'error', head: 'error: block 77 at 0x400', text: 'claimed twice\\x1b[2J (/a, /b\\u{202e})' },
    { tone: 'warning', head: 'warning: inode 12', text: 'odd' },
    { tone: 'note', head: 'note: superblock', text: 'worth knowing' },
  ]);
});

test('a check of the disk tells a filesystem that cannot be opened; without findings it is consistent', async (t) => {
  const driver = await drive();
  driver.press('first', 'check');
  await driver.settle();
  t.is(driver.state.report?.summary, 'p1: ext4 is consistent; p2 cannot be opened');
  const sound = await drive();
  sound.press('check');
  await sound.settle();
  t.is(sound.state.report?.summary, 'p1: ext4 is consistent');
});

test('a check without end keeps a bounded report', async (t) => {
  const many = Array.from({ length: MAX_REPORT_ENTRIES + 5 }, () => findings[1]!);
  const driver = await drive({ findings: many });
  driver.press('check');
  await driver.settle();
  t.is(driver.state.report?.entries.length, MAX_REPORT_ENTRIES);
  t.is(driver.state.report?.left, 5);
});
