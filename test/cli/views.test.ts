import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { sectorscope, sectorscopeJson } from '../helpers/cli.ts';
import { fixtureFacts, fixtureFile } from '../helpers/fixtures.ts';
import { temporaryFolder } from '../helpers/tools.ts';

const CHAIN = ['chain-top.qcow2', 'chain-middle.qcow2', 'chain-base.raw'];

async function chain(t: ExecutionContext): Promise<readonly [folder: string, top: string]> {
  const folder = temporaryFolder(t);
  for (const name of CHAIN) await fixtureFile(`qcow2/${name}`, folder);
  return [folder, path.join(folder, CHAIN[0]!)];
}

interface Info {
  readonly view: string | null;
  readonly chain: readonly { readonly name: string; readonly path: string; readonly fileSize: number }[];
  readonly snapshots: readonly unknown[];
  readonly references: readonly unknown[];
  readonly volumes: readonly { readonly name: string }[];
}

test('info tells each layer with its file, and what became of each file that is named', async (t) => {
  const [folder, top] = await chain(t);
  const info = await sectorscopeJson<Info>(['info', top]);
  t.deepEqual(
    info.chain.map(({ path: file, fileSize }) => [file, fileSize]),
    [
      [top, 393216],
      [path.join(folder, CHAIN[1]!), 98304],
      [path.join(folder, CHAIN[2]!), 100352],
    ],
  );
  t.deepEqual(info.references[0], {
    kind: 'backing file',
    name: CHAIN[1],
    from: top,
    path: path.join(folder, CHAIN[1]!),
    format: 'qcow2',
    rule: 'beside the image',
    opened: true,
  });
  const text = (await sectorscope(['info', top])).stdout.toString();
  t.regex(text, /^backing layer 2: chain-base\.raw\n {2}format +raw\n {2}path +.*chain-base\.raw\n/m);
  t.regex(text, /^references:\n {2}backing file chain-middle\.qcow2 = .*: opened, beside the image$/m);
  const view = await sectorscopeJson<Info>(['info', top, 'layer=1']);
  t.like(view, { view: 'layer=1', chain: { length: 2 }, volumes: [{ name: 'layer=1/' }] });
});

test('info lists snapshots as qemu-img does, with the date in UTC', async (t) => {
  const file = await fixtureFile('qcow2/snapshot.qcow2', temporaryFolder(t));
  const { snapshots } = await sectorscopeJson<Info>(['info', file]);
  const facts = await fixtureFacts<{
    readonly info: { readonly snapshots: readonly Record<string, number | string>[] };
  }>('qcow2/snapshot.qcow2');
  const expected = facts.info.snapshots.map((snapshot) => ({
    id: snapshot['id'],
    name: snapshot['name'],
    date: new Date(Number(snapshot['date-sec']) * 1000 + Math.floor(Number(snapshot['date-nsec']) / 1e6)).toISOString(),
    virtualSize: 1048576,
    vmStateSize: snapshot['vm-state-size'],
  }));
  t.deepEqual(snapshots, expected);
  const { stdout } = await sectorscope(['info', file]);
  t.regex(stdout.toString(), /^ {2}1 {3}\d{4}-\d\d-\d\d [\d:.]+ +1 MiB +- {2}before the change$/m);
});

test('map names the layer, the host file and the place of every extent, in 80 columns', async (t) => {
  const [folder, top] = await chain(t);
  const rows = await sectorscopeJson<{ depth: number; layer: string; file?: string; kind: string }[]>(['map', top]);
  for (const { depth, layer, file, kind } of rows) {
    t.is(path.basename(layer), CHAIN[depth]!);
    t.is(file, kind === 'data' ? path.join(folder, CHAIN[depth]!) : undefined);
  }
  const { stdout } = await sectorscope(['map', top]);
  const lines = stdout.toString().trimEnd().split('\n');
  t.true(lines.every((line) => line.length <= 80));
  t.regex(lines[0]!, /start +length +kind +stored +layer +offset +file$/);
  t.is(lines.length, rows.length + 1);
  const zlib = await fixtureFile('qcow2/zlib.qcow2', folder);
  const packed = (await sectorscope(['map', zlib])).stdout.toString();
  t.regex(packed, /^ *0x0 +0x10000 +zlib +0x5e00 +0 +0x50000 +zlib\.qcow2$/m);
  const below = await sectorscopeJson<{ depth: number; layer: string }[]>(['map', top, 'layer=1']);
  t.deepEqual(below[0], { ...below[0]!, depth: 1, layer: CHAIN[2]! });
});

test('a view stands for its whole disk where a place in it is not needed', async (t) => {
  const [, top] = await chain(t);
  const { sha256 } = await fixtureFacts<{ readonly sha256: string }>('qcow2/chain-base.raw');
  t.is((await sectorscope(['hash', top, 'layer=2'])).stdout.toString(), `${sha256}  layer=2\n`);
  t.is((await sectorscope(['parts', top, 'layer=2'])).stdout.toString(), 'no partition table\n');
  t.regex((await sectorscope([top, 'layer=2'])).stdout.toString(), /^chain-base\.raw, layer=2: raw, 98 KiB\n/);
  t.is((await sectorscope(['parts', top, 'layer=2/p1'])).code, 5);
  t.is((await sectorscope(['info', top, 'p1:/etc'])).code, 5);
  t.is((await sectorscope(['hash', top, 'layer=9'])).code, 5);
});

test('an option that the format does not have is refused; --no-backing opens what is left', async (t) => {
  const [folder, top] = await chain(t);
  const raw = path.join(folder, CHAIN[2]!);
  t.is((await sectorscope(['info', raw, '--unmapped', 'raw'])).code, 4);
  t.is((await sectorscope(['info', raw, '--log', 'ignore'])).code, 0, 'a filesystem in it may have one');
  t.is((await sectorscope(['info', raw, '--log', 'maybe'])).code, 2);
  t.is((await sectorscope(['info', top, '--no-references'])).code, 7);
  const { code, stderr, stdout } = await sectorscope(['info', top, '--no-references', '--no-backing']);
  t.is(code, 0);
  t.regex(stderr, /note: image: backing file .*chain-middle\.qcow2 was left out/);
  t.regex(
    stdout.toString(),
    /backing file chain-middle\.qcow2 = .*chain-middle\.qcow2: not opened, left out, as asked/,
  );
  t.regex(stdout.toString(), /backing layer 1: chain-middle\.qcow2\n {2}virtual size/, 'it has no format');
});

test('a backing file that is left out is not written over either', async (t) => {
  const [folder, top] = await chain(t);
  const middle = path.join(folder, CHAIN[1]!);
  const before = readFileSync(middle);
  const link = path.join(folder, 'link');
  symlinkSync(CHAIN[1]!, link);
  for (const out of [middle, link])
    for (const command of [
      ['convert', top, out, '--format', 'qcow2'],
      ['export', top, out],
    ]) {
      const { code, stderr } = await sectorscope([...command, '--force', '--no-backing', '--no-references']);
      t.is(code, 7, stderr);
      t.regex(stderr, /found a file of the image itself/);
    }
  t.is(Buffer.compare(readFileSync(middle), before), 0);
});

test('a passphrase comes from a file, from standard input or from the environment', async (t) => {
  const folder = temporaryFolder(t);
  const file = await fixtureFile('qcow2/luks.qcow2', folder);
  const { passphrase, sha256 } = await fixtureFacts<{ readonly passphrase: string; readonly sha256: string }>(
    'qcow2/luks.qcow2',
  );
  const secret = path.join(folder, 'secret');
  writeFileSync(secret, `${passphrase}\r\nand more\n`);
  const expected = `${sha256}  disk\n`;
  const run = async (args: readonly string[], options?: Parameters<typeof sectorscope>[1]) =>
    (await sectorscope(['hash', file, ...args], options)).stdout.toString();
  t.is(await run(['--passphrase-file', secret]), expected);
  t.is(await run(['--passphrase-file', '-'], { input: Buffer.from(passphrase) }), expected);
  t.is(await run([], { env: { SECTORSCOPE_PASSPHRASE: passphrase } }), expected);
  const none = await sectorscope(['hash', file]);
  t.is(none.code, 4);
  t.regex(none.stderr, /LUKS/);
  const wrong = await sectorscope(['hash', file], { env: { SECTORSCOPE_PASSPHRASE: 'wrong-word' } });
  t.is(wrong.code, 7);
  t.notRegex(wrong.stderr, /wrong-word/);
});
