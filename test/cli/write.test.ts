import { spawnSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { launcher, sectorscope, sectorscopeJson } from '../helpers/cli.ts';
import { fixtureFile } from '../helpers/fixtures.ts';
import { temporaryFolder } from '../helpers/tools.ts';

test('create, resize and write, each with its word; without it nothing changes and the answer is what would', async (t) => {
  const folder = temporaryFolder(t);
  const image = path.join(folder, 'disk.img');
  const run = async (args: readonly string[], expected: number, message: RegExp, input?: string) => {
    const { code, stderr } = await sectorscope(args, input === undefined ? {} : { input: Buffer.from(input) });
    t.is(code, expected, `${args.join(' ')}: ${stderr}`);
    t.regex(stderr, message);
  };
  await run(['create', image, '--format', 'raw', '--size', '1MiB'], 0, /raw, a disk of 1 MiB/);
  await run(['create', image, '--format', 'raw', '--size', '1MiB'], 7, /expected a new file/);
  const nowhere = path.join(folder, 'missing');
  await run(['export', image, path.join(nowhere, 'out')], 5, new RegExp(`not found: file: ${nowhere}: found no such`));
  await run(['export', image, path.join(image, 'out')], 7, new RegExp(`${image}: expected a folder, found a file`));
  const state = () => ({ bytes: readFileSync(image).toString('base64'), time: statSync(image).mtimeMs });
  const before = state();
  await run(['resize', image, '+1MiB'], 7, /expected --write, found none: this would make .* 2 MiB/);
  await run(['resize', image, 'much'], 2, /such as 4096, .* found much/);
  await run(['resize', image, '1KiB', '--write'], 6, /at least the 1048576 bytes/);
  const bytes = path.join(folder, 'bytes');
  writeFileSync(bytes, 'some bytes');
  await run(['write', image, '--offset', '8s', '--input', bytes], 7, /this would write 10 bytes at byte 4096/);
  await run(['write', image, '--offset', '0', '--input', image], 7, /a file of the image itself/);
  await run(['write', image, '--offset', '1048570', '--input', bytes, '--write'], 6, /10 bytes at 1048570/);
  await run(['write', image, '--offset', '0', '--input', image, '--write'], 7, /a file of the image itself/);
  await run(['resize', '-', '+1MiB', '--write'], 2, /standard input is only read/);
  await run(['write', image, 'layer=0', '--offset', '0', '--input', bytes, '--write'], 4, /disk or a partition/);
  await run(['write', image, 'p1', '--offset', '0', '--input', bytes, '--write'], 5, /p1/);
  t.deepEqual(state(), before);
  await run(['write', image, '--offset', '8s', '--input', bytes, '--write'], 0, /10 bytes written at byte 4096/);
  await run(['write', image, '--offset', '1', '--input', '-', '--write'], 0, /3 bytes written/, 'abc');
  await run(['resize', image, '+1MiB', '--write'], 0, /a disk of 2 MiB/);
  const expected = Buffer.alloc(2 * 1024 * 1024);
  expected.write('abc', 1);
  expected.write('some bytes', 4096);
  t.is(Buffer.compare(readFileSync(image), expected), 0);
});

test('bytes go into a partition, and not past its end', async (t) => {
  const folder = temporaryFolder(t);
  const image = await fixtureFile('partition/gpt.img', folder);
  const parts = await sectorscope(['parts', '--json', image]);
  const { start, length } = JSON.parse(parts.stdout.toString()).partitionTable.partitions[0];
  const args = ['write', image, 'p1', '--input', '-', '--write', '--json', '--offset'];
  const input = Buffer.from('mark');
  const { code, stdout } = await sectorscope([...args, '512'], { input });
  t.is(code, 0);
  t.deepEqual(JSON.parse(stdout.toString()), { path: image, locator: 'p1', offset: 512, length: 4 });
  t.is(readFileSync(image).toString('latin1', start + 512, start + 516), 'mark');
  t.is((await sectorscope([...args, String(length - 3)], { input })).code, 6);
});

test('resize says that the backup of a GPT stays where it is, and nothing of the kind without one', async (t) => {
  const folder = temporaryFolder(t);
  const gpt = await fixtureFile('partition/gpt.img', folder);
  const mbr = await fixtureFile('partition/mbr-logicals.img', folder);
  const stays = /note: gpt: the backup header stays where it is/;
  t.regex((await sectorscope(['resize', gpt, '+1MiB'])).stderr, stays);
  t.notRegex((await sectorscope(['resize', gpt, '+0', '--write'])).stderr, stays);
  t.regex((await sectorscope(['resize', gpt, '+1MiB', '--write'])).stderr, stays);
  t.notRegex((await sectorscope(['resize', mbr, '+1MiB', '--write'])).stderr, stays);
});

test('the note on a pending log says where it was replayed: into the file once it is open to write', async (t) => {
  const image = await fixtureFile('vhdx/pending-log.vhdx', temporaryFolder(t));
  t.regex((await sectorscope(['info', image])).stderr, /1 log entry replayed in memory/);
  t.regex((await sectorscope(['resize', image, '+1MiB', '--write'])).stderr, /1 log entry replayed into the file/);
  t.notRegex((await sectorscope(['info', image])).stderr, /log/);
});

test('an offset in sectors means those of the partition table, in what would be done and in what is done', async (t) => {
  const image = await fixtureFile('partition/gpt-4k.img', temporaryFolder(t));
  const args = ['write', image, '--offset', '100s', '--input', '-'];
  const input = Buffer.from('here');
  t.regex((await sectorscope(args, { input })).stderr, /at byte 409600 of the disk/);
  t.is((await sectorscope([...args, '--write'], { input })).code, 0);
  t.is(readFileSync(image).toString('latin1', 409600, 409604), 'here');
});

test('without --write the answer is the one with it: damage on the way refuses it, and what is odd is said', async (t) => {
  const folder = temporaryFolder(t);
  const image = path.join(folder, 'disk.qcow2');
  const bytes = path.join(folder, 'bytes');
  writeFileSync(bytes, 'some bytes');
  const args = ['write', image, '--offset', '0', '--input', bytes];
  t.is((await sectorscope(['create', image, '--format', 'qcow2', '--size', '1MiB'])).code, 0);
  t.is((await sectorscope([...args, '--write'])).code, 0);
  const [row] = await sectorscopeJson<{ readonly offset: number }[]>(['map', '--json', image]);
  const file = readFileSync(image);
  // The reference count of the cluster of data, 16 bits in the block behind header and refcount table: nothing uses it.
  file.writeUInt16BE(0, 2 * 65536 + (row!.offset / 65536) * 2);
  writeFileSync(image, file);
  const dry = await sectorscope(args);
  t.is(dry.code, 3, dry.stderr);
  t.is(Buffer.compare(readFileSync(image), file), 0);
  const done = await sectorscope([...args, '--write']);
  t.is(done.code, 3);
  t.is(done.stderr, `sectorscope: the first 0 of 10 bytes were written\n${dry.stderr}`);
});

test('without --write it is said what the first write would cost', async (t) => {
  const image = await fixtureFile('qcow2/bitmaps.qcow2', temporaryFolder(t));
  const note = /note: with --write: qcow2: header autoclearFeatures .*: cleared by the first write/;
  t.regex((await sectorscope(['resize', image, '+1MiB'])).stderr, note);
});

test('options that do not go together are wrong usage', async (t) => {
  const out = path.join(temporaryFolder(t), 'out');
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [['--format', 'qcow2', '--size', '1MiB', '--type', 'fixed'], /--type is not for qcow2/],
    [['--format', 'vhdx', '--size', '1MiB', '--cluster-size', '64KiB'], /--cluster-size is not for vhdx/],
    [['--format', 'raw', '--size', '1MiB', '--backing', 'x', '--backing-format', 'raw'], /--backing is not for raw/],
    [['--format', 'qcow2', '--backing', 'x'], /go together/],
    [['--format', 'qcow2'], /--size is needed/],
    [['--format', 'vdi', '--size', '1'], /Allowed choices are/],
    [['--size', '1'], /--format/],
  ];
  for (const [args, message] of cases) {
    const { code, stderr } = await sectorscope(['create', out, ...args]);
    t.is(code, 2, args.join(' '));
    t.regex(stderr, message);
  }
  const { code, stderr } = await sectorscope(['info', '-', '--passphrase-file', '-']);
  t.is(code, 2);
  t.regex(stderr, /both take standard input/);
});

test('a file that may grow no more is an I/O error', async (t) => {
  if (process.platform === 'win32') return;
  const folder = temporaryFolder(t);
  const image = path.join(folder, 'disk.qcow2');
  t.is((await sectorscope(['create', image, '--format', 'qcow2', '--size', '8MiB'])).code, 0);
  // A limit on the size of files, in blocks of 512 bytes, fails a write as a full disk does.
  const command = 'ulimit -f 1024; exec "$0" "$@"';
  const args = [process.execPath, launcher, 'write', image, '--offset', '0', '--input', '-', '--write', '--json'];
  const { status, stderr } = spawnSync('sh', ['-c', command, ...args], {
    input: new Uint8Array(4 * 1024 * 1024).fill(7),
  });
  t.is(status, 8, stderr.toString());
  const { error } = JSON.parse(stderr.toString().trimEnd().split('\n').at(-1)!);
  t.like(error, { code: 'IO', found: 'a file larger than that filesystem takes (EFBIG)' });
});

test('without --write, what would be met only while writing is met too', async (t) => {
  const folder = temporaryFolder(t);
  const image = await fixtureFile('qcow2/v3-64k.qcow2', folder);
  const file = readFileSync(image);
  // The first L1 entry without its highest bit (section "L1 table entry").
  const table = Number(BigInt.asUintN(56, file.readBigUInt64BE(Number(file.readBigUInt64BE(40)))));
  file.writeBigUInt64BE(0x8000_0000_1234_5678n, table);
  writeFileSync(image, file);
  const bytes = path.join(folder, 'bytes');
  writeFileSync(bytes, 'some bytes');
  const { code, stderr } = await sectorscope(['write', image, '--offset', '100', '--input', bytes]);
  t.is(code, 3, stderr);
  t.regex(stderr, /^sectorscope: corrupt: qcow2: L2 table entry 0 .*\n$/, 'and nothing is said to be written');
  const elsewhere = await sectorscope(['write', image, '--offset', '1MiB', '--input', bytes]);
  t.is(elsewhere.code, 7, elsewhere.stderr);
  t.deepEqual(readFileSync(image), file);
});
