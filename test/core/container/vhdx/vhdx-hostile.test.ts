import test, { type ExecutionContext } from 'ava';
import { crc32cWithoutField } from '../../../../src/core/bytes/crc32c.ts';
import { openContainer } from '../../../../src/core/container/formats.ts';
import { HEADER_BYTES, HEADER_OFFSETS, MIB, vhdxHeader } from '../../../../src/core/container/vhdx/header.ts';
import {
  fileParameters,
  METADATA_ITEM,
  METADATA_TABLE_BYTES,
  metadataTableHeader,
  sectorSizeItem,
  virtualDiskSize,
} from '../../../../src/core/container/vhdx/metadata.ts';
import { REGION, REGION_TABLE_BYTES, REGION_TABLE_OFFSETS } from '../../../../src/core/container/vhdx/region-table.ts';
import {
  type BlockDevice,
  type Container,
  DiskError,
  type DiskErrorCode,
  MemoryDevice,
  OverlayDevice,
  readBytes,
} from '../../../../src/core/index.ts';
import { CountingDevice, FaultyDevice, isInjectedFault, RecordingDevice } from '../../../helpers/devices.ts';
import { seededRandom } from '../../../helpers/seeded-random.ts';
import { sectorOf, writeLog } from './log-builder.ts';
import { noise, openVhdx, parentKeys, property, vhdxContext } from './open-vhdx.ts';
import {
  buildVhdx,
  type HeaderValues,
  LOG_GUID,
  type MetadataRecipe,
  writeHeader,
  writeRegionTable,
} from './vhdx-builder.ts';

const UNKNOWN = 'DEADBEEF-0000-4000-8000-00000000BEEF';
const recipe = { virtualSize: 4 * MIB, blocks: { 0: { state: 6, data: noise(1, MIB) } } };

async function failure(t: ExecutionContext, attempt: Promise<unknown>, code: DiskErrorCode): Promise<DiskError> {
  const error = await t.throwsAsync(attempt, { instanceOf: DiskError });
  t.is(error?.code, code, error?.message);
  t.is(error?.layer, 'vhdx');
  return error!;
}

async function readsRight(t: ExecutionContext, container: Container): Promise<void> {
  t.is(Buffer.compare(await readBytes(container, 0, MIB), noise(1, MIB)), 0);
}

test('a recognized magic never ends as raw: every truncation before the metadata is CORRUPT', async (t) => {
  const image = await buildVhdx(recipe);
  const bytes = await readBytes(image.device, 0, image.device.size);
  const ends = [
    8,
    9,
    519,
    520,
    65536,
    65636,
    69632,
    135168,
    196608,
    262143,
    327680,
    MIB,
    2 * MIB,
    2 * MIB + 5,
    3 * MIB,
  ];
  for (const size of ends) await failure(t, openVhdx(new MemoryDevice(bytes.slice(0, size))), 'CORRUPT');
  for (const size of [3 * MIB + 65536, 3 * MIB + 65536 + 60])
    await failure(t, openVhdx(new MemoryDevice(bytes.slice(0, size))), 'CORRUPT');
  t.is((await openVhdx(new MemoryDevice(bytes.slice(0, 7)))).format, 'raw');
});

test('an image that must be VHDX and lacks the magic is CORRUPT', async (t) => {
  const opening = openContainer(new MemoryDevice(new Uint8Array(MIB)), vhdxContext(), 'vhdx');
  t.is((await failure(t, opening, 'CORRUPT')).structure, 'file identifier');
});

type Copies = readonly [HeaderValues | undefined, HeaderValues | undefined];

/** Writes both headers over those of `image`; undefined leaves damage in its place. */
async function withHeaders(copies: Copies) {
  const image = await buildVhdx(recipe);
  for (const index of [0, 1] as const) {
    const values = copies[index];
    if (values === undefined) await image.device.writeFrom(Uint8Array.of(0xff), HEADER_OFFSETS[index] + 3000);
    else await writeHeader(image.device, index, { ...image.header, ...values });
  }
  return image;
}

const headerChoices: readonly [string, Copies, number, number][] = [
  ['the second has the higher number', [{ sequenceNumber: 1n }, { sequenceNumber: 2n }], 2, 0],
  ['the first has the higher number', [{ sequenceNumber: 9n }, { sequenceNumber: 8n }], 1, 0],
  ['numbers above 2^63', [{ sequenceNumber: 2n ** 64n - 1n }, { sequenceNumber: 2n ** 63n }], 1, 0],
  ['both the same', [{}, {}], 1, 0],
  ['the first is damaged', [undefined, { sequenceNumber: 1n }], 2, 1],
  ['the second is damaged', [{ sequenceNumber: 1n }, undefined], 1, 1],
  ['the newer is of another version', [{ sequenceNumber: 1n }, { sequenceNumber: 2n, version: 2 }], 1, 1],
  ['the newer has no signature', [{ sequenceNumber: 1n }, { sequenceNumber: 2n, signature: 0 }], 1, 1],
];

for (const [name, copies, number, reported] of headerChoices) {
  test(`headers: ${name}`, async (t) => {
    const context = vhdxContext();
    const container = await openVhdx(await withHeaders(copies), context);
    t.is(property(container, 'currentHeader'), number);
    t.is(context.diagnostics.length, reported);
    if (reported > 0) t.regex(context.diagnostics[0]!.message, new RegExp(`damaged.*header ${number} is used`));
    await readsRight(t, container);
  });
}

const badHeaders: readonly [string, Copies, DiskErrorCode][] = [
  ['both damaged', [undefined, undefined], 'CORRUPT'],
  ['two of one number that differ', [{ dataWriteGuid: UNKNOWN }, {}], 'CORRUPT'],
  ['none of a version that is ours', [{ version: 2 }, { version: 2 }], 'UNSUPPORTED'],
  ['a log that is not whole MiB', [{}, { sequenceNumber: 9n, logLength: MIB + 4096 }], 'CORRUPT'],
  ['a log in the header section', [{}, { sequenceNumber: 9n, logOffset: 0 }], 'CORRUPT'],
  ['a log at an odd place', [{}, { sequenceNumber: 9n, logOffset: MIB + 4096 }], 'CORRUPT'],
  ['a log over the BAT', [{}, { sequenceNumber: 9n, logLength: 2 * MIB }], 'CORRUPT'],
];

for (const [name, copies, code] of badHeaders) {
  test(`headers: ${name}: ${code}`, async (t) => {
    await failure(t, openVhdx(await withHeaders(copies)), code);
  });
}

test('a header with a 64-bit field above 2^53 is damaged, and no log at all is only said', async (t) => {
  const image = await withHeaders([{ sequenceNumber: 1n }, { sequenceNumber: 2n }]);
  const bytes = await readBytes(image.device, HEADER_OFFSETS[1], HEADER_BYTES);
  bytes.fill(0xff, 72, 80);
  vhdxHeader.write(bytes, { checksum: crc32cWithoutField(bytes, 4) });
  await image.device.writeFrom(bytes, HEADER_OFFSETS[1]);
  t.is(property(await openVhdx(image), 'currentHeader'), 1);
  const none = await withHeaders([{}, { sequenceNumber: 9n, logLength: 0, logOffset: 12345, logGuid: LOG_GUID }]);
  const context = vhdxContext();
  await readsRight(t, await openVhdx(none, context));
  t.regex(context.diagnostics[0]?.message ?? '', /gives it no length: nothing is replayed/);
});

type RegionValues = Parameters<typeof writeRegionTable>[2];

async function withRegions(change: (regions: Record<string, unknown>[]) => unknown[] | undefined, entryCount?: number) {
  const image = await buildVhdx(recipe);
  const regions = [
    { guid: REGION.bat, fileOffset: image.batOffset, length: MIB, required: 1 },
    { guid: REGION.metadata, fileOffset: image.metadataOffset, length: MIB, required: 1 },
  ];
  const values = (change(regions) ?? regions) as RegionValues;
  for (const copy of [0, 1] as const) await writeRegionTable(image.device, copy, values, entryCount);
  return image;
}

const far = { guid: UNKNOWN, fileOffset: 40 * MIB, length: MIB, required: 0 };
const badRegions: readonly [string, Parameters<typeof withRegions>, DiskErrorCode][] = [
  ['no entries', [() => []], 'CORRUPT'],
  ['no BAT', [(regions) => regions.slice(1)], 'CORRUPT'],
  ['no metadata', [(regions) => regions.slice(0, 1)], 'CORRUPT'],
  ['two BATs', [(regions) => [...regions, { ...far, guid: REGION.bat }]], 'CORRUPT'],
  ['two metadata regions', [(regions) => [...regions, { ...far, guid: REGION.metadata }]], 'CORRUPT'],
  ['2048 entries', [() => undefined, 2048], 'CORRUPT'],
  ['2^32 - 1 entries', [() => undefined, 0xffffffff], 'CORRUPT'],
  ['a BAT at an odd place', [([bat]) => void Object.assign(bat!, { fileOffset: 2 * MIB + 512 })], 'CORRUPT'],
  ['a BAT in the header section', [([bat]) => void Object.assign(bat!, { fileOffset: 0 })], 'CORRUPT'],
  ['a BAT of odd length', [([bat]) => void Object.assign(bat!, { length: 100 })], 'CORRUPT'],
  ['a BAT of no length', [([bat]) => void Object.assign(bat!, { length: 0 })], 'CORRUPT'],
  ['a BAT over the metadata', [([bat]) => void Object.assign(bat!, { length: 2 * MIB })], 'CORRUPT'],
  ['a BAT over the log', [([bat]) => void Object.assign(bat!, { fileOffset: MIB })], 'CORRUPT'],
  ['a BAT behind the end', [([bat]) => void Object.assign(bat!, { fileOffset: 2 ** 40 })], 'CORRUPT'],
  ['metadata behind the end', [([, metadata]) => void Object.assign(metadata!, { fileOffset: 2 ** 40 })], 'CORRUPT'],
  ['an unknown region over the BAT', [(regions) => [...regions, { ...far, fileOffset: 2 * MIB }]], 'CORRUPT'],
  ['an unknown required region', [(regions) => [...regions, { ...far, required: 1 }]], 'UNSUPPORTED'],
];

for (const [name, change, code] of badRegions) {
  test(`regions: ${name}: ${code}`, async (t) => {
    const error = await failure(t, openVhdx(await withRegions(...change)), code);
    t.regex(error.structure!, /^region table/);
    t.true(error.offset! >= 192 * 1024 && error.offset! < 256 * 1024);
    if (code === 'UNSUPPORTED') t.is(error.found, UNKNOWN);
  });
}

test('regions: an unknown one that is not required is passed over', async (t) => {
  await readsRight(t, await openVhdx(await withRegions((regions) => [far, ...regions])));
});

test('region tables: a damaged copy, a missing one or one that differs is said, the other used; both damaged are CORRUPT', async (t) => {
  const damage = async (...copies: number[]) => {
    const image = await buildVhdx(recipe);
    for (const copy of copies) await image.device.writeFrom(Uint8Array.of(1), REGION_TABLE_OFFSETS[copy]! + 60_000);
    return image;
  };
  for (const [copy, used] of [
    [0, 2],
    [1, 1],
  ] as const) {
    const context = vhdxContext();
    await readsRight(t, await openVhdx(await damage(copy), context));
    t.regex(context.diagnostics[0]!.message, new RegExp(`bad checksum.*region table ${used} is used`));
    t.is(context.diagnostics[0]!.offset, REGION_TABLE_OFFSETS[copy]);
  }
  await failure(t, openVhdx(await damage(0, 1)), 'CORRUPT');
  const image = await buildVhdx(recipe);
  await writeRegionTable(image.device, 1, []);
  const context = vhdxContext();
  await readsRight(t, await openVhdx(image, context));
  t.regex(context.diagnostics[0]!.message, /not the same/);
  await image.device.writeFrom(new Uint8Array(REGION_TABLE_BYTES), REGION_TABLE_OFFSETS[0]);
  await failure(t, openVhdx(image), 'CORRUPT');
});

const item = (id: string, bytes: Uint8Array, more: Partial<MetadataRecipe> = {}): MetadataRecipe => ({
  id,
  bytes,
  ...more,
});
const block = (blockSize: number) => item(METADATA_ITEM.fileParameters, fileParameters.build({ blockSize }));
const size = (value: number) => item(METADATA_ITEM.virtualDiskSize, virtualDiskSize.build({ size: value }));
const sector = (value: number) => item(METADATA_ITEM.logicalSectorSize, sectorSizeItem.build({ size: value }));
const parameters = fileParameters.build({ blockSize: MIB });

const badMetadata: readonly [string, readonly MetadataRecipe[], DiskErrorCode][] = [
  ['blocks of 512 KiB', [block(MIB / 2)], 'CORRUPT'],
  ['blocks of 512 MiB', [block(512 * MIB)], 'CORRUPT'],
  ['blocks of 3 MiB', [block(3 * MIB)], 'CORRUPT'],
  ['blocks of no size', [block(0)], 'CORRUPT'],
  ['a disk of 64 TiB and a sector', [size(2 ** 46 + 512)], 'CORRUPT'],
  ['a disk of 2^53 - 1 bytes', [size(2 ** 53 - 1)], 'CORRUPT'],
  ['a disk of 2^64 - 1 bytes', [item(METADATA_ITEM.virtualDiskSize, new Uint8Array(8).fill(0xff))], 'CORRUPT'],
  ['a disk of no whole sectors', [size(MIB + 511)], 'CORRUPT'],
  ['sectors of 4096 and a disk of 512 more', [sector(4096), size(MIB + 512)], 'CORRUPT'],
  ['sectors of 1024', [sector(1024)], 'CORRUPT'],
  ['sectors of no size', [sector(0)], 'CORRUPT'],
  ['a BAT too small for the disk', [size(2 ** 40)], 'CORRUPT'],
  ['file parameters cut short', [item(METADATA_ITEM.fileParameters, parameters.slice(0, 7))], 'CORRUPT'],
  [
    'file parameters of no length',
    [item(METADATA_ITEM.fileParameters, parameters, { offset: 0, length: 0 })],
    'CORRUPT',
  ],
  ['an item inside the table', [item(METADATA_ITEM.fileParameters, parameters, { offset: 4096 })], 'CORRUPT'],
  ['an item behind the region', [item(METADATA_ITEM.fileParameters, parameters, { offset: MIB - 7 })], 'CORRUPT'],
  ['an item of 2^32 - 1 bytes', [item(METADATA_ITEM.fileParameters, parameters, { length: 0xffffffff })], 'CORRUPT'],
  ['an item twice', [item(UNKNOWN, parameters, { flags: 0 }), item(UNKNOWN, parameters, { flags: 2 })], 'CORRUPT'],
  ['an unknown required item', [item(UNKNOWN, parameters, { flags: 4 })], 'UNSUPPORTED'],
  ['an unknown required item of the user', [item(UNKNOWN, parameters, { flags: 5 })], 'UNSUPPORTED'],
];

for (const [name, metadata, code] of badMetadata) {
  test(`metadata: ${name}: ${code}`, async (t) => {
    const image = await buildVhdx({ ...recipe, metadata });
    const device = new CountingDevice(image.device);
    const error = await failure(t, openVhdx(device), code);
    t.true(error.offset! >= image.batOffset && error.offset! < image.metadataOffset + MIB);
    t.true(device.bytesRead < 300 * 1024, 'refused before anything large is read');
    if (code === 'UNSUPPORTED') t.is(error.found, UNKNOWN);
  });
}

test('metadata: an item that is needed and missing is CORRUPT by its name; one that is not is said', async (t) => {
  const without = async (id: string) =>
    buildVhdx({ ...recipe, metadata: [item(id, new Uint8Array(32), { flags: 1 })] });
  for (const id of [METADATA_ITEM.fileParameters, METADATA_ITEM.virtualDiskSize, METADATA_ITEM.logicalSectorSize]) {
    const error = await failure(t, openVhdx(await without(id)), 'CORRUPT');
    t.true(error.expected!.includes(id), 'an item of the user with that ID is not it');
  }
  for (const id of [METADATA_ITEM.physicalSectorSize, METADATA_ITEM.virtualDiskId]) {
    const context = vhdxContext();
    await readsRight(t, await openVhdx(await without(id), context));
    t.regex(context.diagnostics[0]!.message, /missing/);
  }
});

test('metadata: unknown items that are not required are passed over, wherever they say they are', async (t) => {
  const odd = item(UNKNOWN, parameters, { flags: 0, offset: 0xffffffff, length: 0xffffffff });
  await readsRight(t, await openVhdx(await buildVhdx({ ...recipe, metadata: [odd] })));
});

test('metadata: a table with another signature or too many entries is CORRUPT', async (t) => {
  for (const values of [{ signature: Buffer.from('metadatA') }, { entryCount: 2048 }, { entryCount: 65535 }]) {
    const image = await buildVhdx(recipe);
    const table = await readBytes(image.device, image.metadataOffset, METADATA_TABLE_BYTES);
    metadataTableHeader.write(table, values);
    await image.device.writeFrom(table, image.metadataOffset);
    await failure(t, openVhdx(image), 'CORRUPT');
  }
});

test('a file that ends inside the BAT: that is said, its entries that are there work, the others are CORRUPT', async (t) => {
  const image = await buildVhdx(recipe);
  const bytes = new Uint8Array(4 * MIB + 16);
  bytes.set(await readBytes(image.device, 0, 2 * MIB));
  // The metadata before the BAT, which holds two entries.
  bytes.set(await readBytes(image.device, image.metadataOffset, MIB), 3 * MIB);
  const device = new OverlayDevice(new MemoryDevice(bytes));
  for (const copy of [0, 1] as const) {
    await writeRegionTable(device, copy, [
      { guid: REGION.bat, fileOffset: 4 * MIB, length: MIB, required: 1 },
      { guid: REGION.metadata, fileOffset: 3 * MIB, length: MIB, required: 1 },
    ]);
  }
  const context = vhdxContext();
  const container = await openVhdx(device, context);
  t.regex(context.diagnostics[0]!.message, /truncated.*inside the BAT/);
  t.deepEqual(await readBytes(container, 0, 2 * MIB), new Uint8Array(2 * MIB));
  const error = await failure(t, readBytes(container, 2 * MIB, 1), 'CORRUPT');
  t.is(error.structure, 'BAT entry 2');
  t.is(error.offset, 4 * MIB + 16);
});

/** A differencing image with a pending log: everything that opening and reading may do. */
async function busyImage() {
  const parent = await buildVhdx(recipe);
  const blocks = { 1: { state: 7, data: noise(2, MIB) }, 2: { state: 6, data: noise(3, MIB) }, 3: { state: 3 } };
  const image = await buildVhdx({ ...recipe, blocks, bitmaps: { 0: [[2050, 9]] }, parent: parentKeys('p') });
  const update = { fileOffset: image.places.get(2)! + 8192, data: sectorOf(1) };
  const zeros = { fileOffset: image.places.get(2)! + 16384, zeroLength: 8192 };
  await writeLog(image, [
    { sequenceNumber: 3n, tail: 0, updates: [update] },
    { sequenceNumber: 4n, tail: 0, updates: [zeros] },
  ]);
  return { parent, image };
}

test('a fault at any request comes through, and the next reader is served', async (t) => {
  const { parent, image } = await busyImage();
  const counting = new RecordingDevice(image.device);
  const context = () => vhdxContext({ p: parent.device });
  const expected = await readBytes(await openVhdx(counting, context()), 0, 4 * MIB);
  t.true(counting.requests.length >= 15);
  for (let failAt = 0; failAt < counting.requests.length; failAt++) {
    const faulty = new FaultyDevice(image.device, failAt);
    let opened: Container | undefined;
    const attempt = async () => {
      opened = await openVhdx(faulty, context());
      await readBytes(opened, 0, 4 * MIB);
    };
    const error = await t.throwsAsync(attempt(), { any: true }, `request ${failAt}`);
    t.true(isInjectedFault(error), `request ${failAt}: ${error}`);
    if (opened === undefined) continue;
    faulty.requests.push({ kind: 'read', offset: 0, length: 0 });
    t.is(Buffer.compare(await readBytes(opened, 0, 4 * MIB), expected), 0, `after request ${failAt}`);
  }
});

/** Sets the checksums of headers, region tables and the log's first entries right again, so that damage gets past them. */
async function seal(device: OverlayDevice, image: BlockDevice, random: () => number): Promise<void> {
  for (const [offset, length] of [
    [HEADER_OFFSETS[0], HEADER_BYTES],
    [HEADER_OFFSETS[1], HEADER_BYTES],
    [REGION_TABLE_OFFSETS[0], REGION_TABLE_BYTES],
    [REGION_TABLE_OFFSETS[1], REGION_TABLE_BYTES],
    [MIB, 8192],
    [MIB + 8192, 4096],
  ] as const) {
    if (random() < 0.2 || image.size < offset + length) continue;
    const bytes = await readBytes(device, offset, length);
    vhdxHeader.write(bytes, { checksum: crc32cWithoutField(bytes, 4) });
    await device.writeFrom(bytes.subarray(0, 8), offset);
  }
}

test('any damage gives bytes or a DiskError, within bounded reads', async (t) => {
  const { parent, image } = await busyImage();
  const random = seededRandom(77);
  // Where a blow hurts: headers, region tables, log, BAT (with its bitmap entry), metadata table and items, bitmap.
  const places: readonly (readonly [number, number])[] = [
    [HEADER_OFFSETS[0], 80],
    [HEADER_OFFSETS[1], 80],
    [REGION_TABLE_OFFSETS[0], 80],
    [MIB, 160],
    [MIB + 8192, 100],
    [image.batOffset, 32],
    [image.batOffset + 4096 * 8, 8],
    [image.metadataOffset, 240],
    [image.metadataOffset + 65536, 300],
    [image.metadataOffset + MIB, 1024],
  ];
  let refused = 0;
  const rounds = 600;
  for (let round = 0; round < rounds; round++) {
    const device = new OverlayDevice(image.device);
    for (let blow = 0; blow < 1 + random() * 3; blow++) {
      const [start, length] = places[Math.floor(random() * places.length)]!;
      await device.writeFrom(
        Uint8Array.of(random() < 0.3 ? 0xff : random() * 256),
        start + Math.floor(random() * length),
      );
    }
    await seal(device, image.device, random);
    const end = random() < 0.15 ? Math.floor(8 + random() * image.device.size) : image.device.size;
    const counting = new CountingDevice(new OverlayDevice(device, { size: end }));
    try {
      const opened = await openVhdx(counting, vhdxContext({ p: parent.device }), {
        log: random() < 0.3 ? 'ignore' : 'replay',
        unmapped: random() < 0.5 ? 'raw' : 'zeros',
      });
      await readBytes(opened, 0, Math.min(opened.size, 2 * MIB));
      for (let read = 0; read < 5; read++)
        await readBytes(opened, Math.floor(random() * Math.max(1, opened.size - 4096)), Math.min(opened.size, 4096));
    } catch (error) {
      if (!(error instanceof DiskError)) t.fail(`round ${round}: ${(error as Error).stack}`);
      refused++;
    }
    if (counting.bytesRead > 64 * MIB) t.fail(`round ${round}: ${counting.bytesRead} bytes read`);
  }
  t.true(refused > 60 && refused < rounds - 60, `${refused} of ${rounds} refused`);
});
