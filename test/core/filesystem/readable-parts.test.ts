import test, { type ExecutionContext } from 'ava';
import {
  CachedDevice,
  type FileSystem,
  fileDevice,
  type LostRange,
  LostRanges,
  MemoryDevice,
  openFileSystem,
  type RegularFile,
  readableParts,
  readBytes,
  resolvePath,
  unsupported,
} from '../../../src/core/index.ts';
import { BadSectorDevice } from '../../helpers/bad-sectors.ts';
import { testContext } from '../../helpers/context.ts';
import { fixtureBytes } from '../../helpers/fixtures.ts';

interface Opened {
  readonly filesystem: FileSystem;
  readonly node: RegularFile;
}

async function openFile(t: ExecutionContext, device: BadSectorDevice | MemoryDevice, path: string): Promise<Opened> {
  const filesystem = (await openFileSystem(new CachedDevice(device), testContext()))!;
  const { node } = await resolvePath(filesystem, path);
  if (node.kind !== 'file') t.fail();
  return { filesystem, node: node as RegularFile };
}

async function salvage({ filesystem, node }: Opened): Promise<{ bytes: Uint8Array; lost: readonly LostRange[] }> {
  const bytes = new Uint8Array(node.size);
  const lost = new LostRanges();
  let end = 0;
  for await (const part of readableParts(filesystem, node, lost)) {
    if (part.start < end) throw new Error('parts are not ascending');
    end = part.start + part.bytes.length;
    bytes.set(part.bytes, part.start);
  }
  return { bytes, lost: lost.list() };
}

const ranges = (lost: readonly LostRange[]) => lost.map(({ start, length }) => [start, length]);

for (const [name, path] of [
  ['fat-damage/clean-16.img', '/sub/deep/leaf.txt'],
  ['ext/ext4-1k.img', '/dir/hello.txt'],
] as const)
  test(`a bad sector costs itself alone: ${name}`, async (t) => {
    const image = await fixtureBytes(name);
    const sound = await openFile(t, new MemoryDevice(image), path);
    const whole = await readBytes(fileDevice(sound.filesystem, sound.node), 0, sound.node.size);
    t.deepEqual(await salvage(sound), { bytes: whole, lost: [] });
    const places: number[] = [];
    for await (const extent of sound.node.extents({ start: 0, length: whole.length }))
      if (extent.kind === 'data') places.push(extent.sourceOffset / 512);
    const last = Math.floor((whole.length - 1) / 512);
    const sector = places[0]! + last;
    const damaged = await openFile(t, new BadSectorDevice(new MemoryDevice(image), [sector]), path);
    const found = await salvage(damaged).catch((error: unknown) => error);
    // A file of one sector has nothing that can be read.
    if (last === 0) {
      t.like(found, { code: 'IO' });
      return;
    }
    const { bytes, lost } = found as Awaited<ReturnType<typeof salvage>>;
    t.deepEqual(ranges(lost), [[last * 512, whole.length - last * 512]]);
    t.is(lost[0]?.reason.code, 'IO');
    t.deepEqual(bytes.subarray(0, last * 512), whole.subarray(0, last * 512));
  });

test('an image that ends too early gives the clusters before its end, wherever they stand in the file', async (t) => {
  const image = await fixtureBytes('fat-damage/clean-16.img');
  const { node } = await openFile(t, new MemoryDevice(image), '/sub/deep/leaf.txt');
  let end = 0;
  for await (const extent of node.extents({ start: 0, length: node.size }))
    if (extent.kind === 'data') end = extent.sourceOffset + extent.length;
  const cut = await openFile(t, new MemoryDevice(image.subarray(0, end - 100)), '/sub/deep/leaf.txt');
  const { lost } = await salvage(cut);
  t.deepEqual(ranges(lost), [[node.size - 100, 100]]);
  t.is(lost[0]?.reason.code, 'OUT_OF_RANGE');
});

test('the list of what is lost is bounded, and the last stands for the rest', (t) => {
  const lost = new LostRanges();
  const reason = unsupported({ layer: 'test' });
  for (let at = 0; at < 5000; at++) lost.add({ start: at * 10, length: 5, reason });
  const list = lost.list();
  t.is(list.length, 1001);
  t.like(list.at(-1), { start: 10_000, length: 4999 * 10 + 5 - 10_000 });
  t.regex(list.at(-1)!.reason.message, /4000 lost ranges/);
});

test('neighbors are one', (t) => {
  const lost = new LostRanges();
  const reason = unsupported({ layer: 'test' });
  lost.add({ start: 0, length: 5, reason });
  lost.add({ start: 5, length: 5, reason });
  t.deepEqual(ranges(lost.list()), [[0, 10]]);
});

test('a sector that cannot be read costs no other of a cached block', async (t) => {
  const bytes = Uint8Array.from({ length: 64 * 1024 }, (_, at) => at % 251);
  const cache = new CachedDevice(new BadSectorDevice(new MemoryDevice(bytes), [3]));
  t.deepEqual(await readBytes(cache, 0, 3 * 512), bytes.slice(0, 3 * 512));
  t.deepEqual(await readBytes(cache, 4 * 512, 900), bytes.slice(4 * 512, 4 * 512 + 900));
  await t.throwsAsync(readBytes(cache, 3 * 512 + 10, 4), { code: 'IO' });
});
