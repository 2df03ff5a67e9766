import test from 'ava';
import { crc32c } from '../../../../../src/core/bytes/crc32c.ts';
import { KIB } from '../../../../../src/core/container/vhdx/header.ts';
import {
  ITEM_FLAG,
  METADATA_ITEM,
  METADATA_TABLE_BYTES,
  metadataTableEntry,
  metadataTableHeader,
} from '../../../../../src/core/container/vhdx/metadata.ts';
import {
  REGION_TABLE_BYTES,
  REGION_TABLE_OFFSETS,
  regionTableHeader,
} from '../../../../../src/core/container/vhdx/region-table.ts';
import { VhdxContainer } from '../../../../../src/core/container/vhdx/vhdx-container.ts';
import { vhdxFormat } from '../../../../../src/core/container/vhdx/vhdx-format.ts';
import { createVhdx } from '../../../../../src/core/container/vhdx/write/create-vhdx.ts';
import { MemoryDevice } from '../../../../../src/core/device/memory-device.ts';
import { type BlockDevice, type OpenContext, readBytes } from '../../../../../src/core/index.ts';
import { testContext } from '../../../../helpers/context.ts';
import { RecordedFile } from '../../../../helpers/recorded-file.ts';
import { contentOf, MIB, parentContext } from './vhdx-model.ts';

const GIB = 1024 ** 3;
// A BAT of 1 MiB has the entries of not quite 128 GiB in blocks of 1 MiB.
const [OLD_SIZE, NEW_SIZE] = [127 * GIB + 512 * 5, 140 * GIB];
/** Written before the disk grows: in the first block, over a boundary, and to its very end. */
const PLACES = [1000, 64 * GIB - 3000, OLD_SIZE - 5000];
const LENGTH = 5000;

async function largeDisk(parent?: VhdxContainer): Promise<{ bytes: Uint8Array; context: OpenContext }> {
  const file = new MemoryDevice(new Uint8Array(0));
  const type = parent === undefined ? 'dynamic' : 'differencing';
  const reference = parent && { dataWriteGuid: parent.dataWriteGuid, relativePath: 'parent.vhdx' };
  await createVhdx(file, { type, virtualSize: OLD_SIZE, blockSize: MIB, parent: reference });
  const context = parent === undefined ? testContext() : parentContext(parent);
  const disk = await vhdxFormat.openWritable!(file, context);
  for (const place of PLACES) await disk.writeFrom(contentOf({ seed: place % 1000, length: LENGTH }), place);
  await disk[Symbol.asyncDispose]();
  return { bytes: file.bytes, context };
}

/** What is wrong with the disk, as far as it was written to before it grew; undefined when it is right. */
async function wrongPart(disk: BlockDevice): Promise<string | undefined> {
  for (const place of PLACES) {
    const found = await readBytes(disk, place, LENGTH);
    if (Buffer.compare(found, contentOf({ seed: place % 1000, length: LENGTH })) !== 0) return `at ${place}`;
  }
  const behind = await readBytes(disk, OLD_SIZE - MIB, MIB - 5000);
  if (behind.some((byte) => byte !== 0)) return 'in the last block';
  if (disk.size === OLD_SIZE) return undefined;
  if (disk.size !== NEW_SIZE) return `the size ${disk.size}`;
  const grown = [await readBytes(disk, OLD_SIZE, 2 * MIB), await readBytes(disk, NEW_SIZE - MIB, MIB)];
  return grown.some((part) => part.some((byte) => byte !== 0)) ? 'in what the disk has grown by' : undefined;
}

test('a table that moves: cut at any operation, in order or not, the disk is as before or after', async (t) => {
  const { bytes, context } = await largeDisk();
  const file = new RecordedFile(bytes);
  const disk = await vhdxFormat.openWritable!(file, context);
  await disk.resize(NEW_SIZE);
  t.is(await wrongPart(disk), undefined);
  await disk.writeFrom(contentOf({ seed: 1, length: 9000 }), NEW_SIZE - 9000);
  await disk.flush();
  const sizes = new Set<number>();
  for (let count = 0; count <= file.operations.length; count += 1) {
    for (const image of [file.after(count), file.afterReordered(count, count)]) {
      const device = new MemoryDevice(image);
      const found = await vhdxFormat.open(device, testContext());
      sizes.add(found.size);
      if (found.size === OLD_SIZE || count < file.operations.length - 12)
        t.is(await wrongPart(found), undefined, `cut ${count}`);
      const again = await vhdxFormat.openWritable!(device, testContext());
      t.is(again.size, found.size);
      await again[Symbol.asyncDispose]();
    }
  }
  t.deepEqual(sizes, new Set([OLD_SIZE, NEW_SIZE]));
  const end = await vhdxFormat.open(new MemoryDevice(file.bytes), testContext());
  t.deepEqual(
    await readBytes(end, NEW_SIZE - 9000, 9000),
    contentOf({ seed: 1, length: 9000 }) as Uint8Array<ArrayBuffer>,
  );
});

for (const damaged of [0, 1] as const) {
  test(`a damaged copy ${damaged + 1} of the region table is mended when the table moves`, async (t) => {
    const { bytes, context } = await largeDisk();
    bytes.fill(0xa5, REGION_TABLE_OFFSETS[damaged] + 100, REGION_TABLE_OFFSETS[damaged] + REGION_TABLE_BYTES);
    const file = new RecordedFile(bytes);
    const disk = await vhdxFormat.openWritable!(file, context);
    await disk.resize(NEW_SIZE);
    await disk[Symbol.asyncDispose]();
    for (let count = 0; count <= file.operations.length; count++) {
      const found = await vhdxFormat.open(new MemoryDevice(file.after(count)), testContext());
      t.is(await wrongPart(found), undefined, `cut ${count}`);
    }
    const [first, second] = REGION_TABLE_OFFSETS.map((offset) => file.bytes.slice(offset, offset + REGION_TABLE_BYTES));
    t.deepEqual(first, second);
    const quiet = testContext();
    t.is((await vhdxFormat.open(new MemoryDevice(file.bytes), quiet)).size, NEW_SIZE);
    t.deepEqual(quiet.diagnostics, []);
  });
}

for (const [name, changes] of Object.entries({
  'no signature': { signature: 0 },
  '3000 entries': { entryCount: 3000 },
})) {
  test(`a first region table with ${name}, though its checksum is right, is not taken when the table moves`, async (t) => {
    const { bytes, context } = await largeDisk();
    const table = bytes.subarray(REGION_TABLE_OFFSETS[0], REGION_TABLE_OFFSETS[0] + REGION_TABLE_BYTES);
    regionTableHeader.write(table, { ...changes, checksum: 0 });
    regionTableHeader.write(table, { checksum: crc32c(table) });
    const file = new MemoryDevice(bytes);
    const disk = await vhdxFormat.openWritable!(file, context);
    await disk.resize(NEW_SIZE);
    await disk[Symbol.asyncDispose]();
    const quiet = testContext();
    t.is(await wrongPart(await vhdxFormat.open(file, quiet)), undefined);
    t.deepEqual(quiet.diagnostics, []);
  });
}

test('the size that changes is the disk’s: a user’s item with the same GUID stays as it is', async (t) => {
  const file = new MemoryDevice(new Uint8Array(0));
  const { metadataOffset } = await createVhdx(file, { type: 'dynamic', virtualSize: MIB });
  const table = file.bytes.subarray(metadataOffset, metadataOffset + METADATA_TABLE_BYTES);
  const { entryCount } = metadataTableHeader.parse(table);
  metadataTableHeader.write(table, { entryCount: entryCount + 1 });
  table.copyWithin(64, 32, 32 + entryCount * metadataTableEntry.size);
  const item = { itemId: METADATA_ITEM.virtualDiskSize, offset: 128 * KIB, length: 8, flags: 2 ** ITEM_FLAG.isUser };
  metadataTableEntry.write(table, item, 32);
  file.bytes.fill(9, metadataOffset + item.offset, metadataOffset + item.offset + item.length);
  const disk = await vhdxFormat.openWritable!(file, testContext());
  await disk.resize(3 * MIB);
  await disk[Symbol.asyncDispose]();
  t.is((await vhdxFormat.open(file, testContext())).size, 3 * MIB);
  t.deepEqual(await readBytes(file, metadataOffset + item.offset, item.length), new Uint8Array(8).fill(9));
});

test('the sector bitmaps of a differencing disk come along when its table moves', async (t) => {
  const parentFile = new MemoryDevice(new Uint8Array(0));
  await createVhdx(parentFile, { type: 'dynamic', virtualSize: OLD_SIZE, blockSize: MIB });
  const writable = await vhdxFormat.openWritable!(parentFile, testContext());
  await writable.writeFrom(new Uint8Array(MIB).fill(3), OLD_SIZE - MIB);
  await writable[Symbol.asyncDispose]();
  const parent = await vhdxFormat.open(parentFile, testContext());
  if (!(parent instanceof VhdxContainer)) return t.fail();
  const { bytes, context } = await largeDisk(parent);
  const file = new MemoryDevice(bytes);
  const disk = await vhdxFormat.openWritable!(file, context);
  await disk.resize(NEW_SIZE);
  await disk.writeFrom(new Uint8Array([8]), OLD_SIZE + MIB);
  await disk[Symbol.asyncDispose]();
  const end = await vhdxFormat.open(file, context);
  const last = await readBytes(end, OLD_SIZE - MIB, 3 * MIB);
  const expected = new Uint8Array(3 * MIB).fill(3, 0, MIB - 5000);
  expected.set(contentOf({ seed: PLACES[2]! % 1000, length: LENGTH }), MIB - 5000);
  expected[2 * MIB] = 8;
  t.is(Buffer.compare(last, expected), 0);
});
