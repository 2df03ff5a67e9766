import test from 'ava';
import { openFileSystem } from '../../../../src/core/filesystem/formats.ts';
import {
  type BlockDevice,
  type DirectoryEntry,
  DiskError,
  type ExtentDevice,
  type FileSystem,
  fileDevice,
  MemoryDevice,
  OverlayDevice,
  openImage,
  parseLocator,
  readBytes,
  readFile,
  resolvePath,
  walk,
} from '../../../../src/core/index.ts';
import { deviceConformance, seededRandom } from '../../../conformance/device-conformance.ts';
import { extentsConformance } from '../../../conformance/extents-conformance.ts';
import { testContext } from '../../../helpers/context.ts';
import { CountingDevice, FaultyDevice, isInjectedFault, RecordingDevice } from '../../../helpers/devices.ts';
import { fixtureBytes, fixtureDevice, fixtureFacts, fixtureFile, fixtureNames } from '../../../helpers/fixtures.ts';
import { temporaryFolder } from '../../../helpers/tools.ts';
import { type NodeFacts, unhashedFiles, withHashesOf } from '../../../oracle/ext/node-facts.ts';
import { openExt, ourFacts } from '../../../oracle/ext/our-facts.ts';

interface Facts {
  readonly filesystem: Readonly<Record<string, unknown>> & { readonly features: readonly string[] };
  readonly nodes: readonly NodeFacts[];
}

const MIB = 1024 ** 2;
const names = await fixtureNames('ext');
test('there are fixtures', (t) => t.true(names.length >= 10));

for (const name of names) {
  test(`${name}: every path and every fact are what debugfs says`, async (t) => {
    const filesystem = await openExt(await fixtureDevice(name));
    const facts = await fixtureFacts<Facts>(name);
    const ours = await ourFacts(filesystem, 64 * MIB);
    const unhashed = unhashedFiles(facts.nodes, 64 * MIB);
    t.deepEqual(unhashed, facts.filesystem.features.includes('inline_data') ? ['/dir/only-a-hole'] : []);
    t.deepEqual(withHashesOf(ours, facts.nodes).map(sortedText), facts.nodes.map(sortedText));
  });

  test(`${name}: type, label and counts are what blkid and dumpe2fs say`, async (t) => {
    const filesystem = await openExt(await fixtureDevice(name));
    const { filesystem: expected } = await fixtureFacts<Facts>(name);
    const value = (key: string): unknown => filesystem.properties.find((property) => property.key === key)?.value;
    t.is<unknown, unknown>(filesystem.type, expected['type']);
    t.is(Buffer.from(filesystem.label).toString('latin1'), Buffer.from(expected['label'] as string).toString('latin1'));
    t.deepEqual([...(value('features') as readonly string[])].sort(), expected.features);
    for (const key of ['uuid', 'blockCount', 'freeBlocks', 'inodeCount', 'freeInodes', 'inodeSize']) {
      t.is(value(key), expected[key], key);
    }
    t.is<unknown, unknown>(filesystem.blockSize, expected['blockSize']);
    t.is(filesystem.usage.total, Number(expected['blockCount']) * Number(expected['blockSize']));
    t.is(filesystem.usage.free, Number(expected['freeBlocks']) * Number(expected['blockSize']));
  });
}

async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = [];
  for await (const item of items) found.push(item);
  return found;
}

function sortedText(facts: NodeFacts): string {
  return JSON.stringify(Object.entries(facts).sort(([left], [right]) => (left < right ? -1 : 1)));
}

test('lookup finds every name of a hash tree, and none that is not there', async (t) => {
  const filesystem = await openExt(await fixtureDevice('ext/htree-1k.img'));
  const { node } = await resolvePath(filesystem, '/many');
  if (node.kind !== 'directory') return t.fail();
  t.true(node.flags.includes('indexed'));
  const entries: DirectoryEntry[] = await collect(node.entries());
  t.is(entries.length, 640);
  for (const entry of entries.filter((_, index) => index % 40 === 0)) t.deepEqual(await node.lookup(entry.name), entry);
  t.is(await node.lookup('missing'), undefined);
  t.is(await node.lookup('x'.repeat(300)), undefined);
});

test('deleted entries: none from the index nodes of a hash tree', async (t) => {
  const filesystem = await openExt(await fixtureDevice('ext/htree-1k.img'));
  const { node } = await resolvePath(filesystem, '/many');
  if (node.kind !== 'directory') return t.fail();
  const all = await collect(node.entries({ deleted: true }));
  t.deepEqual(
    all.filter((entry) => entry.deleted),
    [],
  );
});

test('deleted entries: the names that fls finds, marked, and only when asked for', async (t) => {
  const filesystem = await openExt(await fixtureDevice('ext/deleted-1k.img'));
  const list = async (deleted: boolean): Promise<string[]> => {
    const found: string[] = [];
    for await (const { path, entry } of walk(filesystem, 2, { deleted })) {
      if (path.startsWith('/dir/')) found.push(`${entry.deleted ? '*' : ''}${path.slice(5)} ${entry.nodeId}`);
    }
    return found;
  };
  t.deepEqual(await list(false), ['file-1 13', 'file-4 16', 'file-6 18']);
  // As fls prints them: fixtures/ext/deleted-1k.fls.txt.
  t.deepEqual((await list(true)).sort(), [
    '*file-2 14',
    '*file-3 15',
    '*file-5 17',
    'file-1 13',
    'file-4 16',
    'file-6 18',
  ]);
  const gone = await filesystem.node(14);
  t.true(gone.deleted);
  t.true(gone.times.deleted !== undefined);
  const kept = await filesystem.node(17);
  t.false(kept.deleted);
});

test('flags come in words, device numbers and far times as the kernel encodes them', async (t) => {
  const filesystem = await openExt(await fixtureDevice('ext/ext4-1k.img'));
  const hello = (await resolvePath(filesystem, '/dir/hello.txt')).node;
  t.deepEqual(hello.flags, ['immutable', 'append-only', 'extents']);
  t.deepEqual(hello.times.accessed, { seconds: 0x7fffffff + 3 * 2 ** 32, nanoseconds: 0, zone: 'utc' });
  t.true(hello.times.modified!.seconds < 0);
  t.true(hello.location.length === 256 && hello.location.start % 256 === 0);
  const large = (await resolvePath(filesystem, '/dir/sparse')).node;
  if (large.kind !== 'file') return t.fail();
  t.true(large.allocated < 100 * 1024 && large.size > 60 * MIB);
});

for (const name of ['ext/ext2-1k.img', 'ext/ext4-1k.img', 'ext/ext4-4k-metabg-inline.img']) {
  for (const file of ['/dir/numbers.txt', '/dir/scattered', '/dir/sub/size-130', '/dir/sub/size-100']) {
    const open = async (): Promise<{ device: ExtentDevice; expected: Uint8Array }> => {
      const filesystem = await openExt(await fixtureDevice(name));
      const { node } = await resolvePath(filesystem, file);
      if (node.kind !== 'file') throw new Error('no file');
      return { device: fileDevice(filesystem, node), expected: contentOf(file) };
    };
    deviceConformance(`${file} of ${name}`, open);
    extentsConformance(`${file} of ${name}`, open);
  }
}

/** What fixtures/ext/tree.sh writes. */
function contentOf(file: string): Uint8Array {
  if (file.endsWith('numbers.txt'))
    return Buffer.from(Array.from({ length: 20_000 }, (_, index) => `${index + 1}\n`).join(''));
  const size = Number(/size-(\d+)$/.exec(file)?.[1] ?? 0);
  if (size > 0) return Buffer.from(`size ${size}\n`.repeat(size)).subarray(0, size);
  const scattered = Buffer.alloc(198 * 1024 + 10);
  for (let index = 0; index <= 198; index += 2)
    scattered.write(`block ${String(index).padStart(4, '0')}`, index * 1024);
  return scattered;
}

test('extents: joined, without gaps, clipped to the range and to the size; holes are not explicit', async (t) => {
  const filesystem = await openExt(await fixtureDevice('ext/ext2-1k.img'));
  const { node } = await resolvePath(filesystem, '/dir/sparse');
  if (node.kind !== 'file') return t.fail();
  const ranges = [
    [0, node.size],
    [500, 10],
    [1023, 2],
    [300 * 1024, 1],
    [node.size - 1, 500],
    [node.size, 5],
    [67_000_000, 3_000_000],
  ];
  for (const [start, length] of ranges) {
    const extents = await collect(node.extents({ start: start!, length: length! }));
    let at = start!;
    for (const extent of extents) {
      t.is(extent.start, at);
      t.true(extent.length > 0);
      at += extent.length;
      if (extent.kind === 'zero') t.false(extent.explicit);
      else t.is(extent.kind, 'data');
    }
    t.is(at, Math.min(node.size, start! + length!));
    t.true(
      extents.every(
        (extent, index) => index === 0 || extent.kind !== extents[index - 1]!.kind || extent.kind === 'data',
      ),
    );
  }
});

test('walking and reading ask the device for little: directories in whole, inode tables in pieces', async (t) => {
  const device = new RecordingDevice(await fixtureDevice('ext/htree-1k.img'));
  const filesystem = await openExt(device);
  let count = 0;
  for await (const _ of walk(filesystem, 2)) count++;
  t.true(count > 640);
  t.true(device.requests.length < 40, `${device.requests.length} requests`);
});

/** Opens, lists, and reads everything, as far as it goes; gives an error if there was one, first any that is no DiskError. */
async function readAll(device: BlockDevice, readLimit: number): Promise<unknown> {
  const errors: unknown[] = [];
  const attempt = async (action: () => Promise<unknown>): Promise<void> => {
    try {
      await action();
    } catch (error) {
      errors.push(error);
    }
  };
  await attempt(async () => {
    const filesystem = await openFileSystem(device, testContext());
    if (filesystem === undefined) return;
    const onError = (error: unknown): void => {
      errors.push(error);
    };
    for await (const { entry } of walk(filesystem, filesystem.rootId, { deleted: true, onError })) {
      await attempt(() => readNode(filesystem, entry.nodeId, readLimit));
    }
  });
  return errors.find((error) => !(error instanceof DiskError)) ?? errors[0];
}

async function readNode(filesystem: FileSystem, id: number, readLimit: number): Promise<void> {
  const node = await filesystem.node(id);
  await node.attributes();
  if (node.kind === 'symlink') await node.target();
  if (node.kind !== 'file') return;
  const content = fileDevice(filesystem, node);
  await readBytes(content, 0, Math.min(content.size, readLimit));
  let extents = 0;
  for await (const _ of node.extents({ start: 0, length: node.size })) if (++extents > 10_000) break;
}

for (const name of ['ext/ext2-1k.img', 'ext/ext4-1k.img', 'ext/ext4-4k-metabg-inline.img', 'ext/deleted-1k.img']) {
  test(`${name}: a device fault at any request comes through`, async (t) => {
    const base = await fixtureDevice(name);
    const clean = new RecordingDevice(base);
    const first = await readAll(clean, 100_000);
    t.true(first === undefined || first instanceof DiskError);
    t.true(clean.requests.length > 10);
    for (let failAt = 0; failAt < clean.requests.length; failAt++) {
      const device = new FaultyDevice(base, failAt);
      let seen: unknown;
      try {
        const filesystem = await openExt(device);
        for await (const { entry } of walk(filesystem, 2, { deleted: true })) {
          if (entry.nodeId !== 0) await readNode(filesystem, entry.nodeId, 100_000).catch(rethrowFault);
        }
      } catch (error) {
        seen = error;
      }
      t.true(isInjectedFault(seen), `request ${failAt}: ${String(seen)}`);
    }
  });

  test(`${name}: seeded mutations give values or a DiskError, in a bounded number of requests`, async (t) => {
    const bytes = await fixtureBytes(name);
    const random = seededRandom(names.indexOf(name) + 100);
    const places = await interestingPlaces(new MemoryDevice(bytes));
    for (let round = 0; round < 150; round++) {
      const overlay = new OverlayDevice(new MemoryDevice(bytes));
      for (let count = 0; count < 1 + Math.floor(random() * 8); count++) {
        const place = places[Math.floor(random() * places.length)]!;
        const offset = Math.min(bytes.length - 4, place.offset + Math.floor((random() * place.length) / 4) * 4);
        const values = [0, 0xff, Math.floor(random() * 256), 1];
        const patch = Uint8Array.from({ length: random() < 0.5 ? 1 : 4 }, () => values[Math.floor(random() * 4)]!);
        await overlay.writeFrom(patch, offset);
      }
      const device = new CountingDevice(overlay);
      const error = await readAll(device, 100_000);
      t.true(error === undefined || error instanceof DiskError, String((error as Error | undefined)?.stack));
      t.true(device.requestCount < 20_000, `${device.requestCount} requests`);
    }
  });
}

function rethrowFault(error: unknown): void {
  if (isInjectedFault(error)) throw error;
}

/** Where the metadata lies: what the reader asks for while it lists the tree. */
async function interestingPlaces(base: BlockDevice): Promise<{ offset: number; length: number }[]> {
  const device = new RecordingDevice(base);
  const filesystem = await openExt(device);
  const places: { offset: number; length: number }[] = [];
  for await (const { entry } of walk(filesystem, 2)) {
    const { location } = await filesystem.node(entry.nodeId);
    places.push({ offset: location.start, length: location.length });
  }
  return [...places, ...device.requests.filter(({ length }) => length <= 4096), { offset: 1024, length: 0x160 }];
}

test('an image file opens through the front door, and a path leads to the bytes', async (t) => {
  await using image = await openImage(await fixtureFile('ext/ext4-4k-bigalloc.img', temporaryFolder(t)));
  const target = await image.resolve(parseLocator('/links/hello'), { followLast: true });
  if (target.kind !== 'node' || target.node.kind !== 'file') return t.fail();
  t.is(target.path, '/dir/hello.txt');
  t.is(Buffer.from(await readFile(target.filesystem, target.node)).toString(), 'hello\n');
});

test('a truncated image opens, says so, and reads what is there', async (t) => {
  const bytes = await fixtureBytes('ext/ext4-1k.img');
  const context = testContext();
  const filesystem = (await openFileSystem(new MemoryDevice(bytes.subarray(0, 4096)), context))!;
  t.true(context.diagnostics.some(({ message }) => message.includes('truncated')));
  const error = await t.throwsAsync(filesystem.node(2), { instanceOf: DiskError });
  t.is(error?.code, 'IO');
  t.true((error?.offset ?? 0) >= 4096);
  t.regex(error?.message ?? '', /truncated/);
});
