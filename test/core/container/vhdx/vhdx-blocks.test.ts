import test, { type ExecutionContext } from 'ava';
import { MIB } from '../../../../src/core/container/vhdx/header.ts';
import { DiskError, MemoryDevice, readBytes } from '../../../../src/core/index.ts';
import { deviceConformance } from '../../../conformance/device-conformance.ts';
import { extentsConformance } from '../../../conformance/extents-conformance.ts';
import { CountingDevice } from '../../../helpers/devices.ts';
import { extentList, noise, openVhdx, property, vhdxContext } from './open-vhdx.ts';
import { batWord, buildVhdx } from './vhdx-builder.ts';

const KIB = 1024;
const GIB = 1024 * MIB;

const states = {
  virtualSize: 9 * MIB + 512 * 3,
  blocks: {
    0: { state: 6, data: noise(1, MIB) },
    2: { state: 1, data: noise(2, MIB) },
    3: { state: 2 },
    4: { state: 3, data: noise(3, MIB) },
    5: { state: 3 },
    6: { state: 6, data: noise(4, 5000), at: 700 },
    7: { state: 6, data: noise(5, MIB) },
    9: { state: 6, data: noise(6, 512 * 3) },
  },
} as const;

function statesExpected(unmapped: 'zeros' | 'raw'): Uint8Array {
  const expected = new Uint8Array(states.virtualSize);
  for (const [block, recipe] of Object.entries(states.blocks)) {
    if (!('data' in recipe) || (recipe.state < 6 && unmapped === 'zeros')) continue;
    expected.set(recipe.data, Number(block) * MIB + ('at' in recipe ? recipe.at : 0));
  }
  return expected;
}

for (const unmapped of ['zeros', 'raw'] as const) {
  const make = async () => ({
    device: await openVhdx(await buildVhdx(states), vhdxContext(), { unmapped }),
    expected: statesExpected(unmapped),
  });
  deviceConformance(`every state without a parent, unmapped as ${unmapped}`, make);
  extentsConformance(`every state without a parent, unmapped as ${unmapped}`, make);
}

test('what the states say shows in the extents: joined runs, zeros that the image says and zeros that nobody wrote', async (t) => {
  const image = await buildVhdx(states);
  const container = await openVhdx(image);
  const rows = (await extentList(container)).map((extent) => [
    extent.kind,
    extent.start / MIB,
    extent.kind === 'zero' ? extent.explicit : extent.kind === 'data' && extent.sourceOffset,
  ]);
  t.deepEqual(rows, [
    ['data', 0, image.places.get(0)!],
    ['zero', 1, false],
    ['zero', 3, true],
    ['data', 6, image.places.get(6)!],
    ['zero', 8, false],
    ['data', 9, image.places.get(9)!],
  ]);
  t.is((await extentList(container)).find(({ kind }) => kind === 'data')?.length, MIB);
});

test('a type for each: fixed, dynamic; the properties tell the fields', async (t) => {
  const container = await openVhdx(await buildVhdx({ virtualSize: MIB, isFixed: true, blockSize: 2 * MIB }));
  t.is(property(container, 'type'), 'fixed');
  t.is(property(container, 'blockSize'), 2 * MIB);
  t.is(property(container, 'physicalSectorSize'), 4096);
  t.is(property(container, 'creator'), 'test');
  t.is(property(container, 'currentHeader'), 2);
  t.is(property(container, 'headerSequenceNumber'), '7');
  t.is(property(container, 'logEntriesReplayed'), 0);
  t.is(property(await openVhdx(await buildVhdx({ virtualSize: MIB })), 'type'), 'dynamic');
});

for (const blockSize of Array.from({ length: 9 }, (_, power) => 2 ** power * MIB)) {
  for (const sectorSize of [512, 4096]) {
    test(`blocks of ${blockSize / MIB} MiB, sectors of ${sectorSize}: a byte on each side of every bound, chunk entries between`, async (t) => {
      // Blocks around the end of the first chunk, where the BAT has an entry that is not a block's.
      const chunkBlocks = (2 ** 23 * sectorSize) / blockSize;
      const numbers = [0, 1, chunkBlocks - 1, chunkBlocks, chunkBlocks + 1];
      const virtualSize = (chunkBlocks + 2) * blockSize;
      const blocks = Object.fromEntries(
        numbers.flatMap((block, index) => [[block, { state: 6, data: Uint8Array.of(index + 1) }]]),
      );
      const image = await buildVhdx({ virtualSize, blockSize, sectorSize, blocks });
      for (const [index, block] of numbers.entries())
        await image.device.writeFrom(Uint8Array.of(index + 101), image.places.get(block)! + blockSize - 1);
      const container = await openVhdx(image);
      t.is(container.sectorSize, sectorSize);
      t.is(container.size, virtualSize);
      for (const [index, block] of numbers.entries()) {
        t.is((await readBytes(container, block * blockSize, 1))[0], index + 1, `block ${block}`);
        t.is((await readBytes(container, (block + 1) * blockSize - 1, 1))[0], index + 101, `block ${block}`);
      }
      const rows = (await extentList(container)).map(({ kind, start, length }) => [kind, start, length]);
      t.deepEqual(rows, [
        ['data', 0, 2 * blockSize],
        ['zero', 2 * blockSize, (chunkBlocks - 3) * blockSize],
        ['data', (chunkBlocks - 1) * blockSize, 3 * blockSize],
      ]);
    });
  }
}

test('a run of zeros ends at the end of its chunk: the entry of the bitmap behind it is no block', async (t) => {
  for (const [blockSize, chunkBlocks] of [
    [MIB, 4096],
    [256 * MIB, 16],
  ] as const) {
    const blocks = { 0: { state: 6, data: noise(1, 100) }, [chunkBlocks]: { state: 6, data: noise(2, 100) } };
    const virtualSize = 3 * chunkBlocks * blockSize;
    const container = await openVhdx(await buildVhdx({ virtualSize, blockSize, blocks }));
    t.is(Buffer.compare(await readBytes(container, chunkBlocks * blockSize, 100), noise(2, 100)), 0);
    const rows = (await extentList(container, 5)).map(({ kind, start }) => [kind, start / blockSize]);
    t.deepEqual(rows.slice(1), [
      ['zero', 1],
      ['data', chunkBlocks],
      ['zero', chunkBlocks + 1],
    ]);
  }
});

test('a disk of 64 TiB with blocks of 1 MiB maps and reads its ends; few bytes of the BAT are held', async (t) => {
  const virtualSize = 64 * 2 ** 40;
  const last = virtualSize / MIB - 1;
  const image = await buildVhdx({ virtualSize, blocks: { [last]: { state: 6, data: noise(1, MIB) } } });
  const device = new CountingDevice(image.device);
  const container = await openVhdx(device);
  const opened = device.requestCount;
  t.true(opened < 20);
  t.deepEqual(await readBytes(container, virtualSize - MIB, MIB), noise(1, MIB) as Uint8Array<ArrayBuffer>);
  t.is((await readBytes(container, virtualSize / 2, 1))[0], 0);
  t.true(device.requestCount - opened <= 4, 'one page of the BAT for each');
  const rows = (await extentList(container, virtualSize - GIB)).map(({ kind, start }) => [kind, start]);
  t.deepEqual(rows, [
    ['zero', virtualSize - GIB],
    ['data', virtualSize - MIB],
  ]);
});

test('a disk of no bytes opens and has no extents', async (t) => {
  const container = await openVhdx(await buildVhdx({ virtualSize: 0 }));
  t.is(container.size, 0);
  t.deepEqual(await extentList(container), []);
});

async function readError(t: ExecutionContext, reading: Promise<unknown>): Promise<DiskError> {
  const error = await t.throwsAsync(reading, { instanceOf: DiskError });
  t.is(error?.code, 'CORRUPT');
  return error!;
}

test('reserved states, a partly present block without a parent, a block in the header section: CORRUPT at the entry when reached', async (t) => {
  const cases: [number, number][] = [
    [4, 8 * MIB],
    [5, 8 * MIB],
    [7, 8 * MIB],
    [6, 0],
  ];
  for (const [state, fileOffset] of cases) {
    const recipe = { virtualSize: 3 * MIB, blocks: { 0: { state: 6, data: noise(1, 10) } } };
    const image = await buildVhdx(recipe);
    await image.device.writeFrom(batWord(state, fileOffset), image.batOffset + 8);
    const container = await openVhdx(image);
    const error = await readError(t, readBytes(container, MIB + 5, 10));
    t.is(error.structure, 'BAT entry 1', `state ${state}`);
    t.is(error.offset, image.batOffset + 8);
    t.is(error.found, `0x${(fileOffset + state).toString(16).padStart(16, '0')}`);
    t.is((await readBytes(container, 0, 1))[0], noise(1, 1)[0], 'the blocks around it can be read');
    t.is((await readBytes(container, 2 * MIB, 1))[0], 0);
  }
});

test('reserved bits of an entry are passed over, as in QEMU, and said once', async (t) => {
  const image = await buildVhdx({ virtualSize: 3 * MIB, blocks: { 1: { state: 6, data: noise(1, MIB) } } });
  for (const block of [0, 1]) {
    const word = batWord(block * 6, block * image.places.get(1)!);
    word[1] = 0x80;
    await image.device.writeFrom(word, image.batOffset + block * 8);
  }
  const context = vhdxContext();
  const container = await openVhdx(image, context);
  t.is(Buffer.compare(await readBytes(container, MIB, MIB), noise(1, MIB)), 0);
  t.is((await readBytes(container, 0, 1))[0], 0);
  t.deepEqual(
    context.diagnostics.map(({ offset }) => offset),
    [image.batOffset + 8],
  );
});

test('two entries with the same place both read it; one that lies over the metadata gives their bytes', async (t) => {
  const image = await buildVhdx({ virtualSize: 4 * MIB, blocks: { 0: { state: 6, data: noise(1, MIB) } } });
  await image.device.writeFrom(batWord(6, image.places.get(0)!), image.batOffset + 8);
  await image.device.writeFrom(batWord(6, image.metadataOffset), image.batOffset + 16);
  const container = await openVhdx(image);
  t.is(Buffer.compare(await readBytes(container, MIB, MIB), noise(1, MIB)), 0);
  t.is(Buffer.from(await readBytes(container, 2 * MIB, 8)).toString(), 'metadata');
});

test('a truncated file: what is there of a cut block is read, the rest of it is CORRUPT, and so are blocks behind the end', async (t) => {
  const blocks = { 0: { state: 6, data: noise(1, MIB) }, 1: { state: 6, data: noise(2, MIB) }, 2: { state: 2 } };
  const image = await buildVhdx({ virtualSize: 4 * MIB, blocks });
  const whole = await readBytes(image.device, 0, image.device.size);
  const open = async (size: number, options?: Parameters<typeof openVhdx>[2]) => {
    return openVhdx(new MemoryDevice(whole.slice(0, size)), vhdxContext(), options);
  };
  const cut = image.places.get(1)! + 300 * KIB + 7;
  const container = await open(cut);
  const there = await readBytes(container, 0, MIB + 300 * KIB + 7);
  t.is(Buffer.compare(there.subarray(MIB), noise(2, MIB).subarray(0, 300 * KIB + 7)), 0);
  const error = await readError(t, readBytes(container, MIB + 300 * KIB, 8));
  t.is(error.offset, image.batOffset + 8);
  t.is(error.structure, 'BAT entry 1');
  t.is((await readBytes(container, 2 * MIB, 2 * MIB)).length, 2 * MIB);
  const lost = await open(image.places.get(1)!);
  t.is((await readError(t, readBytes(lost, 0, 4 * MIB))).structure, 'BAT entry 1');
  t.is(Buffer.compare(await readBytes(lost, 0, MIB), noise(1, MIB)), 0);
  const ends: number[] = [];
  const walk = async () => {
    for await (const extent of container.extents({ start: 0, length: container.size }))
      ends.push(extent.start + extent.length);
  };
  await t.throwsAsync(walk(), { instanceOf: DiskError });
  t.is(ends.at(-1), MIB + 300 * KIB + 7, 'the map is told up to the fault');
});

test('a last block that the disk does not fill need not be whole in the file', async (t) => {
  const image = await buildVhdx({ virtualSize: MIB + 512, blocks: { 1: { state: 6, data: noise(1, 512) } } });
  const bytes = await readBytes(image.device, 0, image.places.get(1)! + 512);
  const container = await openVhdx(new MemoryDevice(bytes));
  t.is(Buffer.compare(await readBytes(container, MIB, 512), noise(1, 512)), 0);
});

test('raw reads of blocks given back: an invalid place is zeros, what lies behind the end of the file too', async (t) => {
  const blocks = {
    0: { state: 3, fileOffset: 2 ** 40 },
    1: { state: 3, data: noise(1, MIB) },
    2: { state: 1, fileOffset: 0 },
  };
  const image = await buildVhdx({ virtualSize: 3 * MIB, blocks });
  const bytes = await readBytes(image.device, 0, image.places.get(1)! + 1000);
  const container = await openVhdx(new MemoryDevice(bytes), vhdxContext(), { unmapped: 'raw' });
  const expected = new Uint8Array(3 * MIB);
  expected.set(noise(1, MIB).subarray(0, 1000), MIB);
  t.is(Buffer.compare(await readBytes(container, 0, 3 * MIB), expected), 0);
});

test('an aborted read or walk ends with the abort', async (t) => {
  const container = await openVhdx(await buildVhdx(states));
  const signal = AbortSignal.abort();
  await t.throwsAsync(container.readInto(new Uint8Array(10), 0, { signal }), { name: 'AbortError' });
});
