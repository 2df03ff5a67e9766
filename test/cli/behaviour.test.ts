import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, openSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { demoImage, launcher, sectorscope } from '../helpers/cli.ts';
import { fixtureBytes, fixtureFile } from '../helpers/fixtures.ts';
import { temporaryFolder } from '../helpers/tools.ts';

const commands = [
  'info',
  'parts',
  'ls',
  'cat',
  'extract',
  'hex',
  'hash',
  'export',
  'map',
  'create',
  'resize',
  'write',
  'convert',
  'diff',
];

test('the help lists every command, and the help of each shows an example', async (t) => {
  const { stdout, code } = await sectorscope(['--help']);
  t.is(code, 0);
  t.deepEqual(
    stdout
      .toString()
      .split('\n')
      .filter(({ length }) => length > 80),
    [],
  );
  for (const command of commands) {
    t.regex(stdout.toString(), new RegExp(`^ {2}${command} `, 'm'));
    const help = await sectorscope([command, '--help']);
    t.is(help.code, 0);
    t.regex(help.stdout.toString(), new RegExp(`Examples:\n {2}\\$ sectorscope ${command} `), command);
    t.regex(help.stdout.toString(), /--json/);
  }
});

test('an option before the command is refused: it would be passed over', async (t) => {
  for (const option of [['--no-references'], ['--format', 'raw'], ['--log', 'ignore'], ['--json']]) {
    const { code, stdout, stderr } = await sectorscope([...option, 'info', demoImage]);
    t.is(code, 2, option.join(' '));
    t.is(stdout.length, 0);
    t.regex(stderr, new RegExp(`${option[0]} stands before 'info'`));
  }
  t.is((await sectorscope(['--format', 'raw', demoImage])).code, 0, "browsing's own options stand where they like");
});

test('browsing leaves the bytes and times of the image file as they were', async (t) => {
  const folder = temporaryFolder(t);
  const image = path.join(folder, 'disk.qcow2');
  writeFileSync(image, readFileSync(demoImage));
  const facts = (): unknown => {
    const { size, mtimeNs, ctimeNs, atimeNs } = statSync(image, { bigint: true });
    return { size, mtimeNs, ctimeNs, atimeNs };
  };
  const before = facts();
  const lines = [[], ['info'], ['parts'], ['ls', '-R'], ['hash'], ['map'], ['hex']];
  for (const [command, ...rest] of lines) {
    const { code, stderr } = await sectorscope(command === undefined ? [image] : [command, ...rest, image]);
    t.is(code, 0, stderr);
  }
  t.deepEqual(facts(), before);
  t.deepEqual(Buffer.compare(readFileSync(image), readFileSync(demoImage)), 0);
});

test('looking at snapshots and layers leaves the bytes and times of every file as they were', async (t) => {
  const folder = temporaryFolder(t);
  for (const name of ['chain-top.qcow2', 'chain-middle.qcow2', 'chain-base.raw', 'snapshot.qcow2'])
    await fixtureFile(`qcow2/${name}`, folder);
  const at = (name: string) => path.join(folder, name);
  const facts = () =>
    readdirSync(folder).map((name) => {
      const { size, mtimeNs, ctimeNs, atimeNs } = statSync(at(name), { bigint: true });
      return [name, size, mtimeNs, ctimeNs, atimeNs];
    });
  const before = facts();
  const lines = [
    ['hash', at('snapshot.qcow2'), 'snapshot=before the change'],
    ['info', at('snapshot.qcow2'), 'snapshot=2'],
    ['map', at('chain-top.qcow2'), 'layer=1'],
    ['hex', at('chain-top.qcow2'), 'layer=2'],
    [at('chain-top.qcow2'), 'layer=1'],
    ['resize', at('chain-base.raw'), '+1MiB'],
  ];
  for (const line of lines) {
    const { code, stderr } = await sectorscope(line);
    t.is(code, line[0] === 'resize' ? 7 : 0, stderr);
  }
  t.deepEqual(facts(), before);
});

test('every kind of failure has its exit code, one line on standard error, and no stack trace', async (t) => {
  const folder = temporaryFolder(t);
  const file = (name: string, bytes: Uint8Array | string): string => {
    writeFileSync(path.join(folder, name), bytes);
    return path.join(folder, name);
  };
  const truncated = file('truncated.qcow2', readFileSync(demoImage).subarray(0, 60));
  const empty = file('empty.img', '');
  const wrongSum = Buffer.from(await fixtureBytes('ext/ext4-1k.img'));
  wrongSum.write('another label', 1024 + 0x78);
  const mismatched = file('mismatched.img', wrongSum);
  const cases: [readonly string[], number, RegExp][] = [
    [['info', path.join(folder, 'missing.img')], 5, /no such file/],
    [['info', folder], 4, /expected a regular file, found a directory/],
    [['cat', demoImage, 'p9:/x'], 5, /expected one of p1, p2, found p9/],
    [['cat', demoImage, 'p2:/etc/nothing'], 5, /no nothing in \/etc/],
    [['cat', demoImage, '/etc/passwd'], 5, /p1:\/\.\.\. or p2:\/\.\.\./],
    [['cat', demoImage, 'p2:/etc'], 4, /expected a regular file, found a directory/],
    [['cat', demoImage, 'nonsense'], 5, /expected a place such as/],
    [['hex', demoImage, '--offset', '300MiB'], 6, /outside|inside/],
    [['hex', demoImage, '--offset', 'ten'], 2, /such as 4096/],
    [['hash', demoImage, '--algorithm', 'crc7'], 4, /crc7/],
    [['info', truncated], 3, /qcow2/],
    [['hex', empty, '--offset', '1'], 3, /0 bytes/],
    [['info', demoImage, '--format', 'vdi'], 4, /vdi/],
    [['ls', mismatched, ':/', '--strict'], 3, /superblock checksum at offset 0x7fc/],
    [['ls'], 2, /missing required argument/],
    [['info', demoImage, '--sector-size', '777'], 2, /power of two/],
    [['info', demoImage, '--nonsense'], 2, /unknown option/],
  ];
  for (const [args, expected, message] of cases) {
    const { code, stderr, stdout } = await sectorscope(args);
    t.is(code, expected, `${args.join(' ')}: ${stderr}`);
    t.regex(stderr, message);
    t.notRegex(stderr, /\n\s+at |node:internal/);
    t.is(stdout.toString(), '');
    const json = await sectorscope([...args, '--json']);
    t.is(json.code, expected);
    const { error } = JSON.parse(json.stderr.trimEnd().split('\n').at(-1)!);
    t.regex(error.message, message, 'the same as JSON');
  }
});

test('with --json an error is JSON on standard error', async (t) => {
  const { code, stderr } = await sectorscope(['cat', demoImage, 'p2:/none', '--json']);
  t.is(code, 5);
  t.like(JSON.parse(stderr), { error: { code: 'NOT_FOUND', layer: 'ext4' } });
});

test('an image file without a byte is refused by every command', async (t) => {
  const folder = temporaryFolder(t);
  const empty = path.join(folder, 'empty.img');
  writeFileSync(empty, '');
  const lines = [['info'], ['parts'], ['ls'], ['hash'], ['map'], ['hex']].map((line) => [...line, empty]);
  lines.push(
    [empty],
    ['cat', empty, '/a'],
    ['export', empty, path.join(folder, 'out')],
    ['info', '--format=raw', empty],
  );
  for (const line of lines) {
    const { code, stderr, stdout } = await sectorscope(line);
    t.is(code, 3, line.join(' '));
    t.is(stderr, 'sectorscope: corrupt: image: file at offset 0x0: expected at least one byte, found 0 bytes\n');
    t.is(stdout.toString(), '');
  }
});

test('ls of a disk without a filesystem that is read fails, and does not list nothing', async (t) => {
  const folder = temporaryFolder(t);
  const random = path.join(folder, 'random.img');
  writeFileSync(random, createHash('sha512').update('no filesystem').digest());
  for (const options of [[], ['-l'], ['-R'], ['--json']]) {
    const { code, stderr, stdout } = await sectorscope(['ls', ...options, random]);
    t.is(code, 5, stderr);
    t.regex(stderr, /filesystem: disk at offset 0x0: expected a filesystem, found none that is read/);
    t.is(stdout.toString(), '');
  }
});

test('an image that ends inside a sector has whole numbers of sectors in its table', async (t) => {
  const image = path.join(temporaryFolder(t), 'odd.img');
  writeFileSync(image, Buffer.concat([await fixtureBytes('partition/mbr-empty.img'), new Uint8Array(300)]));
  const { stdout } = await sectorscope(['parts', image]);
  const last = stdout.toString().trimEnd().split('\n').at(-1)!;
  const sectors = Number(/^ +(\d+) +(\d+) +(\d+) {2}/.exec(last)?.[3]);
  t.is(sectors, Math.ceil(statSync(image).size / 512) - 1, last);
});

test('a reader that has enough ends the command quietly', async (t) => {
  const out = execFileSync(
    'bash',
    ['-c', `"${process.execPath}" "${launcher}" cat "${demoImage}" p1 2>&1 >&3 3>&- | cat; :`],
    { stdio: ['ignore', 'pipe', 'inherit', openSync('/dev/null', 'w')] },
  );
  t.is(out.toString(), '');
  const child = spawn(
    'bash',
    ['-c', `"${process.execPath}" "${launcher}" cat "${demoImage}" p2 | head -c 10 | wc -c; echo "\${PIPESTATUS[0]}"`],
    { stdio: 'pipe' },
  );
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += String(chunk);
  });
  child.stderr.on('data', (chunk) => {
    text += String(chunk);
  });
  await new Promise((resolve) => child.on('close', resolve));
  t.deepEqual(text.trim().split(/\s+/), ['10', '0']);
});

test('redirected standard input is read in place', async (t) => {
  const descriptor = openSync(demoImage, 'r');
  t.teardown(() => closeSync(descriptor));
  const out = execFileSync(process.execPath, [launcher, 'cat', '-', 'p2:/etc/hostname'], {
    stdio: [descriptor, 'pipe', 'inherit'],
  });
  t.is(out.toString(), 'demo\n');
});

test('a FIFO or a device as the image is refused at once', async (t) => {
  const folder = temporaryFolder(t);
  const fifo = path.join(folder, 'fifo');
  execFileSync('mkfifo', [fifo]);
  symlinkSync('/dev/zero', path.join(folder, 'zero'));
  for (const name of [fifo, path.join(folder, 'zero')]) {
    const { code, stderr } = await sectorscope(['info', name]);
    t.is(code, 4, stderr);
    t.regex(stderr, /a special file/);
  }
});
