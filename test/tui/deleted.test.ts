import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import type { DirectoryEntry, RecoverableFile } from '../../src/core/index.ts';
import { treeLine } from '../../src/tui/components/tree-pane.tsx';
import { itemLabel } from '../../src/tui/text/item-label.ts';
import { detailLines } from '../../src/tui/text/page-lines.ts';
import { createTheme } from '../../src/tui/theme.ts';
import { temporaryFolder } from '../helpers/tools.ts';
import { Driver } from './drive.ts';
import { type FakeExtras, type FakeFileSystem, type FakeTree, fakeImage, text } from './fake-image.ts';

const tree: FakeTree = { live: text('live'), freed: text('was here'), dir: {} };
const LIVE = 3;
const FREED = 4;

const gone = (name: string, nodeId: number, kind: DirectoryEntry['kind'] = 'file'): DirectoryEntry => ({
  name,
  nodeId,
  kind,
  deleted: true,
});
const extras: FakeExtras = {
  freeIds: [FREED],
  deleted: [gone('free.txt', FREED), gone('taken.txt', LIVE), gone('cleared', 0, 'directory'), gone('lost', 99)],
};

async function drive(more: FakeExtras = {}): Promise<Driver> {
  const driver = await new Driver(fakeImage(tree, { ...extras, ...more }).image).settle();
  driver.press('toggle-deleted');
  return driver.goto('p1:');
}

async function select(driver: Driver, label: string): Promise<Driver> {
  for (let step = 0; step < 40 && driver.selected !== label; step++) driver.press('down');
  return driver.settle();
}

function said(driver: Driver): string {
  const { content, problem } = driver.state.details;
  if (content === undefined) return problem ?? '';
  return detailLines(content, 200)
    .map((line) => line.map(([, part]) => part).join(''))
    .join('\n');
}

test('a deleted entry is marked by a sign and a word beside its look, in a narrow tree too', async (t) => {
  const driver = await drive();
  t.true(driver.labels.includes('✗ free.txt'));
  const plain = createTheme({ NO_COLOR: '1' });
  const row = driver.state.tree.rows.find(({ item }) => item.kind === 'entry' && item.name === 'free.txt')!;
  const line = treeLine({ ...row, depth: 20 }, false, '', { contents: new Map(), width: 28, isFocused: true }, plain);
  t.regex(line, /✗ free\.txt/);
});

test('of a deleted entry it is told whether its inode is free, and what its content may be', async (t) => {
  const driver = await select(await drive(), '✗ free.txt');
  t.regex(said(driver), /Deleted entry\nname +free\.txt\nwas at +\/free\.txt\ninode +4, free/);
  driver.press('show-text');
  await driver.settle();
  t.deepEqual(driver.state.text.content?.lines, ['was here']);
  driver.press('show-hex');
  await driver.settle();
  t.is(driver.state.hex.window?.size, 8);
});

test('an inode that is in use again is said so, and its bytes are not taken for those of the deleted file', async (t) => {
  const driver = await select(await drive(), '✗ taken.txt');
  t.regex(said(driver), /inode +3, in use: a file of 4 B, modified 2023-11-14/);
  for (const tab of ['show-text', 'show-hex'] as const) {
    driver.press(tab);
    await driver.settle();
  }
  t.regex(driver.state.text.problem ?? '', /expected an inode that is free, found inode 3 in use/);
  t.regex(driver.state.hex.problem ?? '', /expected an inode that is free, found inode 3 in use/);
});

test('an entry whose inode was cleared, and one whose inode cannot be read, break nothing', async (t) => {
  const driver = await select(await drive(), '✗ cleared/');
  t.regex(said(driver), /inode +cleared with the entry/);
  driver.press('right', 'show-hex');
  await driver.settle();
  t.regex(driver.state.hex.problem ?? '', /found none: it was cleared/);
  driver.press('show-text', 'extract', 'prompt-accept');
  await driver.settle();
  t.regex(driver.state.message?.text ?? '', /found none: it was cleared/);
  driver.press('show-details');
  await select(driver, '✗ lost');
  t.regex(said(driver), /inode +99: ext: inode 99/);
});

async function lost(filesystem: FakeFileSystem): Promise<RecoverableFile[]> {
  const node = await filesystem.node(FREED);
  const common = { node, source: 'journal', reason: 'found\x1b[2J' } as const;
  return [
    { ...common, key: 'inode-4', path: '/old/a\u202eb.txt', certainty: 'likely' },
    { ...common, key: 'journal-7-inode-4', path: undefined, certainty: 'lost' },
  ];
}

test('recoverable files are looked for when their row is opened, with their certainty; one is previewed and recovered', async (t) => {
  const folder = temporaryFolder(t);
  const driver = await select(await drive({ recoverables: lost }), 'recoverable files');
  t.false(
    driver.labels.some((label) => label.includes('/old/')),
    'not before it is opened',
  );
  driver.press('right');
  await driver.settle();
  driver.press('right');
  await driver.settle();
  t.is(driver.selected, '/old/a\\u{202e}b.txt');
  const { item } = driver.state.tree.rows[driver.state.tree.selected]!;
  t.like(itemLabel(item, new Map()), { note: 'likely', noteRole: 'likely' });
  const details = said(driver);
  for (const words of [
    /certainty +likely: nothing speaks against it/,
    /why +found\\x1b\[2J/,
    /found in +journal/,
    /key +inode-4/,
    /Times/,
  ])
    t.regex(details, words);
  driver.press('show-text');
  await driver.settle();
  t.deepEqual(driver.state.text.content?.lines, ['was here']);
  driver.press('extract');
  t.is(driver.state.prompt?.text, './a_u{202e}b.txt');
  driver.press('prompt-clear');
  driver.type(`${folder}/back`);
  driver.press('prompt-accept');
  await driver.settle();
  t.is(readFileSync(path.join(folder, 'back'), 'utf8'), 'was here');
  driver.press('down');
  t.is(driver.selected, 'journal-7-inode-4');
  driver.press('extract');
  t.is(driver.state.prompt, undefined);
  t.regex(driver.state.message?.text ?? '', /nothing of its content is left/);
});

test('all that is likely is recovered below the folder that is typed, the rest listed with its reason', async (t) => {
  const folder = temporaryFolder(t);
  const driver = await select(await drive({ recoverables: lost }), 'recoverable files');
  driver.press('extract');
  t.is(driver.state.prompt?.text, './recovered');
  driver.press('prompt-clear');
  driver.type(`${folder}/found`);
  driver.press('prompt-accept');
  await driver.settle();
  t.is(
    driver.state.message?.text,
    `1 file (8 B) recovered to ${folder}/found; 1 damaged, lost or unwritable left out (r lists them)`,
  );
  t.is(readFileSync(path.join(folder, 'found/old/a\u202eb.txt'), 'utf8'), 'was here');
  t.deepEqual(driver.state.report?.entries, [
    { tone: 'warning', head: 'lost: journal-7-inode-4', text: 'found\\x1b[2J' },
  ]);
  driver.press('extract', 'prompt-accept');
  await driver.settle();
  t.regex(driver.state.message?.text ?? '', /expected a new or empty directory/);
});

test('none is said; more than are listed are said', async (t) => {
  const driver = await select(await drive(), 'recoverable files');
  driver.press('right');
  await driver.settle();
  t.true(driver.labels.includes('(none)'));
});

test('rows come in while the search goes on; Esc ends it and keeps them, opening again searches anew', async (t) => {
  const driver = await select(await drive({ recoverables: lost }), 'recoverable files');
  driver.press('right');
  const row = driver.state.tree.rows.find(({ item }) => item.kind === 'recoverables')!;
  t.is(row.status, 'loading');
  const files = await lost(fakeImage(tree, extras).filesystem);
  const items = files.map((file) => ({ ...row.item, kind: 'recoverable', file, label: file.key }) as never);
  driver.send({ type: 'more-children', row: row.id, items, progress: 'searched 1 of 2', isLast: false });
  const at = driver.labels.indexOf('recoverable files');
  t.deepEqual(driver.labels.slice(at + 1, at + 4), ['inode-4', 'journal-7-inode-4', 'searched 1 of 2']);
  driver.press('close');
  t.regex(driver.labels[at + 3]!, /^stopped: 2 found by then/);
  t.deepEqual(driver.state.tree.loading, []);
  driver.send({ type: 'more-children', row: row.id, items, progress: '', isLast: true });
  t.regex(driver.labels[at + 3]!, /^stopped/, 'what comes late changes nothing');
  driver.press('left', 'right');
  await driver.settle();
  t.deepEqual(driver.labels.slice(at + 1, at + 4), ['/old/a\\u{202e}b.txt', 'journal-7-inode-4', 'p2']);
});

test('extended attributes: text, a C string, bytes, and a count of those left out', async (t) => {
  const value = (hex: string): Uint8Array => Buffer.from(hex, 'hex');
  const attributes = [
    { name: 'user.text', value: text('grüße') },
    { name: 'security.selinux', value: text('system_u\0') },
    { name: 'user.bytes', value: value('00ff1b') },
    { name: 'user.escape', value: text('a\x1b[2J') },
    { name: 'user.none', value: value('') },
    { name: 'system.posix_acl_access', value: value('0100000001000600020004006400000004000400100004002000' + '0400') },
    ...Array.from({ length: 70 }, (_, index) => ({ name: `user.n${index}`, value: text('v') })),
  ];
  const driver = await (await new Driver(fakeImage(tree, { attributes }).image).settle()).goto('p1:/live');
  const details = said(driver);
  t.regex(details, /Extended attributes \(76\)\nuser\.text +grüße\nsecurity\.selinux +system_u\\x00\n/);
  t.regex(details, /user\.bytes +0x00ff1b\nuser\.escape +0x611b5b324a\nuser\.none +\(empty\)/);
  t.regex(details, /system\.posix_acl_access +user::rw-,user:100:r--,group::r--,mask::r--,other::r--\n/);
  t.regex(details, /… +12 more/);
});
