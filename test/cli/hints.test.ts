import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { sectorscope } from '../helpers/cli.ts';
import { fixtureFacts, fixtureFile } from '../helpers/fixtures.ts';
import { temporaryFolder } from '../helpers/tools.ts';

const hintsOf = (stderr: string) =>
  [...stderr.matchAll(/^sectorscope: hint: (--[a-z-]+)/gm)].map(([, option]) => option);

test('an error that an option gets past names the option, where the command has it', async (t) => {
  const folder = temporaryFolder(t);
  const lost = await fixtureFile('qcow2/chain-top.qcow2', folder);
  const luks = await fixtureFile('qcow2/luks.qcow2', folder);
  const outside = path.join(folder, 'outside');
  mkdirSync(outside);
  const named = path.join(outside, 'top.qcow2');
  const backing = ['--backing', '../luks.qcow2', '--backing-format', 'raw'];
  t.is((await sectorscope(['create', named, '--format', 'qcow2', ...backing, '--allow-reference', folder])).code, 0);
  const out = path.join(folder, 'out');
  writeFileSync(out, '');
  const cases: readonly (readonly [
    args: readonly string[],
    code: number,
    hints: readonly string[],
    message: RegExp,
  ])[] = [
    [['info', lost], 5, ['--no-backing'], /backing file chain-middle\.qcow2 .*expected the file .*found no such file/],
    [['info', '--no-references', lost], 7, ['--no-backing'], /switched off/],
    [['resize', lost, '+1MiB', '--write'], 5, [], /no such file/],
    [['info', named], 7, ['--allow-reference', '--no-backing'], /denied: reference/],
    [['write', named, '--offset', '0', '--input', out, '--write'], 7, ['--allow-reference'], /denied: reference/],
    [['info', luks], 4, ['--passphrase-file'], /expected a passphrase/],
    [['resize', luks, '+1MiB', '--write'], 4, [], /which is only read/],
    [['export', '--format', 'raw', luks, out], 7, ['--force'], /expected a new file/],
    [['export', '--format', 'raw', luks, outside], 7, [], /expected a new file/],
    [['create', out, '--format', 'raw', '--size', '1MiB'], 7, ['--force'], /expected a new file/],
    [
      ['create', path.join(folder, 'over'), '--format', 'qcow2', '--backing', luks, '--backing-format', 'qcow2'],
      4,
      ['--passphrase-file'],
      /expected a passphrase/,
    ],
    [['resize', luks, '+1MiB'], 4, [], /which is only read/],
    [['write', luks, '--offset', '0', '--input', out], 4, [], /which is only read/],
    [['hex', '--format', 'raw', luks, '--offset', '1GiB'], 6, [], /^sectorscope: out of range: hex/],
  ];
  for (const [args, code, hints, message] of cases) {
    const result = await sectorscope(args);
    t.is(result.code, code, `${args.join(' ')}: ${result.stderr}`);
    t.regex(result.stderr, message);
    t.deepEqual(hintsOf(result.stderr), [...hints], args.join(' '));
  }
  const json = await sectorscope(['info', '--json', lost]);
  t.like(JSON.parse(json.stderr), { error: { code: 'NOT_FOUND', layer: 'reference' } });
});

test('a log that cannot be replayed can be left alone, where it is that of the image itself and nothing is written', async (t) => {
  const folder = temporaryFolder(t);
  const image = await fixtureFile('vhdx/pending-log.vhdx', folder);
  const bytes = readFileSync(image);
  // Behind the signature of its first entry: no entry is whole any more.
  const log = bytes.indexOf('loge');
  bytes.fill(0xff, log + 64, log + 80);
  writeFileSync(image, bytes);
  const read = await sectorscope(['info', image]);
  t.is(read.code, 3);
  t.deepEqual(hintsOf(read.stderr), ['--log']);
  t.is((await sectorscope(['info', image, '--log', 'ignore'])).code, 0);
  t.deepEqual(hintsOf((await sectorscope(['resize', image, '+1MiB'])).stderr), []);
});

test('a word that is neither an image nor a command is told where the commands are', async (t) => {
  const hint = /hint: sectorscope --help lists the commands/;
  const mistyped = await sectorscope(['inof']);
  t.is(mistyped.code, 5);
  t.regex(mistyped.stderr, hint);
  for (const name of ['no.img', './inof']) t.notRegex((await sectorscope([name])).stderr, hint, name);
});

test('an overlay over an encrypted image is made, read and written with its passphrase', async (t) => {
  const folder = temporaryFolder(t);
  await fixtureFile('qcow2/luks.qcow2', folder);
  const { passphrase, sha256 } = await fixtureFacts<{ passphrase: string; sha256: string }>('qcow2/luks.qcow2');
  const top = path.join(folder, 'top.qcow2');
  const secret = path.join(folder, 'secret');
  writeFileSync(secret, `${passphrase}\n`);
  const given = ['--passphrase-file', secret];
  const backing = ['--backing', 'luks.qcow2', '--backing-format', 'qcow2'];
  const made = await sectorscope(['create', top, '--format', 'qcow2', ...backing, ...given]);
  t.is(made.code, 0, made.stderr);
  t.is((await sectorscope(['hash', top, ...given])).stdout.toString(), `${sha256}  disk\n`);
  const alone = await sectorscope(['create', `${top}2`, '--format', 'qcow2', '--size', '1MiB', ...given]);
  t.is(alone.code, 2, 'there is nothing that it could be for');

  const write = ['write', top, '--offset', '5000', '--input', secret];
  const without = await sectorscope(write);
  t.is(without.code, 4);
  t.deepEqual(hintsOf(without.stderr), ['--passphrase-file']);
  t.regex((await sectorscope([...write, ...given])).stderr, /this would write/);
  t.is((await sectorscope([...write, ...given, '--write'])).code, 0);
  const written = await sectorscope(['hex', top, '--offset', '4096', '--length', '2KiB', ...given, '--json']);
  const below = await sectorscope(['hex', top, 'layer=1', '--offset', '4096', '--length', '2KiB', ...given, '--json']);
  const hexOf = (stdout: Buffer) => Buffer.from(JSON.parse(stdout.toString())[0].hex, 'hex');
  const expected = hexOf(below.stdout);
  expected.set(Buffer.from(`${passphrase}\n`), 904);
  t.deepEqual(hexOf(written.stdout), expected);
  const both = await sectorscope(['write', top, '--offset', '0', '--input', '-', '--passphrase-file', '-']);
  t.is(both.code, 2);
});

test('a passphrase that stands ready is for what is encrypted: no other image is refused for it', async (t) => {
  const folder = temporaryFolder(t);
  const luks = await fixtureFile('qcow2/luks.qcow2', folder);
  const { passphrase, sha256 } = await fixtureFacts<{ passphrase: string; sha256: string }>('qcow2/luks.qcow2');
  const env = { SECTORSCOPE_PASSPHRASE: passphrase };
  const raw = path.join(folder, 'plain.raw');
  t.is((await sectorscope(['export', luks, raw], { env })).code, 0);
  t.deepEqual((await sectorscope(['hash', raw], { env })).stdout.toString(), `${sha256}  disk\n`);
  const empty = await sectorscope(['info', luks], { env: { SECTORSCOPE_PASSPHRASE: '' } });
  t.is(empty.code, 4, 'an empty variable is none');

  const secret = path.join(folder, 'secret');
  writeFileSync(secret, passphrase);
  t.is((await sectorscope(['diff', raw, luks, '--passphrase-file', secret])).code, 0, 'one of the two is encrypted');
  t.is((await sectorscope(['diff', luks, raw, '--passphrase-file', secret])).code, 0);

  // The overlay names its backing file so.
  const overlay = await fixtureFile('qcow2/chain-top.qcow2', folder);
  copyFileSync(luks, path.join(folder, 'chain-middle.qcow2'));
  const below = await sectorscope(['hash', overlay, 'layer=1', '--passphrase-file', secret]);
  t.is(below.stdout.toString(), `${sha256}  layer=1\n`, below.stderr);
  t.is(below.stderr, '');
});

test('what the operating system refuses is told in words, and one link is no links', async (t) => {
  const folder = temporaryFolder(t);
  const image = await fixtureFile('ext/ext4-1k.img', folder);
  const { stdout } = await sectorscope(['ls', '-R', '--json', image]);
  const { locator } = JSON.parse(stdout.toString()).find(({ kind }: { kind: string }) => kind === 'file');
  const out = path.join(folder, 'out');
  const first = await sectorscope(['extract', image, locator, out]);
  t.regex(first.stderr, /: 1 file \(6 B\) extracted/);
  const again = await sectorscope(['extract', image, locator, out]);
  t.is(again.code, 7, again.stderr);
  t.regex(again.stderr, /denied: file: .*found a file of that name \(EEXIST\)/);
});
