import test from 'ava';
import { DiskError } from '../../../src/core/index.ts';
import { layoutIn } from '../../../src/tui/state/selectors.ts';
import { itemLabel } from '../../../src/tui/text/item-label.ts';
import { Driver } from '../drive.ts';
import { bigDirectory, type FakeTree, fakeImage, text } from '../fake-image.ts';

const tree: FakeTree = {
  zoo: text('z'),
  Apple: text('a'),
  etc: { passwd: text('root:x:0:0\n'), 'conf.d': {} },
  broken: new DiskError('CORRUPT', {
    layer: 'ext',
    structure: 'inode 9',
    offset: 0x2400,
    expected: 'a checksum',
    found: '0',
  }),
};

function drive(): Driver {
  return new Driver(fakeImage(tree).image);
}

test('the tree begins with the disk, the table open and its gaps and structures as rows', async (t) => {
  const { labels } = await drive().settle();
  t.deepEqual(labels, [
    'disk.img',
    'GPT partition table',
    'protective MBR',
    'primary GPT header',
    'unallocated',
    'p1 root',
    'p2',
    'p3',
    'unallocated',
  ]);
});

test('a partition opens into its filesystem, which opens into its root: directories first, then by name', async (t) => {
  const driver = await (await drive().settle()).goto('p1');
  driver.press('right');
  t.is(driver.labels[6], 'loading…', 'a row in place while it is read');
  await driver.settle();
  t.deepEqual(driver.labels.slice(5, 13), [
    'p1 root',
    'ext4',
    'broken/',
    'etc/',
    'Apple',
    'zoo',
    'recoverable files',
    'p2',
  ]);
});

test('a damaged filesystem shows its error below its row and in the details, and can be closed and tried again', async (t) => {
  const driver = await (await drive().settle()).goto('p2');
  t.regex(JSON.stringify(driver.state.details.content), /expected magic 0xef53/);
  driver.press('right');
  await driver.settle();
  t.regex(driver.labels[7]!, /^ext: superblock at offset 0x400: expected magic 0xef53, found 0xdead$/);
  driver.press('left');
  t.is(driver.labels[7], 'p3');
  driver.press('right');
  t.is(driver.labels[7], 'loading…', 'a failure is not remembered');
});

test('enter on a file goes to its bytes, on an error to the whole of it', async (t) => {
  const driver = await (await drive().settle()).goto('p1:/etc/passwd');
  driver.press('open');
  t.like(driver.state, { pane: 'view', tab: 'hex' });
  await driver.goto('p2');
  driver.press('right');
  await driver.settle();
  driver.press('down', 'open');
  await driver.settle();
  t.like(driver.state, { pane: 'view', tab: 'details' });
  t.regex(JSON.stringify(driver.state.details.content), /found 0xdead/);
});

test('a damaged directory shows its error in place, in the details, the bytes and the text', async (t) => {
  const driver = await (await drive().settle()).goto('p1:');
  driver.press('down');
  t.is(driver.selected, 'broken/');
  await driver.settle();
  t.regex(driver.state.details.problem ?? '', /inode 9 at offset 0x2400/);
  driver.press('show-hex');
  await driver.settle();
  t.regex(driver.state.hex.problem ?? '', /inode 9 at offset 0x2400/);
  driver.press('show-text');
  await driver.settle();
  t.regex(driver.state.text.problem ?? '', /inode 9 at offset 0x2400/);
  driver.press('right');
  await driver.settle();
  t.true(driver.labels.some((label) => label.startsWith('ext: inode 9 at offset 0x2400')));
});

test('closing a directory keeps what is below; opening it again reads nothing', async (t) => {
  const { image, filesystem } = fakeImage(tree);
  const driver = await (await new Driver(image).settle()).goto('p1:/etc/passwd');
  t.is(driver.selected, 'passwd');
  driver.press('left');
  t.is(driver.selected, 'etc/');
  const open = driver.labels;
  driver.press('left');
  t.is(driver.labels.length, open.length - 2);
  await driver.settle();
  const before = filesystem.nodeReads;
  driver.press('right');
  t.deepEqual(driver.labels, open);
  await driver.settle();
  t.is(filesystem.nodeReads, before);
});

test('left on a file goes to its directory, right on an open directory to its first child', async (t) => {
  const driver = await (await drive().settle()).goto('p1:/etc/passwd');
  driver.press('left');
  t.is(driver.selected, 'etc/');
  driver.press('right');
  t.is(driver.selected, 'conf.d/');
});

test('goto follows a locator through everything that is closed, and says what is wrong with it', async (t) => {
  const driver = await drive().settle();
  await driver.goto('p1:/etc/passwd');
  t.is(driver.selected, 'passwd');
  await driver.goto('p1:/etc/missing');
  t.is(driver.selected, 'passwd');
  t.regex(driver.state.message?.text ?? '', /no missing in \/etc/);
  await driver.goto('p9');
  t.regex(driver.state.message?.text ?? '', /found p9/);
  await driver.goto('nonsense');
  t.regex(driver.state.message?.text ?? '', /expected a place such as p2/);
  await driver.goto('p2:/a');
  t.regex(driver.state.message?.text ?? '', /expected magic 0xef53/);
});

test('goto with a number goes to an offset of what is selected, relative ones to the cursor', async (t) => {
  const driver = await (await drive().settle()).goto('p1');
  await driver.goto('2s');
  t.is(driver.state.tab, 'hex');
  t.is(driver.state.hex.cursor, 1024);
  await driver.goto('+0x10');
  t.is(driver.state.hex.cursor, 1040);
  await driver.goto('-16');
  t.is(driver.state.hex.cursor, 1024);
  await driver.goto('512KiB');
  t.is(driver.state.hex.cursor, 512 * 1024);
  await driver.goto('1MiB');
  t.is(driver.state.hex.cursor, 512 * 1024, 'one past the end is refused');
  t.is(driver.state.message?.tone, 'error');
  t.regex(driver.state.message?.text ?? '', /from 0 to 0xfffff/);
});

test('an image is opened at a locator and an offset', async (t) => {
  const driver = await new Driver(fakeImage(tree).image, { locator: 'p1:/etc/passwd', offset: '0x3' }).settle();
  t.is(driver.selected, 'passwd');
  t.is(driver.state.tab, 'hex');
  t.is(driver.state.pane, 'view');
  t.is(driver.state.hex.cursor, 3);
});

test('an offset without a locator is one of the disk', async (t) => {
  const driver = await new Driver(fakeImage(tree).image, { locator: '', offset: '2048s' }).settle();
  t.is(driver.state.hex.cursor, 2048 * 512);
});

test('the place in each thing is remembered', async (t) => {
  const driver = await (await drive().settle()).goto('p1');
  await driver.goto('0x1234');
  await driver.goto('p2');
  t.is(driver.state.hex.cursor, 0);
  await driver.goto('p1');
  t.is(driver.state.hex.cursor, 0x1234);
});

test('an answer about a row that is selected no longer is dropped', async (t) => {
  const driver = await drive().settle();
  const late = { sections: [{ title: 'late', facts: [] }] };
  driver.press('down');
  driver.send({ type: 'details', subject: 0, result: late });
  t.is(driver.state.details.content, undefined);
  driver.send({ type: 'not-arrived', request: 99, problem: 'late' });
  t.is(driver.state.message, undefined);
});

test('the prompt is edited at its caret, by characters', (t) => {
  const driver = drive();
  driver.press('goto');
  driver.type('a😀c');
  driver.press('prompt-left', 'prompt-erase');
  t.is(driver.state.prompt?.text, 'ac');
  driver.press('prompt-start', 'prompt-right');
  t.is(driver.state.prompt?.caret, 1);
  driver.press('prompt-start');
  driver.type('x');
  t.is(driver.state.prompt?.text, 'xac');
  driver.press('prompt-right', 'prompt-right', 'prompt-right', 'prompt-right');
  t.is(driver.state.prompt?.caret, 3);
  driver.type('line\nbreak\x1b[31m');
  t.is(driver.state.prompt?.text, 'xacline'.concat('break[31m'));
  driver.press('prompt-clear');
  t.is(driver.state.prompt?.text, '');
  driver.press('prompt-cancel');
  t.is(driver.state.prompt, undefined);
});

test('keys of the bytes: by byte, row, page, sector, to both ends, never outside', async (t) => {
  const driver = await (await drive().settle()).goto('p1');
  driver.press('show-hex', 'switch-pane');
  await driver.settle();
  const at = (): number => driver.state.hex.cursor;
  driver.press('left', 'up', 'page-up', 'previous-sector');
  t.is(at(), 0);
  driver.press('right', 'down');
  t.is(at(), 9, '8 bytes a row at 80 columns');
  driver.press('row-end');
  t.is(at(), 15);
  driver.press('row-start');
  t.is(at(), 8);
  driver.press('next-sector');
  t.is(at(), 512);
  driver.press('right', 'previous-sector');
  t.is(at(), 512);
  driver.press('page-down');
  t.is(at(), 512 + 18 * 8);
  driver.press('last');
  t.is(at(), 1024 * 1024 - 1);
  driver.press('right', 'down', 'page-down', 'next-sector');
  t.is(at(), 1024 * 1024 - 1);
  await driver.settle();
  driver.press('first');
  t.is(at(), 0);
});

test('only a window around what is in view is read', async (t) => {
  const driver = await (await drive().settle()).goto('p1');
  driver.press('show-hex', 'switch-pane');
  await driver.settle();
  t.true(driver.state.hex.window!.bytes.length <= 3 * 18 * 8);
  driver.press('last');
  await driver.settle();
  const { start, bytes } = driver.state.hex.window!;
  t.is(start + bytes.length, 1024 * 1024);
  t.true(bytes.length <= 3 * 18 * 8);
});

test('a resize keeps the selection and the cursor in view', async (t) => {
  const driver = await (await drive().settle()).goto('p1:/etc/passwd');
  for (const [columns, rows] of [
    [200, 50],
    [60, 12],
    [20, 5],
    [80, 24],
  ] as const) {
    driver.send({ type: 'resized', viewport: { columns, rows } });
    const { top, selected } = driver.state.tree;
    t.true(selected >= top && selected < top + Math.max(1, rows - 3), `${columns}x${rows}`);
  }
  t.is(driver.selected, 'passwd');
});

test('pages scroll as far as their last line and no further', async (t) => {
  const driver = await drive().settle();
  driver.press('help', 'page-down', 'last');
  const end = driver.state.overlay?.scroll ?? 0;
  t.true(end > 10);
  driver.press('down');
  t.is(driver.state.overlay?.scroll, end);
  driver.press('first', 'up');
  t.is(driver.state.overlay?.scroll, 0);
  driver.press('close');
  t.is(driver.state.overlay, undefined);
});

test('tab, zoom, tabs and close move between the panes', (t) => {
  const driver = drive();
  driver.press('switch-pane');
  t.is(driver.state.pane, 'view');
  driver.press('zoom');
  t.true(driver.state.isZoomed);
  driver.press('switch-pane');
  t.is(driver.state.pane, 'tree');
  t.false(driver.state.isZoomed);
  driver.press('show-text');
  t.is(driver.state.tab, 'text');
  driver.press('quit');
  t.true(driver.state.isDone);
});

test('the cursor stays in view when the zoom ends', async (t) => {
  const leave = {
    tab: (driver: Driver) => driver.press('switch-pane'),
    goto: (driver: Driver) => driver.goto('p1:/binary.bin'),
  };
  for (const [name, unzoom] of Object.entries(leave)) {
    const { image } = fakeImage({ 'binary.bin': new Uint8Array(4096) });
    const driver = await new Driver(image).goto('p1:/binary.bin');
    driver.press('show-hex', 'zoom');
    await driver.settle();
    for (let row = 0; row < 15; row++) driver.press('down');
    const { cursor } = driver.state.hex;
    t.is(cursor, 15 * 16, name);
    await unzoom(driver);
    t.false(driver.state.isZoomed, name);
    t.is(driver.state.hex.cursor, cursor, name);
    const { hexRows } = layoutIn(driver.state);
    t.true(cursor < driver.state.hex.top + hexRows * 8, name);
  }
});

test('escape gives up what is being looked for', async (t) => {
  const driver = await drive().settle();
  driver.press('goto');
  driver.type('p1:/etc/passwd');
  driver.press('prompt-accept');
  t.is(driver.state.going?.locator, 'p1:/etc/passwd');
  t.regex(driver.state.message?.text ?? '', /going to/);
  driver.press('close');
  t.is(driver.state.going, undefined);
  t.is(driver.state.message, undefined);
  await driver.settle();
  t.is(driver.selected, 'disk.img');
});

test('showing deleted entries reads the directories again and keeps the selection', async (t) => {
  const driver = await (await drive().settle()).goto('p1:/etc/passwd');
  driver.press('toggle-deleted');
  t.true(driver.state.showDeleted);
  t.true(driver.state.tree.rows.some(({ item, status }) => item.kind === 'filesystem' && status === 'loading'));
  await driver.settle();
  t.is(driver.selected, 'passwd');
  driver.press('first', 'toggle-deleted');
  await driver.settle();
  t.true(driver.labels.includes('etc/'), 'an open filesystem stays open, wherever the selection is');
});

test('100,000 entries: a move changes no row, and only the rows on the screen are drawn', async (t) => {
  const driver = await (await new Driver(fakeImage({ many: bigDirectory(100_000) }).image).settle()).goto('p1:/many');
  driver.press('right');
  await driver.settle();
  const { rows } = driver.state.tree;
  t.true(rows.length > 100_000);
  driver.press('last', 'up', 'page-up', 'first', 'page-down', 'down');
  t.is(driver.state.tree.rows, rows, 'the same list: nothing is copied for a move');
  driver.press('first');
  await driver.goto('p1:/many');
  driver.press('filter');
  driver.type('file-054321');
  t.is(driver.selected, 'file-054321.txt');
});

test('a sentence for every kind of row', async (t) => {
  const driver = await (await drive().settle()).goto('p1:/etc/passwd');
  for (const { item } of driver.state.tree.rows) t.not(itemLabel(item, new Map()).text, '');
});
