import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { RawContainer } from '../../src/core/container/raw.ts';
import type { ImageViews } from '../../src/core/image-views.ts';
import { type Container, Image, type ImageView, MemoryDevice, openImage, type Snapshot } from '../../src/core/index.ts';
import { loadDetails } from '../../src/tui/load/details.ts';
import { selectedRow } from '../../src/tui/state/tree.ts';
import { statusParts } from '../../src/tui/text/status.ts';
import { fixtureFile } from '../helpers/fixtures.ts';
import { temporaryFolder } from '../helpers/tools.ts';
import { Driver } from './drive.ts';

const CHAIN = ['chain-top.qcow2', 'chain-middle.qcow2', 'chain-base.raw'];

async function chain(t: ExecutionContext): Promise<string[]> {
  const folder = temporaryFolder(t);
  for (const name of CHAIN) await fixtureFile(`qcow2/${name}`, folder);
  return CHAIN.map((name) => path.join(folder, name));
}

/** An image over a disk of zeros with views that are only listed. */
function imageWith(parts: { views?: readonly ImageView[]; notices?: readonly string[] }): Image {
  const container: Container = new RawContainer(new MemoryDevice(new Uint8Array(4096)));
  const views = { list: () => parts.views ?? [], open: () => Promise.reject(new Error('no')) } as Partial<ImageViews>;
  const notices = (parts.notices ?? []).map((message) => ({ layer: 'vhdx', message }));
  return new Image({
    path: 'disk.vhdx',
    container,
    disk: container,
    partitionTable: undefined,
    partitionError: undefined,
    volumes: [],
    diagnostics: notices,
    notices,
    views: views as ImageViews,
    owned: new AsyncDisposableStack(),
  });
}

test('the layers of a chain stand closed below what the disk holds, and open to what each holds itself', async (t) => {
  const files = await chain(t);
  const facts = () => Promise.all(files.map(async (file) => [await readFile(file), (await stat(file)).mtimeMs]));
  const before = await facts();
  await using image = await openImage(files[0]!);
  const driver = await new Driver(image).settle();
  t.deepEqual(driver.labels, ['chain-top.qcow2', 'image file', 'whole disk', 'no filesystem recognized', 'layers']);
  driver.press('last', 'right');
  await driver.settle();
  t.deepEqual(driver.labels.slice(4), ['layers', '1 chain-middle.qcow2', '2 chain-base.raw']);
  driver.press('down', 'right');
  await driver.settle();
  t.deepEqual(driver.labels.slice(5, 9), [
    '1 chain-middle.qcow2',
    'image file',
    'whole disk',
    'no filesystem recognized',
  ]);
  driver.press('show-hex');
  await driver.settle();
  t.is(driver.state.hex.window?.size, 409600);
  t.true(statusParts(driver.state).includes('layer=1'));
  await driver.goto('layer=2/:');
  t.is(driver.state.message?.tone, 'error');
  await driver.goto('layer=2');
  t.is(driver.selected, '2 chain-base.raw');
  await driver.goto('layer=3');
  t.regex(driver.state.message?.text ?? '', /layers 0 to 2/);
  t.deepEqual(await facts(), before);
});

test('an image of one file and one state has rows for neither', async (t) => {
  await using image = await openImage(await fixtureFile('partition/gpt.img', temporaryFolder(t)));
  const driver = await new Driver(image).settle();
  t.false(driver.state.tree.rows.some(({ item }) => item.kind === 'views' || item.kind === 'view'));
});

test('what is odd in the container is said at once and stands in the details', async (t) => {
  const image = imageWith({ notices: ['3 log entries\u001b[2J replayed in memory', 'another'] });
  const driver = await new Driver(image).settle();
  t.deepEqual(driver.state.message, {
    text: '3 log entries\\x1b[2J replayed in memory (and 1 more: press !)',
    tone: 'warning',
  });
  const { sections } = await loadDetails(selectedRow(driver.state.tree).item, new AbortController().signal);
  t.deepEqual(sections[0]?.facts.slice(0, 2), [
    ['warning', '3 log entries\\x1b[2J replayed in memory'],
    ['warning', 'another'],
  ]);
  driver.press('down');
  t.is(driver.state.message, undefined);
});

test('snapshots are listed with their dates and sizes, hostile names escaped; a view that fails is a row', async (t) => {
  const snapshot: Snapshot = {
    id: '1',
    name: 'a\u202e/b',
    date: Date.UTC(2024, 4, 6, 7, 8, 9, 123),
    virtualSize: 4096,
    vmStateSize: 512,
  };
  const views: ImageView[] = [
    { kind: 'snapshot', view: { kind: 'snapshot', snapshot: snapshot.name }, snapshot },
    { kind: 'log', view: { kind: 'log', log: 'ignore' } },
  ];
  const driver = await new Driver(imageWith({ views })).settle();
  t.deepEqual(driver.labels, ['disk.vhdx', 'snapshots', 'before log replay']);
  driver.press('down', 'right', 'down');
  await driver.settle();
  driver.press('down');
  await driver.settle();
  t.is(driver.selected, 'a\\u{202e}/b');
  t.deepEqual(driver.state.details.content?.sections[0]?.facts, [
    ['name', 'a\\u{202e}/b'],
    ['ID', '1'],
    ['date', '2024-05-06 07:08:09.123000000 UTC'],
    ['virtual size', '4 KiB (4,096 bytes)'],
    ['VM state', '512 bytes'],
    ['locator', 'snapshot=a\\u{202e}\\x2fb'],
  ]);
  driver.press('right');
  await driver.settle();
  t.true(driver.labels.includes('no'));
});
