import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { FileDevice, type FileSystem, fileDevice, readBytes, resolvePath } from '../../src/core/index.ts';
import { seededRandom } from '../conformance/device-conformance.ts';
import { hasTools, temporaryFolder, tool, toolText } from '../helpers/tools.ts';
import { buildTree, HUGE_VALUE_BYTES } from './ext/build-tree.ts';
import { debugfsFacts } from './ext/debugfs-facts.ts';
import { kernelFacts } from './ext/kernel-facts.ts';
import { type NodeFacts, unhashedFiles, withHashesOf } from './ext/node-facts.ts';
import { openExt, ourFacts } from './ext/our-facts.ts';

const MIB = 1024 ** 2;
/** Larger files are compared at their extents and at samples. */
const HASH_LIMIT = 32 * MIB;
const IMAGE_BYTES = 192 * MIB;

interface Variant {
  readonly type: 'ext2' | 'ext3' | 'ext4';
  readonly blockSize: number;
  readonly options: readonly string[];
  readonly farOffset: number;
  /** 20,000 unless fewer do. */
  readonly entryCount?: number;
}

const variants: readonly Variant[] = [
  { type: 'ext2', blockSize: 1024, options: ['-I', '128'], farOffset: 8 * 1024 ** 3, entryCount: 2000 },
  { type: 'ext2', blockSize: 2048, options: [], farOffset: 100 * 1024 ** 3 },
  { type: 'ext2', blockSize: 4096, options: ['-O', '^filetype'], farOffset: 1024 ** 4, entryCount: 2000 },
  { type: 'ext3', blockSize: 1024, options: [], farOffset: 8 * 1024 ** 3, entryCount: 2000 },
  { type: 'ext3', blockSize: 2048, options: [], farOffset: 100 * 1024 ** 3, entryCount: 2000 },
  { type: 'ext3', blockSize: 4096, options: ['-O', 'meta_bg,^resize_inode'], farOffset: 1024 ** 4 },
  { type: 'ext4', blockSize: 1024, options: [], farOffset: 3 * 1024 ** 4 },
  { type: 'ext4', blockSize: 2048, options: ['-O', 'inline_data,^64bit'], farOffset: 5 * 1024 ** 4, entryCount: 2000 },
  {
    type: 'ext4',
    blockSize: 4096,
    entryCount: 2000,
    options: ['-O', 'inline_data,ea_inode,meta_bg,^resize_inode'],
    farOffset: 9 * 1024 ** 4,
  },
  {
    type: 'ext4',
    blockSize: 4096,
    options: ['-O', 'bigalloc', '-C', '16384'],
    farOffset: 9 * 1024 ** 4,
    entryCount: 2000,
  },
];

function makeImage(t: ExecutionContext, variant: Variant, extra: readonly string[] = []): Promise<string> {
  const image = path.join(temporaryFolder(t), 'ext.img');
  writeFileSync(image, '');
  truncateSync(image, IMAGE_BYTES);
  const args = [
    '-q',
    '-F',
    '-t',
    variant.type,
    '-b',
    String(variant.blockSize),
    '-N',
    '24576',
    ...variant.options,
    ...extra,
    image,
  ];
  return tool('mke2fs', args).then(() => image);
}

function titleOf({ type, blockSize, options }: Variant): string {
  return `${type}, blocks of ${blockSize}, mke2fs ${options.join(' ')}`;
}

/** Mounts for as long as the test lasts; false, with a line in the log, where that is not allowed. */
function mounts(t: ExecutionContext, image: string, point: string, options: string): boolean {
  mkdirSync(point, { recursive: true });
  const done = spawnSync('mount', ['-t', 'ext4', '-o', options, image, point]);
  if (done.status === 0) return true;
  t.log(`skipped: mounting is not possible here (${String(done.stderr ?? done.error).trim()})`);
  t.pass();
  return false;
}

function unmount(point: string): void {
  const done = spawnSync('umount', [point]);
  if (done.status !== 0) throw new Error(`umount: ${done.stderr}`);
}

for (const variant of variants) {
  test.serial(`the kernel reads the same: ${titleOf(variant)}`, async (t) => {
    if (!hasTools(t, 'mke2fs', 'mount', 'getfattr', 'setfattr', 'fallocate', 'mknod')) return;
    const image = await makeImage(t, variant);
    const point = path.join(path.dirname(image), 'mnt');
    if (!mounts(t, image, point, 'loop')) return;
    try {
      await buildTree(point, {
        entryCount: variant.entryCount ?? 20_000,
        blockSize: variant.blockSize,
        farOffset: variant.farOffset,
        privileged: true,
      });
    } finally {
      unmount(point);
    }
    if (!mounts(t, image, point, 'ro,noload,loop')) return;
    try {
      await using device = await FileDevice.open(image);
      const filesystem = await openExt(device);
      t.is(filesystem.type, variant.options.includes('bigalloc') ? 'ext4' : variant.type);
      const kernel = kernelFacts(point, HASH_LIMIT);
      t.true(kernel.length > (variant.entryCount ?? 20_000) * 0.6);
      const ours = await ourFacts(filesystem, HASH_LIMIT);
      compare(t, ours.map(withoutAcl), kernel, ['allocated']);
      const huge = kernel.find((facts) => facts.path === '/attributes/huge')?.attributes['user.huge'];
      t.is(huge?.length, variant.options.join().includes('ea_inode') ? HUGE_VALUE_BYTES * 2 : undefined);
      compareAllocated(t, ours, kernel);
      if (variant.type === 'ext4') await checkUnwritten(t, filesystem);
      for (const name of ['sparse-5g', 'sparse-far']) await compareSamples(t, filesystem, point, `/contents/${name}`);
    } finally {
      unmount(point);
    }
  });

  test.serial(`debugfs reads the same: ${titleOf(variant)}`, async (t) => {
    if (!hasTools(t, 'mke2fs', 'debugfs')) return;
    const tree = path.join(temporaryFolder(t), 'tree');
    mkdirSync(tree);
    await buildTree(tree, {
      entryCount: 1500,
      blockSize: variant.blockSize,
      farOffset: 6 * 1024 ** 3,
      privileged: false,
    });
    const image = await makeImage(t, variant, ['-d', tree]);
    await using device = await FileDevice.open(image);
    const theirs = await debugfsFacts(image, HASH_LIMIT);
    t.true(theirs.length > 1000);
    const isInline = variant.options.join().includes('inline_data');
    t.deepEqual(unhashedFiles(theirs, HASH_LIMIT), isInline ? ['/contents/only-a-hole', '/contents/unwritten'] : []);
    compare(t, withHashesOf(await ourFacts(await openExt(device), HASH_LIMIT), theirs), theirs, []);
  });
}

/** Layouts that the kernel here may not mount, or that change only where things lie. */
const layouts: readonly (readonly string[])[] = [
  ['-t', 'ext2', '-r', '0'],
  ['-t', 'ext2', '-o', 'hurd'],
  ['-t', 'ext4', '-O', 'sparse_super2,^resize_inode', '-E', 'num_backup_sb=2'],
  ['-t', 'ext4', '-b', '1024', '-O', 'bigalloc', '-C', '4096'],
  ['-t', 'ext4', '-b', '1024', '-O', 'bigalloc,meta_bg,^resize_inode'],
  ['-t', 'ext4', '-b', '1024', '-g', '256', '-O', 'meta_bg,^resize_inode,^flex_bg'],
  ['-t', 'ext4', '-O', 'quota,project,verity,encrypt,orphan_file,stable_inodes,large_dir,mmp,casefold'],
  ['-t', 'ext4', '-O', '^has_journal,^extents,^64bit'],
  ['-t', 'ext4', '-b', '8192', '-O', 'inline_data'],
  ['-t', 'ext4', '-b', '65536'],
];

test.serial('debugfs and blkid read the same: other layouts', async (t) => {
  if (!hasTools(t, 'mke2fs', 'debugfs', 'blkid')) return;
  const folder = temporaryFolder(t);
  const tree = path.join(folder, 'tree');
  mkdirSync(tree);
  await buildTree(tree, { entryCount: 300, blockSize: 1024, farOffset: 1024 ** 3, privileged: false });
  rmSync(path.join(tree, 'contents/sparse-5g'));
  for (const [index, layout] of layouts.entries()) {
    const image = path.join(folder, `${index}.img`);
    writeFileSync(image, '');
    truncateSync(image, 64 * MIB);
    await tool('mke2fs', ['-q', '-F', '-N', '2048', ...layout, '-d', tree, image]);
    await using device = await FileDevice.open(image);
    const filesystem = await openExt(device);
    t.is<string, string>(filesystem.type, (await toolText('blkid', ['-p', '-s', 'TYPE', '-o', 'value', image])).trim());
    const theirs = await debugfsFacts(image, HASH_LIMIT);
    compare(t, withHashesOf(await ourFacts(filesystem, HASH_LIMIT), theirs), theirs, []);
  }
});

function withoutAcl(facts: NodeFacts): NodeFacts {
  const entries = Object.entries(facts.attributes).filter(([name]) => !name.startsWith('system.posix_acl'));
  return { ...facts, attributes: Object.fromEntries(entries) };
}

/** Every path and every fact; a difference is shown by itself, not as two lists of thousands. */
function compare(
  t: ExecutionContext,
  ours: readonly NodeFacts[],
  theirs: readonly NodeFacts[],
  except: readonly string[],
): void {
  const plain = (facts: NodeFacts): Record<string, unknown> =>
    Object.fromEntries(Object.entries(facts).filter(([key]) => !except.includes(key)));
  const expected = new Map(theirs.map((facts) => [facts.path, plain(facts)]));
  t.is(ours.length, theirs.length);
  const found = new Set(ours.map((facts) => facts.path));
  t.deepEqual(
    theirs.filter((facts) => !found.has(facts.path)).map((facts) => facts.path),
    [],
  );
  const differing = ours.filter(
    (facts) => JSON.stringify(sorted(plain(facts))) !== JSON.stringify(sorted(expected.get(facts.path) ?? {})),
  );
  for (const facts of differing.slice(0, 3)) t.deepEqual(plain(facts), expected.get(facts.path)!);
  t.is(differing.length, 0);
}

function sorted(record: Record<string, unknown>): [string, unknown][] {
  return Object.entries(record).sort(([left], [right]) => (left < right ? -1 : 1));
}

/** st_blocks equals i_blocks but for inline data, which the kernel adds up to whole sectors. */
function compareAllocated(t: ExecutionContext, ours: readonly NodeFacts[], kernel: readonly NodeFacts[]): void {
  const expected = new Map(kernel.map((facts) => [facts.path, facts.allocated]));
  const wrong = ours.filter(({ path: name, allocated, size }) => {
    const told = expected.get(name);
    return told !== allocated && told !== allocated + Math.ceil(size / 512) * 512;
  });
  t.deepEqual(wrong, []);
}

/** What was allocated and never written is explicitly zero, what a hole leaves out is not. */
async function checkUnwritten(t: ExecutionContext, filesystem: FileSystem): Promise<void> {
  for (const [name, explicit] of [
    ['unwritten', true],
    ['only-a-hole', false],
  ] as const) {
    const { node } = await resolvePath(filesystem, `/contents/${name}`);
    if (node.kind !== 'file') return t.fail();
    const kinds = new Set<string>();
    for await (const extent of node.extents({ start: 0, length: node.size })) {
      kinds.add(extent.kind === 'zero' ? `zero ${extent.explicit}` : extent.kind);
    }
    t.deepEqual([...kinds], [`zero ${explicit}`]);
  }
}

/** Reads a file too large to hash at the edges of all its extents and at random places, here and through the kernel. */
async function compareSamples(t: ExecutionContext, filesystem: FileSystem, point: string, name: string): Promise<void> {
  const { node } = await resolvePath(filesystem, name);
  if (node.kind !== 'file') return t.fail(`${name} is a ${node.kind}`);
  const device = fileDevice(filesystem, node);
  const places = [0, node.size - 1];
  let dataBytes = 0;
  for await (const extent of node.extents({ start: 0, length: node.size })) {
    places.push(extent.start, extent.start + extent.length - 1);
    if (extent.kind === 'data') dataBytes += extent.length;
  }
  t.true(dataBytes >= 3 && dataBytes <= node.allocated);
  const random = seededRandom(11);
  for (let count = 0; count < 300; count++) places.push(Math.floor(random() * node.size));
  const descriptor = openSync(path.join(point, name), 'r');
  for (const place of places) {
    const start = Math.max(0, place - 5000);
    const length = Math.min(10_000, node.size - start);
    const theirs = Buffer.alloc(length);
    readSync(descriptor, theirs, 0, length, start);
    t.is(Buffer.compare(await readBytes(device, start, length), theirs), 0, `${name} at ${start}`);
  }
  closeSync(descriptor);
}
