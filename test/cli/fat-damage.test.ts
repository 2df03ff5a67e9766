import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { FatBuilder, shortSlot } from '../core/filesystem/fat/fat-builder.ts';
import { sectorscope } from '../helpers/cli.ts';
import { fixtureFile } from '../helpers/fixtures.ts';
import { temporaryFolder } from '../helpers/tools.ts';

test('check says what is wrong, with both owners, and ends with 1; a sound volume ends with 0', async (t) => {
  const folder = temporaryFolder(t);
  const broken = await sectorscope(['check', await fixtureFile('fat-damage/cross-link-16.img', folder)]);
  t.is(broken.code, 1);
  t.regex(
    broken.stdout.toString(),
    /^disk: error: FAT entry of cluster \d+ at offset 0x[0-9a-f]+: cluster \d+ and what follows it belong to two files, 512 bytes into the first and 512 bytes into the second \(\/one\.txt, \/two\.txt\)$/m,
  );
  const sound = await sectorscope(['check', await fixtureFile('fat-damage/clean-32.img', folder)]);
  t.is(sound.code, 0);
  t.is(sound.stdout.toString(), 'disk: fat32 is consistent\n');
});

test('a file whose chain breaks gives what comes before, says where it breaks, and is left out of hash and extract', async (t) => {
  const folder = temporaryFolder(t);
  const image = await fixtureFile('fat-damage/loop-12.img', folder);
  const whole = Array.from({ length: 1000 }, (_, at) => `${at + 1}\n`).join('');
  const cat = await sectorscope(['cat', image, ':/one.txt']);
  t.is(cat.code, 3);
  t.is(cat.stdout.toString(), whole.slice(0, 3 * 1024));
  const message = /FAT entry of cluster 4 at offset 0x206: expected a cluster not met before in this chain, found 2/;
  t.regex(cat.stderr, message);
  const hash = await sectorscope(['hash', image, ':/']);
  t.is(hash.code, 1);
  t.regex(hash.stderr, message);
  t.is(hash.stdout.toString().trim().split('\n').length, 4);
  const out = path.join(folder, 'out');
  const extract = await sectorscope(['extract', image, ':/', out]);
  t.is(extract.code, 1);
  t.regex(extract.stderr, message);
  t.is(readFileSync(path.join(out, 'sub/deep/leaf.txt')).length, 2005);
});

test('a directory that is cut off costs what it had; the rest is listed and found', async (t) => {
  const image = await fixtureFile('fat-damage/cut-data-16.img', temporaryFolder(t));
  for (const command of [
    ['ls', '-R', image],
    ['find', image],
  ]) {
    const { code, stdout, stderr } = await sectorscope(command);
    t.is(code, 1);
    t.is(stdout.toString(), ':/one.txt\n:/two.txt\n:/sub/\n:/A long name of a file.txt\n');
    t.regex(stderr, /:\/sub: out of range: fat: cluster at offset 0x6c00: expected a place inside the 23140 bytes/);
  }
});

test('slack: the rest of the last cluster, and clusters that the size does not need', async (t) => {
  const folder = temporaryFolder(t);
  const volume = new FatBuilder({ bits: 16, clusters: 5000 });
  const content = Buffer.concat([Buffer.from('content'), Buffer.alloc(505, 'r'), Buffer.alloc(512, 'x')]);
  const cluster = volume.store(content);
  volume.setRoot([shortSlot('LONG', { cluster, size: 7 }), shortSlot('NONE', { size: 0 })]);
  const image = path.join(folder, 'slack.img');
  writeFileSync(image, volume.bytes);
  const cat = await sectorscope(['cat', image, ':/LONG', '--slack']);
  t.is(cat.code, 0, cat.stderr);
  t.is(cat.stdout.toString(), content.subarray(7).toString());
  t.is((await sectorscope(['cat', image, ':/NONE', '--slack'])).stdout.length, 0);
  const hex = await sectorscope(['hex', image, ':/LONG', '--slack', '--offset', '504', '--length', '4']);
  t.regex(hex.stdout.toString(), /^000001f8.*72 78 78 78/m);
  t.regex((await sectorscope(['stat', image, ':/LONG'])).stdout.toString(), /^slack +1017 bytes$/m);
  t.is(JSON.parse((await sectorscope(['stat', '--json', image, ':/LONG'])).stdout.toString()).slack, 1017);
  t.is((await sectorscope(['cat', image, ':/', '--slack'])).code, 4);
});

test('--code-page: names and their look-up in the code page that is asked for, an unknown one refused', async (t) => {
  const folder = temporaryFolder(t);
  const volume = new FatBuilder({ bits: 12, clusters: 100 });
  volume.setRoot([shortSlot('\x9d\xb5\xd6.', { size: 0 }), shortSlot('\x8e\x8f\xe4', { size: 0, caseBits: 0x08 })]);
  const image = path.join(folder, 'pages.img');
  writeFileSync(image, volume.bytes);
  const list = async (...args: string[]): Promise<string> =>
    (await sectorscope(['ls', image, ':/', ...args])).stdout.toString();
  t.is(await list(), '¥╡╓.\näåΣ\n'.replace('Σ', 'Σ'.toLowerCase() === 'σ' ? 'σ' : 'Σ'));
  t.is(await list('--code-page', '850'), 'ØÁÍ.\näåõ\n');
  t.is(await list('--code-page', 'cp866'), 'Э╡╓.\nопф\n');
  t.is((await sectorscope(['stat', image, ':/øáí.', '--code-page', '850'])).code, 0);
  t.is((await sectorscope(['stat', image, ':/øáí.'])).code, 5);
  const unknown = await sectorscope(['ls', image, '--code-page', '851']);
  t.is(unknown.code, 2);
  t.regex(unknown.stderr, /Expected one of 437, 720, 737, .* 1258\./);
});
