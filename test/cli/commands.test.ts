import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { demoImage, sectorscope, sectorscopeJson } from '../helpers/cli.ts';
import { fixtureFile } from '../helpers/fixtures.ts';
import { hasTools, temporaryFolder } from '../helpers/tools.ts';

interface DemoFacts {
  readonly size: number;
  readonly sha256: string;
  readonly files: Readonly<
    Record<string, Readonly<Record<string, { readonly size: number; readonly sha256: string }>>>
  >;
}
const facts = JSON.parse(readFileSync(demoImage.replace(/qcow2$/, 'json'), 'utf8')) as DemoFacts;
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const text = async (...args: string[]): Promise<string> => (await sectorscope(args)).stdout.toString();

test('info names every layer of the demo image', async (t) => {
  const info = await sectorscopeJson<{
    chain: { format: string; virtualSize: number }[];
    partitionTable: { scheme: string; partitions: { number: number; name: string; typeName: string }[] };
    volumes: { name: string; filesystem: { type: string; label: string } }[];
  }>(['info', demoImage]);
  t.like(info.chain, [{ format: 'qcow2', virtualSize: facts.size }]);
  t.is(info.partitionTable.scheme, 'gpt');
  t.deepEqual(
    info.partitionTable.partitions.map(({ number, name }) => [number, name]),
    [
      [1, 'EFI system partition'],
      [2, 'root'],
    ],
  );
  t.deepEqual(
    info.volumes.map(({ name, filesystem }) => [name, filesystem.type, filesystem.label]),
    [
      ['p1', 'fat32', 'ESP'],
      ['p2', 'ext4', 'demo-root'],
    ],
  );
  const printed = await text('info', demoImage);
  for (const part of ['qcow2', '256 MiB', 'GPT', 'EFI system partition', 'fat32', 'ext4', 'demo-root'])
    t.true(printed.includes(part), part);
});

test('parts lists the gaps between the partitions', async (t) => {
  const { layout } = await sectorscopeJson<{ layout: { kind: string; start: number; length: number }[] }>([
    'parts',
    demoImage,
  ]);
  t.deepEqual(
    layout.filter(({ kind }) => kind === 'partition').map(({ start }) => start),
    [1048576, 68157440],
  );
  t.true(layout.some(({ kind }) => kind === 'gap'));
  t.is(
    layout.reduce((sum, { length }) => sum + length, 0),
    facts.size,
  );
  t.regex(await text('parts', demoImage), /p2 +133120 .*root/);
});

test('hash agrees with sha256sum for the disk and for every file', async (t) => {
  t.is(await text('hash', demoImage), `${facts.sha256}  disk\n`);
  for (const [volume, files] of Object.entries(facts.files)) {
    const hashes = await sectorscopeJson<{ locator: string; size: number; hash: string }[]>([
      'hash',
      demoImage,
      `${volume}:/`,
    ]);
    const found = Object.fromEntries(
      hashes.map(({ locator, size, hash }) => [locator.slice(3), { size, sha256: hash }]),
    );
    t.deepEqual(found, files);
  }
  t.is(
    (await text('hash', demoImage, 'p2:/etc/hostname', '--algorithm', 'md5')).split(' ')[0],
    createHash('md5').update('demo\n').digest('hex'),
  );
});

test('ls lists, long, recursively, and as JSON', async (t) => {
  t.deepEqual((await text('ls', demoImage, 'p1:/EFI')).trim().split('\n').sort(), ['BOOT/', 'debian/']);
  t.regex(await text('ls', demoImage, 'p2:/', '-l'), /lrwxrwxrwx .* bin -> usr\/bin/);
  t.regex(await text('ls', demoImage, 'p2:/dev', '-l'), /^crw-.* 1, 3 .* null$/m);
  t.regex(
    await text('ls', demoImage, 'p2:/etc/passwd', '-l'),
    /^-rw-r--r-- .* 2023-11-14T22:13:20.123456789Z .*passwd$/m,
  );
  const all = await sectorscopeJson<{ locator: string; kind: string }[]>(['ls', '-R', demoImage]);
  const listed = all.filter(({ kind }) => kind === 'file').map(({ locator }) => locator);
  const expected = Object.entries(facts.files).flatMap(([volume, files]) =>
    Object.keys(files).map((file) => `${volume}:${file}`),
  );
  t.deepEqual(listed.sort(), expected.sort());
  t.regex(await text('ls', demoImage, 'p1:/EFI/debian', '--deleted'), /old-kernel-config\.txt +\(deleted\)/);
});

test('cat gives a file, follows links, and gives a partition', async (t) => {
  t.is(await text('cat', demoImage, 'p2:/etc/hostname'), 'demo\n');
  t.regex(await text('cat', demoImage, 'p2:/etc/os-release'), /^PRETTY_NAME=/);
  const { stdout } = await sectorscope(['cat', demoImage, 'p1']);
  t.is(stdout.length, 64 * 1024 * 1024);
  t.is(stdout.toString('latin1', 82, 90), 'FAT32   ');
  const pieces = JSON.parse(await text('cat', '--json', demoImage, 'p2:/etc/hostname')) as { base64: string }[];
  t.is(Buffer.from(pieces[0]!.base64, 'base64').toString(), 'demo\n');
});

test('a name that a listing prints can be pasted back', async (t) => {
  const [name] = (await text('ls', demoImage, 'p2:/home/alice/Documents'))
    .split('\n')
    .filter((line) => line.includes('berblick'));
  t.true((await text('cat', demoImage, `p2:/home/alice/Documents/${name}`)).startsWith('Größe'));
});

test('hex dumps in sectors, from the end, and as JSON', async (t) => {
  const lines = (await text('hex', demoImage, '--offset', '1s', '--length', '0x10')).split('\n');
  t.is(lines[0], '00000200  45 46 49 20 50 41 52 54  00 00 01 00 5c 00 00 00  |EFI PART....\\...|');
  t.is(lines[1], '00000210');
  t.regex(await text('hex', demoImage, '--offset=-1s', '--length', '8'), /^0ffffe00 {2}45 46 49 20 50 41 52 54/);
  t.is(
    await text('hex', demoImage, 'p2:/etc/hostname'),
    `00000000  64 65 6d 6f 0a${' '.repeat(34)}  |demo.|\n00000005\n`,
  );
  const pieces = await sectorscopeJson<{ offset: number; hex: string }[]>([
    'hex',
    demoImage,
    'p2:/etc/hostname',
    '--offset',
    '1',
  ]);
  t.like(pieces, [{ offset: 1, hex: '656d6f0a' }]);
});

test('sectors of the disk are those of its partition table, where the image does not say', async (t) => {
  const image = await fixtureFile('partition/gpt-4k.img', temporaryFolder(t));
  t.regex(await text('hex', image, '--offset', '1s', '--length', '8'), /^00001000 {2}45 46 49 20 50 41 52 54 /);
});

test('map follows a file down to the image file', async (t) => {
  const rows = await sectorscopeJson<{ start: number; length: number; kind: string; file: string }[]>([
    'map',
    demoImage,
    'p2:/var/cache/sparse.bin',
  ]);
  t.is(
    rows.reduce((sum, { length }) => sum + length, 0),
    40 * 1024 * 1024,
  );
  t.deepEqual([...new Set(rows.map(({ kind }) => kind))].sort(), ['hole', 'zlib']);
  const disk = await sectorscopeJson<{ start: number; length: number }[]>(['map', demoImage]);
  t.is(
    disk.reduce((sum, { length }) => sum + length, 0),
    facts.size,
  );
});

test('export writes the disk, a partition and a file; sparse; and replaces nothing unasked', async (t) => {
  const folder = temporaryFolder(t);
  const out = path.join(folder, 'disk.raw');
  t.is((await sectorscope(['export', demoImage, out])).code, 0);
  t.is(sha256(readFileSync(out)), facts.sha256);
  t.true(statSync(out).blocks * 512 < facts.size / 10);
  t.is((await sectorscope(['export', demoImage, 'p1', out])).code, 7);
  t.is(statSync(out).size, facts.size);
  t.is((await sectorscope(['export', demoImage, 'p1', out, '--force'])).code, 0);
  const { stdout } = await sectorscope(['export', demoImage, 'p1', '-']);
  t.deepEqual(Buffer.compare(stdout, readFileSync(out)), 0);
  t.deepEqual(readdirSync(folder), ['disk.raw']);
});

test('export never replaces a file that the image is made of', async (t) => {
  const image = path.join(temporaryFolder(t), 'disk.qcow2');
  writeFileSync(image, readFileSync(demoImage));
  const { code, stderr } = await sectorscope(['export', image, image, '--force']);
  t.is(code, 7, stderr);
  t.regex(stderr, /a file of the image itself/);
  t.deepEqual(Buffer.compare(readFileSync(image), readFileSync(demoImage)), 0);
});

test('an interrupted export leaves nothing behind and ends with 130', async (t) => {
  const folder = temporaryFolder(t);
  const { code, stderr } = await sectorscope(['export', '-', path.join(folder, 'out.raw')], {
    // The image never ends: the command is at work until it is interrupted.
    input: { open: new Uint8Array(1024 * 1024) },
    env: { TMPDIR: folder },
    onStart: (child) => {
      const timer = setInterval(() => {
        if (readdirSync(folder).length > 0) child.kill('SIGINT');
      }, 5);
      child.on('exit', () => clearInterval(timer));
    },
  });
  t.is(code, 130);
  t.regex(stderr, /interrupted/);
  t.deepEqual(readdirSync(folder), []);
});

test.serial('an interrupted extraction says that what was whole stays, and leaves nothing half-written', async (t) => {
  if (!hasTools(t, 'mke2fs')) return;
  const folder = temporaryFolder(t);
  const source = path.join(folder, 'source');
  mkdirSync(source);
  // So many that it is at work still when the first is there; and first of the tests, while this process does nothing else.
  for (let index = 0; index < 3000; index++) writeFileSync(path.join(source, `f${index}`), 'x'.repeat(20_000));
  const image = path.join(folder, 'image');
  spawnSync('mke2fs', ['-q', '-t', 'ext4', '-d', source, image, '96M']);
  const out = path.join(folder, 'out');
  const { code, stderr } = await sectorscope(['extract', image, '/', out], {
    onStart: (child) => {
      const timer = setInterval(() => {
        if (!existsSync(out) || readdirSync(out).length === 0) return;
        clearInterval(timer);
        child.kill('SIGINT');
      }, 1);
      child.on('exit', () => clearInterval(timer));
    },
  });
  t.is(code, 130, stderr);
  t.regex(stderr, /what was whole by then stays in .*out; no file is half-written\nsectorscope: interrupted/);
  const files = readdirSync(out).filter((name) => name.startsWith('f'));
  t.true(files.length < 3000 && files.every((name) => statSync(path.join(out, name)).size === 20_000));
});

test('a partition is its root where files are listed', async (t) => {
  for (const command of ['ls', 'find', 'timeline'])
    t.is(await text(command, demoImage, 'p2'), await text(command, demoImage, 'p2:/'), command);
  t.is((await sectorscope(['ls', demoImage, 'p9'])).code, 5);
});

test('extract keeps content, links, modes and times', async (t) => {
  const folder = temporaryFolder(t);
  const out = path.join(folder, 'out');
  const { code, stderr } = await sectorscope(['extract', demoImage, 'p2:/', out]);
  t.is(code, 1, stderr);
  const leftOut = stderr.split('\n').filter((line) => line.includes('left out'));
  t.is(leftOut.length, 3, 'two device nodes and a fifo');
  t.true(
    leftOut.every((line) => line.startsWith('sectorscope: left out p2:/')),
    stderr,
  );
  for (const [file, fact] of Object.entries(facts.files['p2']!))
    t.is(sha256(readFileSync(out + file)), fact.sha256, file);
  t.is(readlinkSync(path.join(out, 'bin')), 'usr/bin');
  t.is(statSync(path.join(out, 'usr/bin/demo')).mode % 0o1000, 0o755);
  t.is(Math.floor(statSync(path.join(out, 'etc/passwd')).mtimeMs), 1700000000123);
  t.true(statSync(path.join(out, 'var/cache/sparse.bin')).blocks * 512 < 1024 * 1024);
  t.is((await sectorscope(['extract', demoImage, 'p2:/etc', out])).code, 7, 'not into a directory that has entries');
  const nowhere = path.join(folder, 'missing');
  for (const place of ['p2:/etc', 'p2:/etc/hostname']) {
    const lost = await sectorscope(['extract', demoImage, place, path.join(nowhere, 'out')]);
    t.is(lost.code, 5);
    t.regex(lost.stderr, new RegExp(`file: ${nowhere}: found no such file`), 'the folder is what is missing');
  }
  t.is((await sectorscope(['extract', demoImage, 'p2:/etc/hostname', folder])).code, 0);
  t.is(readFileSync(path.join(folder, 'hostname'), 'utf8'), 'demo\n');
  t.is((await sectorscope(['extract', demoImage, 'p2:/etc/hostname', '-'])).stdout.toString(), 'demo\n');
});

test('without a terminal, the image prints as a tree', async (t) => {
  const tree = await text(demoImage);
  for (const part of [
    'qcow2, 256 MiB',
    'p1 "EFI system partition"',
    'fat32 "ESP"',
    'p2 "root"',
    'ext4 "demo-root"',
    'passwd',
    '(unallocated',
  ])
    t.true(tree.includes(part), part);
  t.true((await text()).includes('demo.qcow2'), 'no image named: the bundled one');
  const json = JSON.parse(await text('--json', demoImage)) as { children: unknown[] };
  t.true(json.children.length >= 4);
});

test('standard input is an image, through a pipe and redirected', async (t) => {
  const { stdout } = await sectorscope(['cat', '-', 'p2:/etc/hostname'], { input: readFileSync(demoImage) });
  t.is(stdout.toString(), 'demo\n');
});
