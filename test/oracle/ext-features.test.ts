import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { extFormat } from '../../src/core/filesystem/ext/ext-format.ts';
import { FileDevice, type FileNode, fileDevice, resolvePath } from '../../src/core/index.ts';
import { testContext } from '../helpers/context.ts';
import { sha256 } from '../helpers/sha256.ts';
import { hasTools, temporaryFolder, tool, toolText } from '../helpers/tools.ts';

const MIB = 1024 ** 2;
const TIB = 1024 ** 4;

async function makeImage(t: ExecutionContext, size: number, ...options: string[]): Promise<string> {
  const image = path.join(temporaryFolder(t), 'ext.img');
  writeFileSync(image, '');
  truncateSync(image, size);
  await tool('mke2fs', ['-q', '-F', ...options, image]);
  return image;
}

/** Mounts the image, lets `fill` write into it and unmounts; false, with a line in the log, where mounting is not allowed. */
function filled(t: ExecutionContext, image: string, fill: (point: string) => void): boolean {
  const point = path.join(path.dirname(image), 'mnt');
  mkdirSync(point, { recursive: true });
  const mounted = spawnSync('mount', ['-t', 'ext4', '-o', 'loop', image, point]);
  if (mounted.status !== 0) {
    t.log(`skipped: mounting is not possible here (${String(mounted.stderr ?? mounted.error).trim()})`);
    t.pass();
    return false;
  }
  try {
    fill(point);
  } finally {
    spawnSync('umount', [point]);
  }
  return true;
}

async function withNode(
  image: string,
  name: string,
  use: (node: FileNode, open: Opened) => Promise<unknown>,
): Promise<void> {
  await using device = await FileDevice.open(image);
  const context = testContext();
  const filesystem = await extFormat.open(device, context);
  await use((await resolvePath(filesystem, name)).node, { filesystem, context });
}

interface Opened {
  readonly filesystem: Awaited<ReturnType<typeof extFormat.open>>;
  readonly context: ReturnType<typeof testContext>;
}

test.serial('a directory indexed with three levels (large_dir) is listed whole', async (t) => {
  if (!hasTools(t, 'mke2fs', 'mount', 'debugfs')) return;
  const image = await makeImage(t, 256 * MIB, '-t', 'ext4', '-b', '1024', '-O', 'large_dir', '-N', '60000');
  // A leaf of 1 KiB has room for three such names; two levels have some 15,000 leaves.
  const names = Array.from({ length: 50_000 }, (_, index) => `${index}-`.padEnd(250, 'x'));
  const made = filled(t, image, (point) => {
    const folder = path.join(point, 'many');
    mkdirSync(folder);
    for (const name of names) closeSync(openSync(path.join(folder, name), 'w'));
  });
  if (!made) return;
  t.regex(await toolText('debugfs', ['-R', 'htree_dump /many', image]), /Indirect levels: 2/);
  await withNode(image, '/many', async (node, { context }) => {
    if (node.kind !== 'directory') return t.fail();
    const found: string[] = [];
    for await (const { name } of node.entries()) found.push(name);
    t.deepEqual(found.sort(), [...names].sort());
    t.is((await node.lookup(names[777]!))?.name, names[777]);
    t.deepEqual(context.diagnostics, []);
  });
});

test.serial('an extent tree of three levels is followed', async (t) => {
  if (!hasTools(t, 'mke2fs', 'mount', 'debugfs')) return;
  const image = await makeImage(t, 128 * MIB, '-t', 'ext4', '-b', '1024');
  const extents = 29_000;
  const made = filled(t, image, (point) => {
    const file = openSync(path.join(point, 'scattered'), 'w');
    for (let index = 0; index < extents; index++)
      writeSync(file, Buffer.alloc(1024, index % 251), 0, 1024, index * 2048);
    closeSync(file);
  });
  if (!made) return;
  t.regex(await toolText('debugfs', ['-R', 'dump_extents -n /scattered', image]), /^ *0\/ 3 /m);
  await withNode(image, '/scattered', async (node, { filesystem }) => {
    if (node.kind !== 'file') return t.fail();
    let data = 0;
    for await (const extent of node.extents({ start: 0, length: node.size })) if (extent.kind === 'data') data++;
    t.is(data, extents);
    const copy = path.join(path.dirname(image), 'copy');
    await tool('debugfs', ['-R', `dump /scattered ${copy}`, image]);
    await using expected = await FileDevice.open(copy);
    t.is(await sha256(fileDevice(filesystem, node)), await sha256(expected));
  });
});

test.serial(
  'blocks of a file that takes 48 bits to count, or counts in blocks (huge_file), are those that the kernel tells',
  async (t) => {
    if (!hasTools(t, 'mke2fs', 'mount', 'fallocate', 'debugfs')) return;
    const image = await makeImage(t, 4 * TIB, '-t', 'ext4', '-O', '^has_journal', '-N', '4096');
    const made = filled(t, image, (point) => {
      spawnSync('fallocate', ['-l', String(2.5 * TIB), path.join(point, 'large')]);
      writeFileSync(path.join(point, 'small'), 'text');
    });
    if (!made) return;
    // The kernel sets EXT4_HUGE_FILE_FL from 2^48 sectors on: beyond what it lets a file have here.
    await tool('debugfs', ['-w', '-R', 'set_inode_field small flags 0xc0000', image]);
    await tool('debugfs', ['-w', '-R', 'set_inode_field small blocks 5', image]);
    for (const [name, isHuge] of [
      ['large', false],
      ['small', true],
    ] as const) {
      let allocated = 0;
      filled(t, image, (point) => {
        allocated = Number(spawnSync('stat', ['-c', '%b', path.join(point, name)]).stdout.toString()) * 512;
      });
      t.true(allocated > 2 ** 32 * 512 || isHuge);
      await withNode(image, `/${name}`, async (node) => {
        t.is(node.flags.includes('huge-file'), isHuge);
        t.is(node.allocated, allocated);
      });
    }
  },
);

test('the project that a file belongs to is told', async (t) => {
  if (!hasTools(t, 'mke2fs', 'debugfs')) return;
  const image = await makeImage(t, 16 * MIB, '-t', 'ext4', '-O', 'project,quota', '-E', 'quotatype=prjquota');
  const file = path.join(path.dirname(image), 'file');
  writeFileSync(file, 'text');
  await tool('debugfs', ['-w', '-R', `write ${file} file`, image]);
  await tool('debugfs', ['-w', '-R', 'set_inode_field file projid 4242', image]);
  t.regex(await toolText('debugfs', ['-R', 'stat file', image]), /Project: +4242/);
  await withNode(image, '/file', async (node) => t.is(node.projectId, 4242));
  await withNode(image, '/', async (node) => t.is(node.projectId, 0));
});

test('a file with verity reads as its data, and is marked', async (t) => {
  if (!hasTools(t, 'mke2fs', 'debugfs')) return;
  const image = await makeImage(t, 16 * MIB, '-t', 'ext4', '-O', 'verity');
  const file = path.join(path.dirname(image), 'file');
  writeFileSync(file, Buffer.alloc(70_000, 7));
  await tool('debugfs', ['-w', '-R', `write ${file} file`, image]);
  // EXT4_VERITY_FL beside the flag of extents. The hash tree lies behind the end of the data, where nobody reads.
  await tool('debugfs', ['-w', '-R', 'set_inode_field file flags 0x180000', image]);
  await withNode(image, '/file', async (node, { filesystem }) => {
    if (node.kind !== 'file') return t.fail();
    t.true(node.flags.includes('verity'));
    await using expected = await FileDevice.open(file);
    t.is(await sha256(fileDevice(filesystem, node)), await sha256(expected));
    t.is(readFileSync(file).length, node.size);
  });
});
