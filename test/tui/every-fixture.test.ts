import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { type Image, openImage } from '../../src/core/index.ts';
import type { Command } from '../../src/tui/keymap.ts';
import { isExpandable } from '../../src/tui/load/tree-item.ts';
import { detailLines, previewLines } from '../../src/tui/text/page-lines.ts';
import { fixtureBytes, fixtureFile, fixtureNames, projectRoot } from '../helpers/fixtures.ts';
import { temporaryFolder } from '../helpers/tools.ts';
import { Driver } from './drive.ts';

/** Rows visited in each image: enough to go several directories deep. */
const MAX_VISITED = 40;
const TABS: readonly Command[] = ['show-hex', 'show-text', 'show-details'];

/** Opens rows from the top down and looks at each in every tab; whatever the image is like, what is shown is printable. */
async function visit(image: Image): Promise<{ readonly visited: number; readonly shown: string[] }> {
  const driver = await new Driver(image, { columns: 100, rows: 30 }).settle();
  const shown: string[] = [];
  let visited = 0;
  for (; visited < MAX_VISITED; visited++) {
    const { rows, selected } = driver.state.tree;
    const row = rows[selected]!;
    if (row.status === 'closed' && isExpandable(row.item)) driver.press('right');
    for (const tab of TABS) {
      driver.press(tab);
      await driver.settle();
    }
    const { details, text, hex } = driver.state;
    if (details.content !== undefined) shown.push(...textOf(detailLines(details.content, 60)));
    if (text.content !== undefined) shown.push(...textOf(previewLines(text.content, 60)));
    shown.push(driver.selected, details.problem ?? '', text.problem ?? '', hex.problem ?? '');
    if (selected === driver.state.tree.rows.length - 1) break;
    driver.press('down');
  }
  return { visited, shown };
}

function textOf(lines: ReturnType<typeof detailLines>): string[] {
  return lines.map((line) => line.map(([, text]) => text).join(''));
}

for (const folder of ['ext', 'fat', 'partition', 'qcow2', 'vhdx']) {
  test(`every image in fixtures/${folder} is browsed without a breakdown, damaged ones too`, async (t) => {
    const names = await fixtureNames(folder);
    t.true(names.length > 0);
    const temporary = temporaryFolder(t);
    // An image may have its backing file or parent among the others: those stay beside each other.
    const isChained = folder === 'qcow2' || folder === 'vhdx';
    if (isChained) for (const name of names) await fixtureFile(name, temporary);
    for (const name of names) {
      const file = isChained ? path.join(temporary, path.basename(name)) : await fixtureFile(name, temporary);
      await browse(t, file);
      if (!isChained) await rm(file);
    }
  });
}

async function browse(t: ExecutionContext, file: string): Promise<void> {
  let opened: Image;
  try {
    opened = await openImage(file);
  } catch (error) {
    // What cannot be opened at all is the command line's to tell.
    t.is((error as Error).name, 'DiskError', file);
    return;
  }
  await using image = opened;
  const { visited, shown } = await visit(image);
  t.true(visited >= 1, file);
  t.deepEqual(shown.filter(isUnsafe), [], path.basename(file));
}

function isUnsafe(line: string): boolean {
  return /[\x00-\x1f\x7f-\x9f\u202a-\u202e]/.test(line);
}

/** Any generator will do as long as a failing round can be run again. */
function pseudoRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 48271) % 2147483647;
    return state % below;
  };
}

test('images damaged at random are browsed without a breakdown', async (t) => {
  const folder = temporaryFolder(t);
  for (const name of ['fat/floppy-fat12.img', 'ext/ext2-1k.img', 'ext/ext4-1k.img', 'ext/deleted-1k.img']) {
    const whole = await fixtureBytes(name);
    for (let round = 1; round <= 12; round++) {
      const random = pseudoRandom(round * 7919);
      const damaged = whole.slice(0, round % 4 === 0 ? random(whole.length) : whole.length);
      // Structures are at the front: that is where damage matters.
      for (let hit = 0; hit < 40; hit++) {
        const at = random(hit % 2 === 0 ? 64 * 1024 : whole.length);
        if (at < damaged.length) damaged[at] = random(256);
      }
      const file = path.join(folder, `${path.basename(name)}-${round}`);
      await writeFile(file, damaged);
      await browse(t, file);
      await rm(file);
    }
  }
});

test('the demo image: the tree that a user meets', async (t) => {
  await using image = await openImage(path.join(projectRoot, 'fixtures', 'demo', 'demo.qcow2'));
  const driver = await (await new Driver(image).settle()).goto('p2:/etc/passwd');
  t.is(driver.selected, 'passwd');
  driver.press('show-hex');
  await driver.settle();
  const { bytes, segments } = driver.state.hex.window!;
  t.is(Buffer.from(bytes.subarray(0, 9)).toString(), 'root:x:0:');
  const onDisk = new Uint8Array(9);
  await image.disk.readInto(onDisk, segments[0]!.diskStart!);
  t.deepEqual(onDisk, bytes.slice(0, 9), 'the place on the disk holds the same bytes');
});

test('a log that was replayed in memory is told in the details of the disk', async (t) => {
  await using image = await openImage(await fixtureFile('vhdx/pending-log.vhdx', temporaryFolder(t)));
  const driver = await new Driver(image, { columns: 100, rows: 40 }).settle();
  driver.press('show-details');
  await driver.settle();
  const lines = textOf(detailLines(driver.state.details.content!, 90));
  t.true(
    lines.some((line) => /1 log entry replayed in memory/.test(line)),
    lines.join('\n'),
  );
});

test('a filesystem with a journal that was replayed has the state before it as a row, which a locator finds too', async (t) => {
  await using image = await openImage(await fixtureFile('ext/journal-1k.img', temporaryFolder(t)));
  const driver = await new Driver(image, { columns: 100, rows: 40 }).settle();
  const labels = () => driver.labels.slice(2);
  t.deepEqual(labels(), ['ext4', 'dir/', 'lost+found/', 'new/', 'recoverable files', 'before log replay']);
  await driver.goto('log=ignore/:/dir/file-1');
  t.is(driver.selected, 'file-1');
  t.is(driver.state.message, undefined);
  driver.press('show-hex');
  await driver.settle();
  t.is(Buffer.from(driver.state.hex.window!.bytes.subarray(0, 6)).toString(), 'file 1');
  await driver.goto(':/dir/file-1');
  t.regex(driver.state.message?.text ?? '', /file-1|no such/i);
});
