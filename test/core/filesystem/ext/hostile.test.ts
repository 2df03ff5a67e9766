import test, { type ExecutionContext } from 'ava';
import { viewOf } from '../../../../src/core/bytes/struct.ts';
import { extFormat } from '../../../../src/core/filesystem/ext/ext-format.ts';
import { EXTENT, EXTENT_HEADER, EXTENT_INDEX } from '../../../../src/core/filesystem/ext/extent-node.ts';
import { I_BLOCK_OFFSET, INODE } from '../../../../src/core/filesystem/ext/inode.ts';
import { SUPERBLOCK } from '../../../../src/core/filesystem/ext/superblock.ts';
import type { Diagnostic } from '../../../../src/core/index.ts';
import {
  DiskError,
  type FileSystem,
  fileDevice,
  MemoryDevice,
  readBytes,
  resolvePath,
  walk,
} from '../../../../src/core/index.ts';
import { testContext } from '../../../helpers/context.ts';
import { RecordingDevice } from '../../../helpers/devices.ts';
import { fixtureBytes } from '../../../helpers/fixtures.ts';

/** A fixture opened after its bytes were changed; `at` is where the inode of `path` lies. */
async function changed(
  name: string,
  path: string,
  change: (bytes: Uint8Array, at: number) => void,
): Promise<{ filesystem: FileSystem; device: RecordingDevice; diagnostics: readonly Diagnostic[] }> {
  const bytes = (await fixtureBytes(name)).slice();
  const clean = await extFormat.open(new MemoryDevice(bytes), testContext());
  change(bytes, (await resolvePath(clean, path)).node.location.start);
  const device = new RecordingDevice(new MemoryDevice(bytes));
  const context = testContext();
  return { filesystem: await extFormat.open(device, context), device, diagnostics: context.diagnostics };
}

/** What was said but that a checksum is not right, which every change here makes so. */
function besideChecksums(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  return diagnostics.filter(({ message }) => !message.startsWith('the checksum is'));
}

async function extentCount(filesystem: FileSystem, path: string, limit = 100_000): Promise<number> {
  const { node } = await resolvePath(filesystem, path);
  if (node.kind !== 'file') throw new Error('no file');
  let count = 0;
  for await (const _ of node.extents({ start: 0, length: node.size })) if (++count >= limit) break;
  return count;
}

async function fails(
  t: ExecutionContext,
  action: Promise<unknown>,
  code: DiskError['code'],
  message: RegExp,
): Promise<void> {
  const error = await t.throwsAsync(action, { instanceOf: DiskError });
  t.is(error?.code, code);
  t.regex(error?.message ?? '', message);
  t.is(typeof error?.offset, 'number');
}

const SUPER = 1024;
const HELLO = '/dir/hello.txt';

test('probe: no error for devices too short, and only the magic counts', async (t) => {
  for (const size of [0, 1, 1080, 1081]) t.false(await extFormat.probe(new MemoryDevice(new Uint8Array(size))));
  const bytes = new Uint8Array(1082);
  bytes.set([0x53, 0xef], 1080);
  t.true(await extFormat.probe(new MemoryDevice(bytes)));
  await fails(t, extFormat.open(new MemoryDevice(bytes), testContext()), 'CORRUPT', /superblock/);
});

test('a superblock of which only the magic is left is CORRUPT', async (t) => {
  const bytes = new Uint8Array(65536).fill(0xff);
  bytes.set([0x53, 0xef], 1080);
  const error = await t.throwsAsync(extFormat.open(new MemoryDevice(bytes), testContext()), { instanceOf: DiskError });
  t.is(error?.code, 'UNSUPPORTED');
  bytes.fill(0, 1024, 1080);
  bytes.fill(0, 1082);
  await fails(t, extFormat.open(new MemoryDevice(bytes), testContext()), 'CORRUPT', /superblock/);
});

test('incompatible features are refused by name; a journal to replay and recorded errors are said', async (t) => {
  const bytes = await fixtureBytes('ext/ext4-1k.img');
  const open = (change: Parameters<typeof SUPERBLOCK.write>[1], context = testContext()): Promise<FileSystem> => {
    const copy = bytes.slice();
    SUPERBLOCK.write(copy, change, SUPER);
    return extFormat.open(new MemoryDevice(copy), context);
  };
  await fails(t, open({ incompatible: 0x8 }), 'UNSUPPORTED', /journal_dev/);
  await fails(t, open({ incompatible: 0x2c3 }), 'UNSUPPORTED', /compression/);
  await fails(t, open({ incompatible: 0x400_02c2 }), 'UNSUPPORTED', /FEATURE_I26/);
  const context = testContext();
  await open({ incompatible: 0x2c6, state: 2 }, context);
  const odd = besideChecksums(context.diagnostics);
  t.is(odd.length, 2);
  t.regex(odd[0]!.message, /needs_recovery/);
  t.regex(odd[1]!.message, /errors/);
});

test('an inode outside the filesystem, and a free one', async (t) => {
  const { filesystem } = await changed('ext/ext4-1k.img', '/', () => undefined);
  for (const id of [0, -1, 1.5, 2049, 2 ** 32]) {
    const error = await t.throwsAsync(filesystem.node(id), { instanceOf: DiskError });
    t.is(error?.code, 'OUT_OF_RANGE', String(id));
  }
  await fails(t, filesystem.node(2000), 'NOT_FOUND', /free/);
});

test('an inode table outside the filesystem is CORRUPT', async (t) => {
  const bytes = (await fixtureBytes('ext/ext4-1k.img')).slice();
  viewOf(bytes).setUint32(2048 + 8, 0x00ff_ffff, true);
  const filesystem = await extFormat.open(new MemoryDevice(bytes), testContext());
  await fails(t, filesystem.node(2), 'CORRUPT', /group descriptor 0 inodeTable/);
});

test('a file type that does not exist is CORRUPT', async (t) => {
  const { filesystem } = await changed('ext/ext4-1k.img', HELLO, (bytes, at) =>
    INODE.write(bytes, { mode: 0x31a4 }, at),
  );
  await fails(t, resolvePath(filesystem, HELLO), 'CORRUPT', /mode/);
});

test('an absurd size allocates nothing: what no block backs is a hole; beyond 2^53 it is CORRUPT', async (t) => {
  const grown = await changed('ext/ext4-1k.img', HELLO, (bytes, at) => INODE.write(bytes, { sizeHigh: 0x1f_ffff }, at));
  const { node } = await resolvePath(grown.filesystem, HELLO);
  t.is(node.size, 0x1f_ffff * 2 ** 32 + 6);
  t.is(await extentCount(grown.filesystem, HELLO), 2);
  if (node.kind !== 'file') return t.fail();
  t.deepEqual(await readBytes(fileDevice(grown.filesystem, node), node.size - 3, 3), new Uint8Array(3));
  const over = await changed('ext/ext4-1k.img', HELLO, (bytes, at) => INODE.write(bytes, { sizeHigh: 0x20_0000 }, at));
  await fails(t, resolvePath(over.filesystem, HELLO), 'CORRUPT', /size/);
});

test('an extra size that does not fit is said, and the fields past byte 128 are not believed', async (t) => {
  const { filesystem, diagnostics } = await changed('ext/ext4-1k.img', HELLO, (bytes, at) =>
    INODE.write(bytes, { extraSize: 0xfff0 }, at),
  );
  const { node } = await resolvePath(filesystem, HELLO);
  t.is(node.times.created, undefined);
  t.deepEqual(await node.attributes(), []);
  await resolvePath(filesystem, HELLO);
  t.is(besideChecksums(diagnostics).length, 1);
});

test('extent tree: a node among its own descendants, and one met twice', async (t) => {
  const block = 6000;
  const tree =
    (children: readonly number[], depth: number) =>
    (bytes: Uint8Array, at: number): void => {
      const root = at + I_BLOCK_OFFSET;
      INODE.write(bytes, { sizeLow: 1024 * 100 }, at);
      EXTENT_HEADER.write(bytes, { magic: 0xf30a, entryCount: children.length, capacity: 4, depth }, root);
      for (const [index, child] of children.entries()) {
        EXTENT_INDEX.write(bytes, { logical: index * 10, childLow: child, childHigh: 0 }, root + 12 + index * 12);
      }
      EXTENT_HEADER.write(
        bytes,
        { magic: 0xf30a, entryCount: depth === 1 ? 0 : 1, capacity: 84, depth: depth - 1 },
        block * 1024,
      );
      EXTENT_INDEX.write(bytes, { logical: 0, childLow: block, childHigh: 0 }, block * 1024 + 12);
    };
  const twice = await changed('ext/ext4-1k.img', HELLO, tree([block, block], 1));
  await fails(t, extentCount(twice.filesystem, HELLO), 'CORRUPT', /again/);
  for (const depth of [2, 5]) {
    const cycle = await changed('ext/ext4-1k.img', HELLO, tree([block], depth));
    await fails(t, extentCount(cycle.filesystem, HELLO), 'CORRUPT', /again|depth/);
    t.true(cycle.device.requests.length < 30);
  }
});

test('block map: pointers outside, an indirect block that is its own, holes of every level', async (t) => {
  const block = 3900;
  const map =
    (pointers: Readonly<Record<number, number>>) =>
    (bytes: Uint8Array, at: number): void => {
      const view = viewOf(bytes);
      INODE.write(bytes, { sizeLow: 0xffff_fc00, sizeHigh: 3 }, at);
      for (const [index, pointer] of Object.entries(pointers))
        view.setUint32(at + I_BLOCK_OFFSET + Number(index) * 4, pointer, true);
      for (let index = 0; index < 256; index++) view.setUint32(block * 1024 + index * 4, block, true);
    };
  for (const pointer of [1, 4096, 0xffff_ffff]) {
    for (const index of [3, 12, 13, 14]) {
      const { filesystem } = await changed('ext/ext2-1k.img', HELLO, map({ [index]: pointer }));
      await fails(t, extentCount(filesystem, HELLO), 'CORRUPT', /block pointer/);
    }
  }
  for (const index of [13, 14]) {
    const { filesystem, device } = await changed('ext/ext2-1k.img', HELLO, map({ [index]: block }));
    await fails(t, extentCount(filesystem, HELLO), 'CORRUPT', /again/);
    t.true(device.requests.length < 30);
  }
  const { filesystem } = await changed('ext/ext2-1k.img', HELLO, map({}));
  t.is(await extentCount(filesystem, HELLO), 2);
});

test('a directory whose extents show one block again and again ends', async (t) => {
  const { filesystem, device } = await changed('ext/ext4-1k.img', '/dir', (bytes, at) => {
    const root = at + I_BLOCK_OFFSET;
    const { physicalLow } = EXTENT.parse(bytes, root + 12);
    INODE.write(bytes, { sizeLow: 0xffff_fc00 }, at);
    EXTENT_HEADER.write(bytes, { entryCount: 4 }, root);
    for (let index = 0; index < 4; index++) {
      EXTENT.write(
        bytes,
        { logical: index * 4000, length: 4000, physicalHigh: 0, physicalLow },
        root + 12 + index * 12,
      );
    }
  });
  await t.throwsAsync(resolvePath(filesystem, '/dir/nothing'), { instanceOf: DiskError });
  t.true(device.requests.length < 100);
});

test('a damaged directory block: everything else is listed, then the damage is thrown; lookup finds what is there', async (t) => {
  const bytes = (await fixtureBytes('ext/htree-1k.img')).slice();
  const clean = await extFormat.open(new MemoryDevice(bytes), testContext());
  const { node: before } = await resolvePath(clean, '/many');
  if (before.kind !== 'directory') return t.fail();
  const names: string[] = [];
  for await (const { name } of before.entries()) names.push(name);
  const extents: number[] = [];
  for await (const extent of before.extents({ start: 10 * 1024, length: 1024 }))
    if (extent.kind === 'data') extents.push(extent.sourceOffset);
  viewOf(bytes).setUint16(extents[0]! + 4, 3, true);
  const context = testContext();
  const filesystem = await extFormat.open(new MemoryDevice(bytes), context);
  const { node } = await resolvePath(filesystem, '/many');
  if (node.kind !== 'directory') return t.fail();
  const found: string[] = [];
  const error = await t.throwsAsync(
    async () => {
      for await (const { name } of node.entries()) found.push(name);
    },
    { instanceOf: DiskError },
  );
  t.is(error?.code, 'CORRUPT');
  t.is(error?.offset, extents[0]! + 4);
  t.true(found.length >= names.length - 5 && found.length < names.length);
  t.is(found.at(-1), names.at(-1));
  t.is(besideChecksums(context.diagnostics).length, 1);
  t.is((await node.lookup(names.at(-1)!))?.name, names.at(-1));
  const lost = names.find((name) => !found.includes(name))!;
  await fails(t, node.lookup(lost), 'CORRUPT', /record length/);
});

test('holes in a directory are said and passed over', async (t) => {
  const { filesystem, diagnostics } = await changed('ext/ext4-1k.img', '/dir', (bytes, at) =>
    INODE.write(bytes, { sizeLow: 5 * 1024 }, at),
  );
  t.is((await resolvePath(filesystem, HELLO)).node.kind, 'file');
  const paths: string[] = [];
  for await (const { path } of walk(filesystem, 2)) paths.push(path);
  t.true(paths.includes(HELLO));
  t.regex(besideChecksums(diagnostics)[0]?.message ?? '', /blocks 1 to 4 are missing/);
});

test('encrypted content is refused by name; the names of an encrypted directory are shown as such', async (t) => {
  const file = await changed('ext/ext4-1k.img', HELLO, (bytes, at) => INODE.write(bytes, { flags: 0x80800 }, at));
  await fails(t, extentCount(file.filesystem, HELLO), 'UNSUPPORTED', /encrypted/);
  t.deepEqual((await resolvePath(file.filesystem, HELLO)).node.flags, ['encrypted', 'extents']);
  const link = await changed('ext/ext4-1k.img', '/links/symlink-59', (bytes, at) =>
    INODE.write(bytes, { flags: 0x800 }, at),
  );
  const { node } = await resolvePath(link.filesystem, '/links/symlink-59');
  if (node.kind !== 'symlink') return t.fail();
  await fails(t, node.target(), 'UNSUPPORTED', /encrypted/);
  const directory = await changed('ext/ext4-1k.img', '/dir', (bytes, at) => INODE.write(bytes, { flags: 0x80800 }, at));
  // `hello.txt` as fscrypt's ciphertext would be shown: in base64url behind an underscore.
  t.is((await resolvePath(directory.filesystem, '/dir/_aGVsbG8udHh0')).node.kind, 'file');
  await t.throwsAsync(resolvePath(directory.filesystem, HELLO), { code: 'NOT_FOUND' });
});

test('a symbolic link longer than a block is CORRUPT, an empty one is empty', async (t) => {
  for (const [sizeLow, expected] of [
    [1025, undefined],
    [0, ''],
  ] as const) {
    const { filesystem } = await changed('ext/ext4-1k.img', '/links/symlink-59', (bytes, at) =>
      INODE.write(bytes, { sizeLow }, at),
    );
    const { node } = await resolvePath(filesystem, '/links/symlink-59');
    if (node.kind !== 'symlink') return t.fail();
    if (expected === undefined) await fails(t, node.target(), 'CORRUPT', /symbolic link/);
    else t.is(await node.target(), expected);
  }
});

test('case folding: an exact name first, then one that differs in case or composition', async (t) => {
  const { filesystem } = await changed('ext/ext4-1k.img', '/dir', (bytes, at) =>
    INODE.write(bytes, { flags: 0x4008_0000 }, at),
  );
  t.is((await resolvePath(filesystem, '/dir/HELLO.TXT')).path, HELLO);
  t.is((await resolvePath(filesystem, HELLO)).path, HELLO);
  await t.throwsAsync(resolvePath(filesystem, '/dir/HELLO.TX'), { code: 'NOT_FOUND' });
  await t.throwsAsync(resolvePath(filesystem, '/DIR/hello.txt'), { code: 'NOT_FOUND' });
});

test('attributes: a block outside the filesystem, a value inode that is none', async (t) => {
  const outside = await changed('ext/ext4-1k.img', HELLO, (bytes, at) =>
    INODE.write(bytes, { attributeBlockLow: 0xffff_ffff }, at),
  );
  await fails(t, (await resolvePath(outside.filesystem, HELLO)).node.attributes(), 'CORRUPT', /attribute block/);
  const value = await changed('ext/ext4-1k.img', '/xattrs/small', (bytes, at) => {
    viewOf(bytes).setUint32(at + 128 + 32 + 4 + 4, 2, true);
  });
  await fails(t, (await resolvePath(value.filesystem, '/xattrs/small')).node.attributes(), 'CORRUPT', /value inode/);
});
