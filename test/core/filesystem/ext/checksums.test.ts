import test from 'ava';
import { extFormat } from '../../../../src/core/filesystem/ext/ext-format.ts';
import { type Diagnostic, DiskError, MemoryDevice, resolvePath, walk } from '../../../../src/core/index.ts';
import { testContext } from '../../../helpers/context.ts';
import { fixtureBytes, fixtureNames } from '../../../helpers/fixtures.ts';

/** Opens an image and reads every structure of it that has a checksum. */
async function readAll(
  bytes: Uint8Array,
  strict = false,
): Promise<{ features: readonly string[]; odd: readonly Diagnostic[] }> {
  const context = { ...testContext(), strict };
  const filesystem = await extFormat.open(new MemoryDevice(bytes), context);
  for await (const { entry } of walk(filesystem, filesystem.rootId)) {
    const node = await filesystem.node(entry.nodeId);
    await node.attributes();
    if (node.kind !== 'file' && node.kind !== 'directory') continue;
    for await (const _ of node.extents({ start: 0, length: node.size })) {
      // Its extent tree is read for it.
    }
  }
  const features = filesystem.properties.find(({ key }) => key === 'features')?.value as readonly string[];
  return { features, odd: context.diagnostics.filter(({ message }) => message.startsWith('the checksum is')) };
}

test('the checksums of every image that the tools made are right', async (t) => {
  let checked = 0;
  for (const name of await fixtureNames('ext')) {
    const { features, odd } = await readAll(await fixtureBytes(name));
    t.deepEqual(odd, [], name);
    if (features.includes('metadata_csum')) checked++;
  }
  t.true(checked >= 5, `${checked} images with checksums`);
});

interface Damage {
  readonly what: string;
  readonly fixture: string;
  /** Where a byte is changed, and where the checksum is that it makes wrong. */
  place(bytes: Buffer): Promise<readonly [changed: number, checksum: number]>;
  readonly structure: RegExp;
}

async function inodeAt(bytes: Uint8Array, path: string): Promise<number> {
  const filesystem = await extFormat.open(new MemoryDevice(bytes), testContext());
  return (await resolvePath(filesystem, path)).node.location.start;
}

/** The first block of a file that is mapped by extents in its inode. */
async function firstBlock(bytes: Buffer, path: string): Promise<number> {
  return bytes.readUInt32LE((await inodeAt(bytes, path)) + 0x28 + 12 + 8);
}

const damages: readonly Damage[] = [
  {
    what: 'the superblock',
    fixture: 'ext/ext4-1k.img',
    place: async () => [1024 + 0x78, 1024 + 0x3fc],
    structure: /^superblock$/,
  },
  {
    what: 'a group descriptor',
    fixture: 'ext/ext4-1k.img',
    // The free blocks of group 0, whose descriptor is in the block behind the superblock.
    place: async () => [2048 + 0x0c, 2048 + 0x1e],
    structure: /^group descriptor 0$/,
  },
  {
    what: 'an inode',
    fixture: 'ext/ext4-1k.img',
    place: async (bytes) => {
      const at = await inodeAt(bytes, '/dir/hello.txt');
      return [at + 0x10, at + 0x7c];
    },
    structure: /^inode \d+$/,
  },
  {
    what: 'a leaf of a directory',
    fixture: 'ext/ext4-1k.img',
    place: async (bytes) => {
      const at = (await firstBlock(bytes, '/names')) * 1024;
      return [at + 24 + 8, at + 1024 - 4];
    },
    structure: /^directory inode \d+$/,
  },
  {
    what: 'the root of a hash tree',
    fixture: 'ext/htree-1k.img',
    place: async (bytes) => {
      const at = (await firstBlock(bytes, '/many')) * 1024;
      const limit = bytes.readUInt16LE(at + 32);
      // A hash, which a listing does not need.
      return [at + 32 + 8, at + 32 + limit * 8 + 4];
    },
    structure: /^directory inode \d+$/,
  },
  {
    what: 'an extent tree block',
    fixture: 'ext/ext4-1k.img',
    place: async (bytes) => {
      const at = bytes.readUInt32LE((await inodeAt(bytes, '/dir/scattered')) + 0x28 + 12 + 4) * 1024;
      // The unused generation of its header.
      return [at + 8, at + 12 + bytes.readUInt16LE(at + 4) * 12];
    },
    structure: /^extent tree block of inode \d+$/,
  },
  {
    what: 'a block of attributes',
    fixture: 'ext/ext4-1k.img',
    place: async (bytes) => {
      const at = bytes.readUInt32LE((await inodeAt(bytes, '/xattrs/large')) + 0x68) * 1024;
      return [at + 1023, at + 0x10];
    },
    structure: /^attribute block of inode \d+$/,
  },
];

for (const { what, fixture, place, structure } of damages) {
  test(`damage in ${what} is told with its place, and the reading goes on`, async (t) => {
    const bytes = Buffer.from(await fixtureBytes(fixture));
    const [changed, checksum] = await place(bytes);
    bytes[changed] = (bytes[changed]! + 1) % 256;
    const { odd } = await readAll(bytes);
    t.deepEqual(
      odd.map(({ offset }) => offset),
      [checksum],
      JSON.stringify(odd),
    );
    t.regex(odd[0]!.structure ?? '', structure);
    t.regex(odd[0]!.message, /^the checksum is 0x[0-9a-f]+, that of its bytes 0x[0-9a-f]+$/);
    const refused = await t.throwsAsync(readAll(bytes, true), { instanceOf: DiskError, code: 'CORRUPT' });
    t.is((refused as DiskError).offset, checksum);
    t.regex((refused as DiskError).structure?.replace(/ checksum$/, '') ?? '', structure);
  });
}
