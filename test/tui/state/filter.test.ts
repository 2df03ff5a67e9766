import test from 'ava';
import { filtered } from '../../../src/tui/state/open-jobs.ts';
import { shownRows } from '../../../src/tui/state/tree-filter.ts';
import { itemLabel } from '../../../src/tui/text/item-label.ts';
import { Driver } from '../drive.ts';
import { bigDirectory, type FakeTree, fakeImage, text } from '../fake-image.ts';

const tree: FakeTree = {
  'b-file': text('b'),
  etc: { passwd: text('root\n'), group: text('g'), 'conf.d': { 'passwd.conf': text('c') } },
  var: { log: { 'passwd.log': text('l') } },
};

function shown({ state }: Driver): string[] {
  const { rows } = state.tree;
  const indices = shownRows(state.tree) ?? Uint32Array.from(rows.keys());
  return [...indices].map((at) => itemLabel(rows[at]!.item, new Map()).text);
}

/** The rows below the filesystem, as they are shown. */
function below(driver: Driver): string[] {
  const all = shown(driver);
  return all.slice(all.indexOf('ext4') + 1, all.indexOf('recoverable files'));
}

async function drive(): Promise<Driver> {
  return (await new Driver(fakeImage(tree).image).settle()).goto('p1:/etc/passwd');
}

test('rows narrow as you type to what has the text; rows above the directory stay', async (t) => {
  const driver = await drive();
  driver.press('filter');
  driver.type('G');
  t.deepEqual(below(driver), ['etc/', 'group', 'var/', 'b-file']);
  t.is(driver.selected, 'group');
  driver.type('x');
  t.is(driver.state.prompt?.problem, 'no match');
  t.deepEqual(below(driver), ['etc/', 'var/', 'b-file']);
  driver.press('prompt-erase');
  t.deepEqual(below(driver), ['etc/', 'group', 'var/', 'b-file']);
  driver.press('prompt-accept');
  t.is(driver.state.prompt, undefined);
  t.deepEqual(below(driver), ['etc/', 'group', 'var/', 'b-file'], 'Enter keeps it');
  driver.press('up');
  t.is(driver.selected, 'etc/');
  driver.press('down', 'down');
  t.is(driver.selected, 'var/', 'what is hidden is stepped over');
  driver.press('up', 'close');
  t.deepEqual(below(driver), ['etc/', 'conf.d/', 'group', 'passwd', 'var/', 'b-file']);
  t.is(driver.selected, 'group', 'the selection stays where the filter brought it');
});

test('escape in the prompt shows all rows again', async (t) => {
  const driver = await drive();
  driver.press('filter');
  driver.type('gr');
  t.is(driver.selected, 'group');
  driver.press('prompt-cancel');
  t.is(driver.state.tree.filter, undefined);
  t.is(below(driver).length, 6);
  t.is(driver.selected, 'passwd', 'and the selection is where it was');
});

test('an open directory is filtered inside; open rows keep what is above a match, and all below one', async (t) => {
  const driver = await drive();
  await driver.goto('p1:/var/log/passwd.log');
  await driver.goto('p1:/etc/conf.d/passwd.conf');
  await driver.goto('p1:');
  driver.press('filter');
  driver.type('passwd');
  t.deepEqual(below(driver), ['etc/', 'conf.d/', 'passwd.conf', 'passwd', 'var/', 'log/', 'passwd.log']);
  driver.press('prompt-clear');
  driver.type('etc');
  t.deepEqual(
    below(driver),
    ['etc/', 'conf.d/', 'passwd.conf', 'group', 'passwd'],
    'what a match holds is not narrowed',
  );
});

test('a filter ends with the directory that it narrows, and where it would hide what was gone to', async (t) => {
  const driver = await drive();
  driver.press('filter');
  driver.type('group');
  driver.press('prompt-accept');
  await driver.goto('p1:/etc/passwd');
  t.is(driver.selected, 'passwd');
  t.is(driver.state.tree.filter, undefined);
  driver.press('filter');
  driver.type('group');
  driver.press('prompt-accept', 'left', 'left');
  t.is(driver.selected, 'etc/');
  t.is(driver.state.tree.filter, undefined);
  driver.press('right');
  t.deepEqual(below(driver), ['etc/', 'conf.d/', 'group', 'passwd', 'var/', 'b-file']);
});

test('Enter with no match, or with nothing typed, leaves no filter behind', async (t) => {
  const driver = await drive();
  driver.press('filter');
  driver.type('nothing has this');
  driver.press('prompt-accept');
  t.is(driver.state.tree.filter, undefined);
  t.regex(driver.state.message?.text ?? '', /no row matches "nothing has this"/);
  driver.press('filter', 'prompt-accept');
  t.is(driver.state.tree.filter, undefined);
});

test('100,000 entries: each key looks at every row once at most, and moving at none', async (t) => {
  const driver = await (await new Driver(fakeImage({ many: bigDirectory(100_000) }).image).settle()).goto('p1:/many');
  driver.press('right');
  await driver.settle();
  driver.press('filter');
  let reads = 0;
  const rows = new Proxy(driver.state.tree.rows, {
    get(target, key) {
      if (typeof key === 'string' && /^\d+$/.test(key)) reads += 1;
      return Reflect.get(target, key);
    },
  });
  const state = filtered({ ...driver.state, tree: { ...driver.state.tree, rows } }, '9999');
  t.true(reads < 3 * rows.length, String(reads));
  reads = 0;
  driver.state = { ...state, prompt: undefined };
  driver.press('down', 'page-down', 'last', 'first');
  t.true(reads < 100, String(reads));
});
