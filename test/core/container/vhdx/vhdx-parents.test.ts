import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { MIB } from '../../../../src/core/container/vhdx/header.ts';
import { METADATA_ITEM } from '../../../../src/core/container/vhdx/metadata.ts';
import {
  DiskError,
  type DiskErrorCode,
  isContainer,
  leafExtents,
  MemoryDevice,
  openImage,
  readBytes,
} from '../../../../src/core/index.ts';
import { deviceConformance } from '../../../conformance/device-conformance.ts';
import { extentsConformance } from '../../../conformance/extents-conformance.ts';
import { collect } from '../../../helpers/collect.ts';
import { RecordingDevice } from '../../../helpers/devices.ts';
import { seededRandom } from '../../../helpers/seeded-random.ts';
import { temporaryFolder } from '../../../helpers/tools.ts';
import { inMemory, noise, openVhdx, parentKeys, property, vhdxContext } from './open-vhdx.ts';
import {
  type BlockRecipe,
  type BuiltVhdx,
  batWord,
  buildVhdx,
  DATA_WRITE_GUID,
  locatorItem,
  type VhdxRecipe,
  writeHeader,
} from './vhdx-builder.ts';

const SECOND_GUID = 'BBBBBBBB-0000-4000-8000-000000000002';
const THIRD_GUID = 'CCCCCCCC-0000-4000-8000-000000000003';

interface RandomDisk {
  readonly recipe: VhdxRecipe;
  /** What the disk reads as over a parent that reads as `parent`. */
  expected(parent: Uint8Array): Uint8Array;
}

/** A differencing disk with every state, its sector bitmap at random, and its own model of what it must read as. */
function randomChild(seed: number, size: number, sectorSize: number, parent: Record<string, string>): RandomDisk {
  const random = seededRandom(seed);
  const blocks: Record<number, BlockRecipe> = {};
  const runs: [number, number][] = [];
  const model: ((disk: Uint8Array) => void)[] = [];
  const blockSectors = MIB / sectorSize;
  for (let block = 0; block < Math.ceil(size / MIB); block++) {
    const state = [7, 0, 6, 1, 7, 2, 3][(block + (seed % 2)) % 7]!;
    const data = noise(seed * 100 + block, MIB);
    blocks[block] = { state, ...(state >= 6 ? { data } : {}) };
    const put = (disk: Uint8Array, from: number, length: number, bytes: Uint8Array): void => {
      const start = block * MIB + from;
      const end = Math.min(start + length, disk.length);
      if (start < end) disk.set(bytes.subarray(from, from + end - start), start);
    };
    if (state === 1 || state === 2 || state === 3) model.push((disk) => put(disk, 0, MIB, new Uint8Array(MIB)));
    if (state === 6) model.push((disk) => put(disk, 0, MIB, data));
    if (state !== 7) continue;
    for (let sector = 0; sector < blockSectors; ) {
      const count = Math.min(blockSectors - sector, 1 + Math.floor(random() ** 3 * 200));
      if (random() < 0.5) {
        const first = sector;
        runs.push([block * blockSectors + first, count]);
        model.push((disk) => put(disk, first * sectorSize, count * sectorSize, data));
      }
      sector += count;
    }
  }
  return {
    recipe: { virtualSize: size, sectorSize, blocks, bitmaps: { 0: runs }, parent },
    expected: (below) => {
      const disk = new Uint8Array(size);
      disk.set(below.subarray(0, Math.min(size, below.length)));
      for (const step of model) step(disk);
      return disk;
    },
  };
}

for (const [name, size, parentSize, sectorSize] of [
  ['a parent that is shorter', 9 * MIB + 4096, 6 * MIB + 4096, 512],
  ['a parent that is longer, sectors of 4096', 8 * MIB, 9 * MIB, 4096],
] as const) {
  const build = async () => {
    const data = noise(5, parentSize);
    const blocks = Object.fromEntries(
      Array.from({ length: Math.ceil(parentSize / MIB) }, (_, block) => [
        block,
        { state: 6, data: data.subarray(block * MIB, (block + 1) * MIB) },
      ]),
    );
    const parent = await buildVhdx({ virtualSize: parentSize, sectorSize, blocks });
    const child = randomChild(size + 1, size, sectorSize, parentKeys('parent.vhdx'));
    const image = await buildVhdx(child.recipe);
    return { parent: await inMemory(parent), image: await inMemory(image), expected: child.expected(data) };
  };
  let built: ReturnType<typeof build> | undefined;
  const make = async () => {
    built ??= build();
    const { parent, image, expected } = await built;
    return { device: await openVhdx(image, vhdxContext({ 'parent.vhdx': parent })), expected };
  };
  deviceConformance(`differencing, ${name}`, make);
  extentsConformance(`differencing, ${name}`, make);
}

test('sector bitmaps of the second chunk, and of the last of a page, are found', async (t) => {
  const blockSize = 256 * MIB;
  const chunkBytes = 2 ** 23 * 512;
  const virtualSize = 3 * chunkBytes;
  const parent = await buildVhdx({ virtualSize: 16 * MIB });
  const last = virtualSize / blockSize - 1;
  const at = blockSize - 1024;
  const image = await buildVhdx({
    virtualSize,
    blockSize,
    parent: parentKeys('p'),
    blocks: { 16: { state: 7, data: noise(1, 1024) }, [last]: { state: 7, data: noise(2, 1024), at } },
    bitmaps: { 1: [[0, 1]], 2: [[2 ** 23 - 1, 1]] },
  });
  const device = new RecordingDevice(image.device);
  const container = await openVhdx(device, vhdxContext({ p: parent.device }));
  const opened = device.requests.length;
  t.is(Buffer.compare((await readBytes(container, chunkBytes, 1024)).subarray(0, 512), noise(1, 512)), 0);
  t.deepEqual(new Set((await readBytes(container, chunkBytes, 1024)).subarray(512)), new Set([0]));
  const end = await readBytes(container, virtualSize - 1024, 1024);
  t.deepEqual(new Set(end.subarray(0, 512)), new Set([0]));
  t.is(Buffer.compare(end.subarray(512), noise(2, 1024).subarray(512)), 0);
  const reads = device.requests.slice(opened).filter(({ length }) => length > 1024);
  t.is(reads.length, 3, 'one piece of the BAT and one of each bitmap, once');
  t.true(reads.every(({ length }) => length <= 64 * 1024));
});

async function failure(t: ExecutionContext, attempt: Promise<unknown>, code: DiskErrorCode): Promise<DiskError> {
  const error = await t.throwsAsync(attempt, { instanceOf: DiskError });
  t.is(error?.code, code, error?.message);
  return error!;
}

test('a partly present block without a bitmap block, or with one behind the end or in the header section, is CORRUPT there', async (t) => {
  const parent = await buildVhdx({ virtualSize: MIB });
  const recipe = { virtualSize: MIB, parent: parentKeys('p'), blocks: { 0: { state: 7, data: noise(1, 10) } } };
  for (const [word, structure] of [
    [batWord(0, 0), 'BAT entry 4096'],
    [batWord(3, 8 * MIB), 'BAT entry 4096'],
    [batWord(6, 0), 'BAT entry 4096'],
    [batWord(6, 2 ** 42), 'sector bitmap block'],
  ] as const) {
    const image = await buildVhdx(recipe);
    await image.device.writeFrom(word, image.batOffset + 4096 * 8);
    const container = await openVhdx(image, vhdxContext({ p: parent.device }));
    t.is((await failure(t, readBytes(container, 0, 1), 'CORRUPT')).structure, structure);
  }
});

async function chainImages(): Promise<{ base: BuiltVhdx; middle: BuiltVhdx; top: BuiltVhdx; expected: Uint8Array }> {
  const data = noise(1, 4 * MIB);
  const blocks = Object.fromEntries(
    [0, 1, 2, 3].map((block) => [block, { state: 6, data: data.subarray(block * MIB, (block + 1) * MIB) }]),
  );
  const base = await buildVhdx({ virtualSize: 4 * MIB, blocks });
  const middle = randomChild(21, 6 * MIB, 512, parentKeys('.\\base.vhdx'));
  const top = randomChild(22, 5 * MIB, 512, parentKeys('below\\middle.vhdx', SECOND_GUID));
  return {
    base,
    middle: await buildVhdx({ ...middle.recipe, header: { dataWriteGuid: SECOND_GUID } }),
    top: await buildVhdx({ ...top.recipe, header: { dataWriteGuid: THIRD_GUID } }),
    expected: top.expected(middle.expected(data)),
  };
}

async function chainFiles(t: ExecutionContext) {
  const folder = temporaryFolder(t);
  await mkdir(path.join(folder, 'below'));
  const { base, middle, top, expected } = await chainImages();
  const files = {
    base: await base.save(path.join(folder, 'below', 'base.vhdx')),
    middle: await middle.save(path.join(folder, 'below', 'middle.vhdx')),
    top: await top.save(path.join(folder, 'top.vhdx')),
  };
  return { folder, files, expected };
}

test('a chain of three files opens through the policy, reads right, tells where the bytes are, and is not changed', async (t) => {
  const { files, expected } = await chainFiles(t);
  const digest = async (file: string): Promise<string> =>
    createHash('sha256')
      .update(await readFile(file))
      .digest('hex');
  const state = () =>
    Promise.all(Object.values(files).map(async (file) => [await digest(file), (await stat(file)).mtimeMs]));
  const before = await state();
  {
    await using image = await openImage(files.top);
    const { container } = image;
    t.is(property(container, 'type'), 'differencing');
    t.is(property(container, 'parent'), 'below/middle.vhdx');
    t.is(Buffer.compare(await readBytes(container, 0, container.size), expected), 0);
    const depths = new Set<number>();
    const rebuilt = new Uint8Array(container.size);
    for (const leaf of await collect(leafExtents(container, { start: 0, length: container.size }))) {
      depths.add(leaf.depth);
      if (leaf.kind === 'data')
        await leaf.source.readInto(rebuilt.subarray(leaf.start, leaf.start + leaf.length), leaf.sourceOffset);
    }
    t.is(Buffer.compare(rebuilt, expected), 0);
    t.deepEqual([...depths].sort(), [0, 1, 2]);
    const below = container.backing!.device;
    t.is(isContainer(below) ? below.format : undefined, 'vhdx');
  }
  t.deepEqual(await state(), before);
});

test('raw reads of blocks given back hold in the parents too, through the child and as a layer', async (t) => {
  const folder = temporaryFolder(t);
  const base = path.join(folder, 'base.vhdx');
  const top = path.join(folder, 'top.vhdx');
  await (await buildVhdx({ virtualSize: MIB, blocks: { 0: { state: 3, data: noise(1, MIB) } } })).save(base);
  const parent = parentKeys('base.vhdx', DATA_WRITE_GUID);
  await (await buildVhdx({ virtualSize: MIB, parent, header: { dataWriteGuid: SECOND_GUID } })).save(top);
  for (const [unmapped, expected] of [
    ['zeros', new Uint8Array(MIB)],
    ['raw', noise(1, MIB)],
  ] as const) {
    await using image = await openImage(top, { unmapped });
    t.is(Buffer.compare(await readBytes(image.container, 0, MIB), expected), 0, unmapped);
    const layer = await image.openView({ kind: 'layer', layer: 1 });
    t.is(Buffer.compare(await readBytes(layer.container, 0, MIB), expected), 0, `${unmapped}, layer 1`);
  }
});

test('the policy holds for parents: switched off or outside the folder is DENIED with every name; allowed it opens', async (t) => {
  const { folder, files } = await chainFiles(t);
  const none = await failure(t, openImage(files.top, { references: 'none' }), 'DENIED');
  t.regex(none.found ?? '', /middle\.vhdx/);
  const image = await buildVhdx({ virtualSize: MIB, parent: parentKeys('..\\below\\base.vhdx') });
  await mkdir(path.join(folder, 'apart'));
  const outside = await image.save(path.join(folder, 'apart', 'outside.vhdx'));
  t.regex((await failure(t, openImage(outside), 'DENIED')).found ?? '', /base\.vhdx/);
  // Whatever its parent's names lead to: what is not asked for is not looked for.
  t.is((await failure(t, openImage(outside, { backing: 'none' }), 'UNSUPPORTED')).found, 'a differencing disk');
  await using opened = await openImage(outside, { allowReferences: [folder] });
  t.is(opened.container.backing?.name, '../below/base.vhdx');
});

test('cycles: an image that is its own parent, and two that are each other’s, are CORRUPT; two hundred levels too', async (t) => {
  const folder = temporaryFolder(t);
  const child = (name: string, parent: string) =>
    buildVhdx({ virtualSize: MIB, parent: parentKeys(parent) }).then((image) => image.save(path.join(folder, name)));
  const self = await child('self.vhdx', 'self.vhdx');
  t.is((await failure(t, openImage(self), 'CORRUPT')).expected, 'a chain that ends');
  await child('a.vhdx', 'b.vhdx');
  const other = await child('b.vhdx', '.\\a.vhdx');
  t.is((await failure(t, openImage(other), 'CORRUPT')).expected, 'a chain that ends');
  const first = await child('000.vhdx', '001.vhdx');
  for (let level = 1; level <= 200; level++)
    await child(`${String(level).padStart(3, '0')}.vhdx`, `${String(level + 1).padStart(3, '0')}.vhdx`);
  t.is((await failure(t, openImage(first), 'CORRUPT')).expected, 'a chain of at most 200 images');
});

test('every path is tried in the order of the specification; the error names all of them and why', async (t) => {
  const parent = await buildVhdx({ virtualSize: MIB });
  const keys = {
    absolute_win32_path: '\\\\?\\d:\\x\\absolute.vhdx',
    volume_path: '\\\\?\\Volume{26A21BDA-A627-11D7-9931-806E6F6E6963}\\volume.vhdx',
    ...parentKeys('..\\relative.vhdx'),
  };
  const image = await buildVhdx({ virtualSize: MIB, parent: keys });
  const names = [
    '../relative.vhdx',
    '//?/Volume{26A21BDA-A627-11D7-9931-806E6F6E6963}/volume.vhdx',
    '//?/d:/x/absolute.vhdx',
  ];
  for (const name of names) {
    const context = vhdxContext({ [name]: parent.device });
    t.is((await openVhdx(image, context)).backing?.name, name);
    t.deepEqual(
      context.asked.map((reference) => reference.name),
      names.slice(0, names.indexOf(name) + 1),
    );
    t.true(context.asked.every(({ kind, format }) => kind === 'parent' && format === 'vhdx'));
    const { offset } = context.asked[0]!;
    const text = Buffer.from(await readBytes(image.device, offset!, 32)).toString('utf16le');
    t.is(text, '..\\relative.vhdx', 'the offset is that of the name');
  }
  const error = await failure(t, openVhdx(image), 'NOT_FOUND');
  for (const value of Object.values(keys).slice(0, 2)) t.true(error.found!.includes(value.replaceAll('\\', '\\\\')));
  t.regex(error.found!, /relative\.vhdx.*Volume.*absolute\.vhdx/);
  // A drive letter is a protocol to the policy: no reason not to go on.
  const folder = temporaryFolder(t);
  await parent.save(path.join(folder, 'parent.vhdx'));
  const moved = { ...parentKeys('gone.vhdx'), volume_path: 'c:\\gone.vhdx', absolute_win32_path: 'parent.vhdx' };
  const child = await (await buildVhdx({ virtualSize: MIB, parent: moved })).save(path.join(folder, 'child.vhdx'));
  await using opened = await openImage(child);
  t.is(opened.container.backing?.name, 'parent.vhdx');
  // Nor is a name that no file can have.
  const long = { ...parentKeys('x'.repeat(5000)), absolute_win32_path: 'parent.vhdx' };
  const other = await (await buildVhdx({ virtualSize: MIB, parent: long })).save(path.join(folder, 'long.vhdx'));
  await using also = await openImage(other);
  t.is(also.container.backing?.name, 'parent.vhdx');
});

test('the linkage is checked against the current header of the parent: the first or the second key, any case; else CORRUPT', async (t) => {
  const open = async (linkage: Record<string, string>, guids: readonly [string, string]) => {
    const parent = await buildVhdx({ virtualSize: MIB, header: { dataWriteGuid: guids[1] } });
    await writeHeader(parent.device, 0, { ...parent.header, sequenceNumber: 1n, dataWriteGuid: guids[0] });
    const image = await buildVhdx({ virtualSize: MIB, parent: { relative_path: 'p', ...linkage } });
    return openVhdx(image, vhdxContext({ p: parent.device }));
  };
  const [old, current] = [SECOND_GUID, THIRD_GUID];
  const braced = (guid: string): string => `{${guid.toLowerCase()}}`;
  await t.notThrowsAsync(open({ parent_linkage: braced(current) }, [old, current]));
  await t.notThrowsAsync(open({ parent_linkage: `{${current}}` }, [old, current]));
  await t.notThrowsAsync(
    open({ parent_linkage: braced(DATA_WRITE_GUID), parent_linkage2: braced(current) }, [old, current]),
  );
  const error = await failure(t, open({ parent_linkage: braced(old) }, [old, current]), 'CORRUPT');
  t.is(error.found, current);
  t.true(error.expected!.includes(old));
  await failure(
    t,
    open({ parent_linkage: braced(old), parent_linkage2: braced(DATA_WRITE_GUID) }, [old, current]),
    'CORRUPT',
  );
});

test('the parent must have the same sectors, and be a VHDX', async (t) => {
  const parent = await buildVhdx({ virtualSize: MIB, sectorSize: 4096 });
  const image = await buildVhdx({ virtualSize: MIB, parent: parentKeys('p') });
  t.is((await failure(t, openVhdx(image, vhdxContext({ p: parent.device })), 'CORRUPT')).found, '4096');
  const raw = new MemoryDevice(new Uint8Array(MIB));
  t.is((await failure(t, openVhdx(image, vhdxContext({ p: raw })), 'CORRUPT')).expected, 'vhdxfile');
});

test('an error of a parent that is there is the error: not passed over for the next path', async (t) => {
  const parent = await buildVhdx({ virtualSize: MIB, regions: [] });
  const image = await buildVhdx({ virtualSize: MIB, parent: { ...parentKeys('p'), volume_path: 'q' } });
  const context = vhdxContext({ p: parent.device });
  t.is((await failure(t, openVhdx(image, context), 'CORRUPT')).structure, 'region table entry');
  t.deepEqual(
    context.asked.map(({ name }) => name),
    ['p'],
  );
});

const linkage = `{${DATA_WRITE_GUID}}`;
const locators: readonly [string, Uint8Array, DiskErrorCode][] = [
  ['no linkage', locatorItem([['relative_path', 'p']]), 'CORRUPT'],
  ['no path', locatorItem([['parent_linkage', linkage]]), 'CORRUPT'],
  ['no keys', locatorItem([]), 'CORRUPT'],
  [
    'a linkage that is no GUID',
    locatorItem([
      ['parent_linkage', DATA_WRITE_GUID],
      ['relative_path', 'p'],
    ]),
    'CORRUPT',
  ],
  [
    'a key twice',
    locatorItem([
      ['parent_linkage', linkage],
      ['relative_path', 'p'],
      ['relative_path', 'q'],
    ]),
    'CORRUPT',
  ],
  ['another type', locatorItem([['parent_linkage', linkage]], SECOND_GUID), 'UNSUPPORTED'],
  ['a header cut short', locatorItem([]).slice(0, 19), 'CORRUPT'],
  [
    'an empty value',
    locatorItem([
      ['parent_linkage', linkage],
      ['relative_path', ''],
    ]),
    'CORRUPT',
  ],
  ['65 keys', locatorItem(Array.from({ length: 65 }, (_, index) => [`key${index}`, 'x'] as const)), 'CORRUPT'],
  [
    'a value that leaves the item',
    locatorItem([
      ['parent_linkage', linkage],
      ['relative_path', 'p'],
    ]).slice(0, -1),
    'CORRUPT',
  ],
];

for (const [name, bytes, code] of locators) {
  test(`a parent locator with ${name} is ${code}`, async (t) => {
    const image = await buildVhdx({
      virtualSize: MIB,
      parent: {},
      metadata: [{ id: METADATA_ITEM.parentLocator, bytes }],
    });
    const error = await failure(t, openVhdx(image), code);
    t.regex(error.structure!, /^parent locator/);
    t.true(error.offset! >= image.metadataOffset);
  });
}

test('has-parent without a parent locator is CORRUPT; a locator without has-parent is passed over', async (t) => {
  const item = { id: METADATA_ITEM.parentLocator, bytes: new Uint8Array(0) };
  const orphan = await buildVhdx({ virtualSize: MIB, parent: {}, metadata: [{ ...item, flags: 1 }] });
  await failure(t, openVhdx(orphan), 'CORRUPT');
  const plain = await buildVhdx({ virtualSize: MIB, metadata: [{ ...item, bytes: locatorItem([]) }] });
  t.is((await openVhdx(plain)).backing, undefined);
});

test('a parent whose own parent is missing is NOT_FOUND by that name', async (t) => {
  const { files } = await chainFiles(t);
  await rm(files.base);
  t.regex((await failure(t, openImage(files.top), 'NOT_FOUND')).found ?? '', /base\.vhdx/);
});

test('a copy of a parent under the right name with other contents is refused', async (t) => {
  const { files } = await chainFiles(t);
  await copyFile(files.base, files.middle);
  t.is((await failure(t, openImage(files.top), 'CORRUPT')).found, DATA_WRITE_GUID);
});
