import test from 'ava';
import { renderToString } from 'ink';
import type { ReactNode } from 'react';
import { PartitionTableView, tableToFit } from '../../src/tui/components/partition-table.tsx';
import { TreePane } from '../../src/tui/components/tree-pane.tsx';
import type { TableRow } from '../../src/tui/load/facts.ts';
import { BrowseScreen } from '../../src/tui/screens/browse-screen.tsx';
import { displayWidth } from '../../src/tui/text/fit.ts';
import { Driver } from './drive.ts';
import { bigDirectory, fakeImage, text } from './fake-image.ts';
import { hostileNames } from './hostile-names.ts';

const SGR = /\x1b\[[\d;]*m/g;

function linesOf(node: ReactNode, columns: number): string[] {
  return renderToString(node, { columns }).replaceAll(SGR, '').split('\n');
}

async function hostileDriver(columns: number, rows: number): Promise<Driver> {
  const tree = Object.fromEntries(hostileNames.map((name) => [name, text('some\ntext')]));
  const driver = await new Driver(fakeImage(tree).image, { columns, rows }).settle();
  return driver.goto('p1:/日本語のとても長い名前をもつファイル.txt');
}

test('every screen is as large as the terminal, at every size, with whatever names', async (t) => {
  for (const [columns, rows] of [
    [60, 12],
    [80, 24],
    [133, 40],
    [200, 50],
  ] as const) {
    const driver = await hostileDriver(columns, rows);
    for (const tab of ['show-details', 'show-hex', 'show-text', 'zoom', 'show-hex', 'help'] as const) {
      driver.press(tab);
      await driver.settle();
      const lines = linesOf(<BrowseScreen state={driver.state} />, columns);
      t.is(lines.length, rows, `${columns}x${rows} ${tab}`);
      for (const line of lines) t.true(displayWidth(line) <= columns, `${columns}x${rows} ${tab}: ${line}`);
      t.notRegex(lines.join(''), /[\x00-\x1f\x7f-\x9f\u202e]/);
    }
  }
});

test('prompts, reports, progress and filters leave the screen as large as it is, with whatever names', async (t) => {
  const tree = Object.fromEntries(hostileNames.map((name) => [name, text('some\ntext')]));
  const findings = hostileNames.map(
    (name) => ({ severity: 'error', code: 'odd', structure: name, message: name.repeat(20), owners: [name] }) as const,
  );
  for (const [columns, rows] of [
    [60, 12],
    [80, 24],
    [200, 50],
  ] as const) {
    const driver = await new Driver(fakeImage(tree, { findings }).image, { columns, rows }).settle();
    await driver.goto('p1:');
    const isWhole = (what: string): void => {
      const lines = linesOf(<BrowseScreen state={driver.state} />, columns);
      t.is(lines.length, rows, `${columns}x${rows} ${what}`);
      for (const line of lines) t.true(displayWidth(line) <= columns, `${columns}x${rows} ${what}: ${line}`);
      t.notRegex(lines.join(''), /[\x00-\x1f\x7f-\x9f\u202e]/, what);
    };
    driver.press('check');
    isWhole('under way');
    await driver.settle();
    isWhole('findings');
    driver.press('last');
    isWhole('their end');
    driver.press('close');
    isWhole('verdict');
    driver.press('find');
    driver.type(hostileNames.join(''));
    isWhole('find');
    driver.press('prompt-clear');
    driver.type('e');
    driver.press('prompt-accept');
    isWhole('finding');
    await driver.settle();
    isWhole('found');
    driver.press('filter');
    driver.type('n');
    isWhole('filter');
    driver.press('prompt-accept', 'extract');
    isWhole('extract');
    driver.press('prompt-accept');
    isWhole('extracting');
  }
});

test('a message that is longer than a line is shown to its end, and the screen stays as large', async (t) => {
  for (const [columns, rows] of [
    [60, 12],
    [80, 24],
  ] as const) {
    const driver = await hostileDriver(columns, rows);
    await driver.goto('12.34.56');
    const lines = linesOf(<BrowseScreen state={driver.state} />, columns);
    t.is(lines.length, rows);
    t.regex(
      lines.slice(-3).join(' ').replaceAll(/\s+/g, ' '),
      /number: expected a whole number of bytes .* found .*12\.34\.56/,
    );
    driver.press('down');
    t.regex(linesOf(<BrowseScreen state={driver.state} />, columns).at(-2)!, /^ raw /);
  }
});

test('a terminal that is too small is told so, down to one column', async (t) => {
  for (const [columns, rows] of [
    [59, 24],
    [80, 11],
    [10, 2],
    [1, 1],
  ] as const) {
    const driver = new Driver(fakeImage({}).image, { columns, rows });
    const lines = linesOf(<BrowseScreen state={driver.state} />, columns);
    t.true(lines.length <= rows && lines.every((line) => displayWidth(line) <= columns), `${columns}x${rows}`);
    t.true(lines[0]!.startsWith('T') || columns === 1);
  }
});

test('a page is scrolled line by line from its first to the last line of the table', async (t) => {
  const driver = await new Driver(fakeImage({}).image).settle();
  driver.press('switch-pane');
  const screens: string[][] = [];
  for (let step = 0; step < 60; step++) {
    const lines = linesOf(<BrowseScreen state={driver.state} />, 80);
    t.is(lines.length, 24);
    screens.push(lines.slice(1, -2).map((line) => line.slice(29).trimEnd()));
    driver.press('down');
  }
  t.is(screens[0]![0], 'Disk image');
  t.true(screens.at(-1)!.at(-1)!.startsWith('└'), 'the end of the table is the end of the page');
  for (const [step, lines] of screens.entries()) {
    const next = screens[step + 1];
    if (next === undefined || next.at(-1) === lines.at(-1)) continue;
    t.deepEqual(next.slice(0, -1), lines.slice(1), `step ${step}`);
  }
});

test('a prompt longer than the screen shows its end, the caret and what is wrong', async (t) => {
  const driver = await new Driver(fakeImage({}).image).settle();
  const footer = (): string => linesOf(<BrowseScreen state={driver.state} />, 80).at(-1)!;
  driver.press('goto');
  t.regex(footer(), /^ Go to offset or place: {4}0x1f0 {2}2048s/);
  driver.type(`p1:/${'long/'.repeat(40)}end\u202e`);
  t.regex(footer(), /long\/end\\u\{202e\}/);
  t.true(displayWidth(footer()) <= 80);
  driver.press('prompt-start', 'prompt-right');
  t.regex(footer(), /^ Go to offset or place: p1:\/long/);
  t.true(displayWidth(footer()) <= 80);
  driver.press('prompt-clear');
  driver.type('日本語'.repeat(60));
  t.is(displayWidth(footer().trimEnd()), 78, 'the caret stands after it, inside the screen');
  driver.press('prompt-cancel', 'filter');
  driver.type('no such name');
  t.regex(footer(), /^ Filter: no such name\s+no match/);
});

const row = (part: string, type: string, name: string): TableRow => ({
  part,
  start: '2048',
  size: '1023 MiB',
  sectors: '2095104',
  type,
  name,
});

test('the partition table is never wider than its place, and its borders stand in line', (t) => {
  const rows = [
    row('p1', 'EFI System', ''),
    row('p2', 'Linux filesystem', '日本語の名前'),
    row('', 'protective MBR', 'e\u0301'.repeat(9)),
  ];
  for (const width of [45, 51, 60, 80, 147]) {
    const lines = linesOf(<PartitionTableView rows={rows} width={width} />, 200).map((line) => line.trimEnd());
    t.is(lines.length, 3 + 2 * rows.length);
    const widths = new Set(lines.map(displayWidth));
    t.is(widths.size, 1, `${width}\n${lines.join('\n')}`);
    t.true([...widths][0]! <= width, `${width}\n${lines.join('\n')}`);
  }
});

test('a narrow place gives up columns, a wide one shows all', (t) => {
  const rows = [row('p1', 'EFI System', 'boot')];
  t.deepEqual(Object.keys(tableToFit(rows, 80)[0]!), ['part', 'start', 'sectors', 'size', 'type', 'name']);
  t.deepEqual(Object.keys(tableToFit(rows, 45)[0]!), ['part', 'start', 'size', 'type']);
});

test('drawing the tree looks at the rows on the screen and at no others', async (t) => {
  const driver = await (await new Driver(fakeImage({ many: bigDirectory(100_000) }).image).settle()).goto('p1:/many');
  driver.press('right');
  await driver.settle();
  driver.press('last', 'page-up');
  const looked = new Set<string>();
  const rows = new Proxy(driver.state.tree.rows, {
    get(target, key) {
      if (typeof key === 'string' && /^\d+$/.test(key)) looked.add(key);
      return Reflect.get(target, key);
    },
  });
  const tree = { ...driver.state.tree, rows };
  const lines = linesOf(<TreePane tree={tree} contents={new Map()} width={28} height={21} isFocused />, 28);
  t.is(lines.length, 21);
  t.is(looked.size, 21);
});
