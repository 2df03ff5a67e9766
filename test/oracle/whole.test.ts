import { createHash } from 'node:crypto';
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { launcher, sectorscope, sectorscopeJson } from '../helpers/cli.ts';
import { TestTerminal } from '../helpers/terminal.ts';
import { hasTools, temporaryFolder, tool, toolText } from '../helpers/tools.ts';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** A tree on the host: names that hurt, empty and larger files, depth. Returns path -> SHA-256. */
function plantTree(folder: string): Map<string, string> {
  const planted = new Map<string, string>();
  const plant = (name: string, bytes: Uint8Array): void => {
    const target = path.join(folder, name);
    mkdirSync(path.dirname(target), { recursive: true });
    writeFileSync(target, bytes);
    planted.set(`/${name}`, sha256(bytes));
  };
  plant('etc/passwd', Buffer.from('root:x:0:0:root:/root:/bin/bash\n'));
  plant('empty', Buffer.alloc(0));
  plant('home/José/naïve 日本語.txt', Buffer.from('unicode'));
  plant('deep/'.repeat(12).concat('bottom.bin'), Buffer.alloc(5000, 7));
  for (let number = 0; number < 300; number++)
    plant(`many/file-${number}.dat`, Buffer.alloc((number * 37) % 9000, number));
  plant('large.bin', Buffer.alloc(3 * MIB + 17, 'sector'));
  return planted;
}

/** A Debian-style disk: GPT by sgdisk, an ESP by mkfs.fat and mtools, an ext4 root by mke2fs, in a qcow2 by qemu-img. */
async function debianDisk(
  t: ExecutionContext,
  size: number,
): Promise<{ image: string; raw: string; root: Map<string, string>; esp: Map<string, string> }> {
  const folder = temporaryFolder(t);
  const tree = path.join(folder, 'tree');
  const root = plantTree(tree);
  const raw = path.join(folder, 'disk.raw');
  writeFileSync(raw, '');
  truncateSync(raw, size);
  await tool('sgdisk', ['-n', '1:2048:+64M', '-t', '1:EF00', '-n', '2:0:0', '-t', '2:8304', '-c', '2:root', raw]);
  await tool('mkfs.fat', ['-F', '32', '-s', '1', '--offset', '2048', raw, '65536']);
  await tool('mcopy', [
    '-s',
    '-i',
    `${raw}@@1M`,
    path.join(tree, 'etc'),
    path.join(tree, 'home'),
    path.join(tree, 'many'),
    '::/',
  ]);
  const start = 2048 * 512 + 64 * MIB;
  const blocks = Math.floor((size - start - MIB) / 4096);
  await tool('mke2fs', ['-q', '-t', 'ext4', '-b', '4096', '-d', tree, '-E', `offset=${start}`, raw, String(blocks)]);
  const image = path.join(folder, 'disk.qcow2');
  await tool('qemu-img', ['convert', '-O', 'qcow2', raw, image]);
  const esp = new Map([...root].filter(([name]) => /^\/(etc|home|many)\//.test(name)));
  return { image, raw, root, esp };
}

/** The most memory a process ever had, in MiB, as the process says at its end (maxRSS is in KiB). */
async function peakMemory(args: readonly string[], expectedCode = 0): Promise<number> {
  const report = `process.on('exit',()=>process.stderr.write('\\nmaxrss='+process.resourceUsage().maxRSS+'\\n'))`;
  const { stderr, code } = await sectorscope(args, {
    env: { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(report)}` },
  });
  if (code !== expectedCode) throw new Error(`ended with ${code}: ${stderr}`);
  return Number(/maxrss=(\d+)/.exec(stderr)![1]) / 1024;
}

test('a 20 GiB Debian-style qcow2: every list, hash and export agrees; nothing is changed; memory stays under 300 MB', async (t) => {
  t.timeout(240_000);
  if (!hasTools(t, 'qemu-img', 'sgdisk', 'mkfs.fat', 'mcopy', 'mke2fs', 'fls', 'debugfs')) return;
  const { image, raw, root, esp } = await debianDisk(t, 20 * GIB);
  const facts = (): unknown => {
    const { size, mtimeNs, ctimeNs } = statSync(image, { bigint: true });
    return { size, mtimeNs, ctimeNs, sha256: sha256(readFileSync(image)) };
  };
  const before = facts();

  for (const [volume, expected] of [
    ['p1', esp],
    ['p2', root],
  ] as const) {
    const hashes = await sectorscopeJson<{ locator: string; hash: string }[]>(['hash', image, `${volume}:/`]);
    t.deepEqual(
      Object.fromEntries(hashes.map(({ locator, hash }) => [locator.slice(volume.length + 1), hash])),
      Object.fromEntries(expected),
      volume,
    );
  }

  const listed = await sectorscopeJson<{ path: string; kind: string; id: number; size: number }[]>([
    'ls',
    '-R',
    image,
    'p2:/',
  ]);
  const fls = await toolText('fls', ['-r', '-p', '-u', '-o', String(2048 + 131072), raw]);
  const flsPaths = fls
    .trim()
    .split('\n')
    .map((line) => /^(\S+) (\d+):\t(.*)$/.exec(line)!)
    .filter((match) => match[1] !== 'V/V');
  t.deepEqual(
    listed.map(({ path: name, id }) => `${id} ${name}`).sort(),
    flsPaths.map((match) => `${match[2]} /${match[3]}`).sort(),
  );

  t.true((await peakMemory(['ls', '-R', '--json', image])) < 300);
  t.true((await peakMemory(['hash', image, 'p2:/'])) < 300);
  const out = path.join(path.dirname(image), 'out.raw');
  t.true((await peakMemory(['export', image, out])) < 300);
  await tool('qemu-img', ['compare', '-f', 'raw', '-F', 'raw', raw, out]);
  t.true(statSync(out).blocks * 512 < statSync(raw).blocks * 512 * 1.1 + MIB);

  const terminal = new TestTerminal(t, launcher, [image], { columns: 120, rows: 40 });
  await terminal.see(/p2 +root/);
  terminal.type('g');
  await terminal.see(/Go to/);
  terminal.type('p2:/etc/passwd\r');
  await terminal.see(/inode +\d+/);
  terminal.type('2');
  await terminal.see(/72 6f 6f 74 3a 78 3a 30 .*root:x:0/);
  terminal.type('g');
  await terminal.see(/Go to/);
  terminal.type('p2:/large.bin\r');
  await terminal.see(/73 65 63 74 6f 72/);
  // Paging through megabytes must not keep them.
  for (let page = 0; page < 40; page++) terminal.type('\x1b[6~');
  terminal.type('3');
  await terminal.see(/sectorsector/);
  const { peakMemory: peak } = terminal;
  terminal.type('q');
  t.is((await terminal.exited).exitCode, 0);
  if (peak !== undefined) t.true(peak < 300, `the terminal interface had ${peak} MiB`);
  t.log(`terminal interface: ${peak?.toFixed(0)} MiB at most`);
  t.deepEqual(facts(), before);
});

test('a 1 TiB sparse image maps and lists in the memory of a small one', async (t) => {
  if (!hasTools(t, 'qemu-img')) return;
  const image = path.join(temporaryFolder(t), 'huge.qcow2');
  await tool('qemu-img', ['create', '-q', '-f', 'qcow2', image, '1T']);
  t.true((await peakMemory(['map', image])) < 200);
  t.true((await peakMemory(['info', image])) < 200);
  const [row, ...more] = await sectorscopeJson<{ length: number; kind: string }[]>(['map', image]);
  t.like(row, { length: 1024 * GIB, kind: 'hole' });
  t.is(more.length, 0);
});

/** Patches bytes of a file in place. */
function patch(file: string, offset: number, bytes: Uint8Array): void {
  const descriptor = openSync(file, 'r+');
  writeSync(descriptor, bytes, 0, bytes.length, offset);
  closeSync(descriptor);
}

function be(value: number, length: 4 | 8): Buffer {
  const bytes = Buffer.alloc(length);
  if (length === 4) bytes.writeUInt32BE(value);
  else bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

test('hostile qcow2 headers end in an error that names the place, in bounded memory', async (t) => {
  if (!hasTools(t, 'qemu-img')) return;
  const folder = temporaryFolder(t);
  const pristine = path.join(folder, 'pristine.qcow2');
  await tool('qemu-img', ['create', '-q', '-f', 'qcow2', pristine, '64M']);
  const mutations: [string, number, Uint8Array][] = [
    ['cluster_bits 63', 20, be(63, 4)],
    ['cluster_bits 8', 20, be(8, 4)],
    ['L1 of 2^32-1 entries', 36, be(0xffffffff, 4)],
    ['L1 table past the end', 40, be(2 ** 52, 8)],
    ['L1 table offset unaligned', 40, be(3 * 65536 + 8, 8)],
    ['virtual size of 2^63', 24, be(2 ** 62, 8)],
    ['version 9', 4, be(9, 4)],
    ['unknown incompatible feature', 72, be(2 ** 40, 8)],
    ['header_length 2^31', 100, be(2 ** 31, 4)],
    ['refcount_order 40', 96, be(40, 4)],
  ];
  for (const [name, offset, bytes] of mutations) {
    const image = path.join(folder, 'mutated.qcow2');
    writeFileSync(image, readFileSync(pristine));
    patch(image, offset, bytes);
    const started = performance.now();
    const { code, stderr } = await sectorscope(['hash', image]);
    t.true(code === 3 || code === 4, `${name}: ${code} ${stderr}`);
    t.regex(stderr, /qcow2: .*(0x|feature)/, name);
    t.true(performance.now() - started < 20_000, name);
  }
});

test('an image whose backing file is itself, or a file outside, is refused', async (t) => {
  if (!hasTools(t, 'qemu-img')) return;
  const folder = temporaryFolder(t);
  const own = path.join(folder, 'own');
  mkdirSync(own);
  const image = path.join(own, 'self.qcow2');
  await tool('qemu-img', ['create', '-q', '-f', 'qcow2', image, '1M']);
  await tool('qemu-img', ['rebase', '-u', '-f', 'qcow2', '-b', 'self.qcow2', '-F', 'qcow2', image]);
  const self = await sectorscope(['info', image]);
  t.is(self.code, 3);
  t.regex(
    self.stderr,
    /backing file self.qcow2 at offset 0x[0-9a-f]+: expected a chain that ends, found self.qcow2 again/,
  );
  await tool('qemu-img', ['rebase', '-u', '-f', 'qcow2', '-b', '/etc/passwd', '-F', 'raw', image]);
  const outside = await sectorscope(['info', image]);
  t.is(outside.code, 7);
  t.regex(outside.stderr, /\/etc\/passwd/);
  t.is((await sectorscope(['info', image, '--allow-reference', '/etc/passwd'])).code, 0);
});

test('truncated at any of many places, an image ends in a value or an error, never in a stack trace or a hang', async (t) => {
  t.timeout(240_000);
  if (!hasTools(t, 'qemu-img', 'sgdisk', 'mkfs.fat', 'mcopy', 'mke2fs')) return;
  const { image } = await debianDisk(t, GIB);
  const whole = readFileSync(image);
  const cut = path.join(path.dirname(image), 'cut.qcow2');
  for (const size of [
    1,
    71,
    72,
    103,
    104,
    512,
    65536,
    131073,
    262144,
    400_000,
    Math.floor(whole.length / 2),
    whole.length - 1,
  ]) {
    writeFileSync(cut, whole.subarray(0, size));
    for (const command of [['info'], ['ls', '-R'], ['hash']]) {
      const { code, stderr } = await sectorscope([...command, cut]);
      // One byte is a raw disk, which has no filesystem to list.
      const expected = size === 1 && command[0] === 'ls' ? [5] : [0, 1, 3];
      t.true(expected.includes(code ?? -1), `${command.join(' ')} at ${size}: ${code} ${stderr}`);
      t.notRegex(stderr, /\n\s+at /);
    }
  }
});

test('random bytes are a raw disk without a table, and without a filesystem to list', async (t) => {
  const folder = temporaryFolder(t);
  const file = path.join(folder, 'random.img');
  for (let seed = 0; seed < 5; seed++) {
    const bytes = Buffer.alloc(MIB);
    for (let at = 0, digest = Buffer.from([seed]); at < bytes.length; at += 64) {
      digest = createHash('sha512').update(digest).digest();
      digest.copy(bytes, at);
    }
    writeFileSync(file, bytes);
    for (const [command, expected] of [
      ['info', 0],
      ['parts', 0],
      ['hash', 0],
      ['ls', 5],
    ] as const) {
      const { code, stderr } = await sectorscope([command, file]);
      t.is(code, expected, stderr);
    }
  }
  rmSync(file);
  t.true(readdirSync(folder).length === 0 && statSync(launcher).isFile());
});
