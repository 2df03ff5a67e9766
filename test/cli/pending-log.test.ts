import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { MIB } from '../../src/core/container/vhdx/header.ts';
import { openImage } from '../../src/core/index.ts';
import { writeLog } from '../core/container/vhdx/log-builder.ts';
import { noise } from '../core/container/vhdx/open-vhdx.ts';
import { buildVhdx } from '../core/container/vhdx/vhdx-builder.ts';
import { sectorscope, sectorscopeJson } from '../helpers/cli.ts';
import { fixtureFile } from '../helpers/fixtures.ts';
import { sha256 } from '../helpers/sha256.ts';
import { temporaryFolder } from '../helpers/tools.ts';
import { Driver } from '../tui/drive.ts';

const SIZE = 2 * MIB;

/** A disk of noise whose log still has the zeros that were written over its second half. */
async function pending(t: ExecutionContext): Promise<string> {
  const image = await buildVhdx({
    virtualSize: SIZE,
    blocks: { 0: { state: 6, data: noise(1, MIB) }, 1: { state: 6, data: noise(2, MIB) } },
  });
  const fileOffset = image.places.get(1)!;
  await writeLog(image, [{ sequenceNumber: 5n, updates: [{ fileOffset, zeroLength: MIB }] }]);
  return image.save(path.join(temporaryFolder(t), 'pending.vhdx'));
}

const facts = (file: string) => {
  const { mtimeNs, ctimeNs } = statSync(file, { bigint: true });
  return [createHash('sha256').update(readFileSync(file)).digest('hex'), mtimeNs, ctimeNs];
};

test('info says that entries were replayed; the state before them has a locator, and an option to open with', async (t) => {
  const file = await pending(t);
  const before = facts(file);
  const { stdout, stderr } = await sectorscope(['info', file]);
  t.regex(stdout.toString(), /log +1 log entry replayed in memory/);
  t.regex(stderr, /note: vhdx: log .*1 log entry replayed in memory/);
  const info = await sectorscopeJson<{ chain: [{ properties: Record<string, unknown> }] }>(['info', file]);
  t.is(info.chain[0].properties['logEntriesReplayed'], 1);
  const hash = async (args: readonly string[]) => (await sectorscope(['hash', file, ...args])).stdout.toString();
  const [replayed, view, option] = [await hash([]), await hash(['log=ignore']), await hash(['--log', 'ignore'])];
  t.regex(view, / {2}log=ignore\n$/);
  t.is(view.slice(0, 64), option.slice(0, 64));
  t.not(view.slice(0, 64), replayed.slice(0, 64));
  const rehearsed = await sectorscope(['resize', file, '+1MiB']);
  t.is(rehearsed.code, 7);
  t.regex(rehearsed.stderr, /note: with --write: vhdx: log .*1 log entry replayed into the file/);
  t.deepEqual(facts(file), before);
});

test('the terminal interface says it at once, and shows the state before as a node', async (t) => {
  const file = await pending(t);
  const before = facts(file);
  await using image = await openImage(file);
  t.deepEqual(image.views, [{ kind: 'log', view: { kind: 'log', log: 'ignore' } }]);
  const driver = await new Driver(image).settle();
  t.deepEqual(driver.state.message, { text: '1 log entry replayed in memory', tone: 'warning' });
  t.is(driver.labels.at(-1), 'before log replay');
  driver.press('last', 'right', 'show-hex');
  await driver.settle();
  t.deepEqual(driver.labels.slice(-2), ['whole disk', 'no filesystem recognized']);
  await driver.goto('1MiB');
  const { window } = driver.state.hex;
  const bytes = window!.bytes.subarray(MIB - window!.start, MIB - window!.start + 16);
  t.deepEqual(bytes, noise(2, MIB).subarray(0, 16));
  const view = await image.openView({ kind: 'log', log: 'ignore' });
  t.not(await sha256(view.disk), await sha256(image.disk));
  t.deepEqual(facts(file), before);
});

test('the journal of a filesystem that was not unmounted is replayed in memory, and left alone when asked', async (t) => {
  const image = await fixtureFile('ext/journal-1k.img', temporaryFolder(t));
  const state = () => [readFileSync(image).toString('base64'), statSync(image).mtimeMs];
  const before = state();
  const after = await sectorscope(['ls', image, '/']);
  t.is(after.stdout.toString(), 'lost+found/\ndir/\nnew/\n');
  t.regex(
    after.stderr,
    /note: ext: superblock at offset 0x460: needs_recovery: 3 transactions of the journal replayed/,
  );
  for (const args of [
    [image, 'log=ignore/:/'],
    ['--log', 'ignore', image, '/'],
  ]) {
    const unreplayed = await sectorscope(['ls', ...args]);
    t.is(unreplayed.stdout.toString(), 'lost+found/\ndir/\n', args.join(' '));
    t.regex(unreplayed.stderr, /changes that are not shown, as asked/);
  }
  const info = JSON.parse((await sectorscope(['info', '--json', image])).stdout.toString());
  t.is(info.volumes[0].filesystem.properties.journalTransactionsReplayed, 3);
  t.deepEqual(state(), before);
});
