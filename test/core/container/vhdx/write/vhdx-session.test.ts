import test from 'ava';
import { PAYLOAD_BLOCK, packBatEntry } from '../../../../../src/core/container/vhdx/block-allocation-table.ts';
import { HEADER_OFFSETS, vhdxHeader } from '../../../../../src/core/container/vhdx/header.ts';
import { vhdxFormat } from '../../../../../src/core/container/vhdx/vhdx-format.ts';
import { createVhdx } from '../../../../../src/core/container/vhdx/write/create-vhdx.ts';
import { buildHeader } from '../../../../../src/core/container/vhdx/write/header-updater.ts';
import { MemoryDevice } from '../../../../../src/core/device/memory-device.ts';
import { deviceConformance } from '../../../../conformance/device-conformance.ts';
import { extentsConformance } from '../../../../conformance/extents-conformance.ts';
import { collect } from '../../../../helpers/collect.ts';
import { testContext } from '../../../../helpers/context.ts';
import { RecordedFile } from '../../../../helpers/recorded-file.ts';
import { readBothWays, readInMemory } from './crash-trace.ts';
import {
  contentOf,
  contents,
  type DiskRecipe,
  firstDifference,
  MIB,
  makeDisk,
  perform,
  randomCalls,
} from './vhdx-model.ts';

const NIL = '00000000-0000-0000-0000-000000000000';
const LOG_OFFSET = MIB;
const BAT_OFFSET = 3 * MIB;

async function newDisk(type: 'fixed' | 'dynamic' = 'dynamic', virtualSize = 4 * MIB): Promise<RecordedFile> {
  const file = new MemoryDevice(new Uint8Array(0));
  await createVhdx(file, { type, virtualSize, blockSize: MIB });
  return new RecordedFile(file.bytes);
}

const headers = (bytes: Uint8Array) => HEADER_OFFSETS.map((offset) => vhdxHeader.parse(bytes, offset));

test('a session that changes nothing writes nothing', async (t) => {
  const file = await newDisk();
  const disk = await vhdxFormat.openWritable!(file, testContext());
  await contents(disk);
  await disk.writeFrom(new Uint8Array(0), 5);
  await disk.resize(disk.size);
  await disk[Symbol.asyncDispose]();
  t.true(file.operations.every(({ kind }) => kind === 'flush'));
});

test('both headers get new GUIDs before anything else is written, once a session, and name a log only while it is needed', async (t) => {
  const file = await newDisk();
  const [, before] = headers(file.bytes);
  const disk = await vhdxFormat.openWritable!(file, testContext());
  await disk.writeFrom(new Uint8Array(10), 0);
  t.deepEqual(
    file.operations.slice(0, 4).map((operation) => (operation.kind === 'write' ? operation.offset : operation.kind)),
    [HEADER_OFFSETS[0], 'flush', HEADER_OFFSETS[1], 'flush'],
  );
  const [first, second] = headers(file.bytes);
  t.not(first!.fileWriteGuid, before!.fileWriteGuid);
  t.not(first!.dataWriteGuid, before!.dataWriteGuid);
  t.not(first!.logGuid, NIL);
  t.is(second!.sequenceNumber, first!.sequenceNumber + 1n);
  t.deepEqual({ ...second, sequenceNumber: 0n, checksum: 0 }, { ...first, sequenceNumber: 0n, checksum: 0 });
  await disk.writeFrom(new Uint8Array(10), 2 * MIB);
  await disk.flush();
  const [, flushed] = headers(file.bytes);
  t.is(flushed!.logGuid, NIL);
  t.is(flushed!.fileWriteGuid, second!.fileWriteGuid);
  t.is(flushed!.dataWriteGuid, second!.dataWriteGuid);
  const value = (key: string) => disk.properties.find((property) => property.key === key)?.value;
  t.is(value('dataWriteGuid'), flushed!.dataWriteGuid);
  t.is(value('headerSequenceNumber'), String(flushed!.sequenceNumber));
  const { length } = file.operations;
  await disk[Symbol.asyncDispose]();
  t.true(file.operations.slice(length).every(({ kind }) => kind === 'flush'));
});

test('a log that is named but empty is put away before the first write', async (t) => {
  const made = await newDisk();
  const current = headers(made.bytes)[1]!;
  const bytes = made.bytes;
  bytes.set(buildHeader({ ...current, sequenceNumber: 7n, logGuid: current.fileWriteGuid }), HEADER_OFFSETS[0]);
  const file = new MemoryDevice(bytes);
  const disk = await vhdxFormat.openWritable!(file, testContext());
  t.deepEqual(
    headers(file.bytes).map(({ logGuid }) => logGuid),
    [NIL, NIL],
  );
  await disk.writeFrom(contentOf({ seed: 1, length: 100 }), 50);
  await disk[Symbol.asyncDispose]();
  const again = await contents(await vhdxFormat.open(file, testContext()));
  t.deepEqual(again.subarray(50, 150), contentOf({ seed: 1, length: 100 }));
});

test('the places of discarded blocks are taken again, and show nothing of what they held', async (t) => {
  const file = await newDisk();
  const disk = await vhdxFormat.openWritable!(file, testContext());
  await disk.writeFrom(new Uint8Array(2 * MIB).fill(7), 0);
  const { size } = file;
  await disk.discard({ start: 0, length: 2 * MIB });
  await disk.writeFrom(new Uint8Array([1]), 2 * MIB + 500);
  await disk.writeFrom(new Uint8Array([2]), 4 * MIB - 1);
  t.is(file.size, size);
  const expected = new Uint8Array(4 * MIB);
  expected[2 * MIB + 500] = 1;
  expected[4 * MIB - 1] = 2;
  t.is(firstDifference(await contents(disk), expected), undefined);
});

test('blocks of a fixed disk keep their places when they are discarded or zeroed', async (t) => {
  const file = await newDisk('fixed');
  const disk = await vhdxFormat.openWritable!(file, testContext());
  await disk.writeFrom(new Uint8Array(4 * MIB).fill(7), 0);
  await disk.discard({ start: 0, length: 2 * MIB });
  await disk.writeZeros({ start: 2 * MIB, length: 2 * MIB });
  const extents = await collect(disk.extents({ start: 0, length: disk.size }));
  t.deepEqual(
    extents.map(({ kind, length }) => [kind, length]),
    [['data', 4 * MIB]],
  );
  t.true((await contents(disk)).every((byte) => byte === 0));
});

test('a log that is full is emptied and begun anew: cut at any operation around that, the state is before or after', async (t) => {
  const file = await newDisk();
  const disk = await vhdxFormat.openWritable!(file, testContext());
  // Each of these is an entry of 8 KiB in a log of 1 MiB; one more before them, so that it is a write that finds it full.
  await disk.writeFrom(new Uint8Array([1]), 0);
  const full: [call: number, start: number, end: number][] = [];
  for (let call = 1; call <= 150; call++) {
    const start = file.operations.length;
    if (call % 2 === 1) await disk.writeFrom(new Uint8Array(4096).fill(call), MIB);
    else await disk.writeZeros({ start: MIB, length: MIB });
    const touched = file.operations.slice(start).filter((operation) => operation.kind === 'write');
    if (touched.some(({ offset }) => offset === HEADER_OFFSETS[0])) full.push([call, start, file.operations.length]);
  }
  t.is(full.length, 1, 'the log was full once');
  const [call, start, end] = full[0]!;
  t.is(call % 2, 1);
  /** The number of the call whose write is there; 0 for zeros. */
  const writerOf = (bytes: Uint8Array): number => {
    const values = new Set(bytes.subarray(MIB, MIB + 4096));
    const rest = [bytes.subarray(1, MIB), bytes.subarray(MIB + 4096)];
    t.true(bytes[0] === 1 && values.size === 1 && rest.every((part) => part.every((byte) => byte === 0)));
    return [...values][0]!;
  };
  const seen = new Set<number>();
  for (let count = start; count <= end; count++) {
    const { inMemory, forReal } = await readBothWays(file.after(count), testContext());
    t.is(writerOf(inMemory), writerOf(forReal));
    seen.add(writerOf(inMemory));
    for (let seed = 0; seed < 3; seed++) {
      const reordered = await readInMemory(file.afterReordered(count, 100 * seed + count), testContext());
      t.true([0, call].includes(writerOf(reordered)), `cut ${count}, seed ${seed}`);
    }
  }
  t.deepEqual(seen, new Set([0, call]));
});

test('what a call put into new blocks is not lost when the flush after it is cut', async (t) => {
  const file = await newDisk();
  const disk = await vhdxFormat.openWritable!(file, testContext());
  const expected = new Uint8Array(4 * MIB);
  expected.set(contentOf({ seed: 4, length: 2 * MIB }), 1000);
  await disk.writeFrom(expected.subarray(1000, 1000 + 2 * MIB), 1000);
  const start = file.operations.length;
  await disk.flush();
  for (let count = start; count <= file.operations.length; count++) {
    for (let seed = 0; seed < 10; seed++) {
      const found = await readInMemory(file.afterReordered(count, 100 * seed + count), testContext());
      t.is(firstDifference(found, expected), undefined, `cut ${count}, seed ${seed}`);
    }
  }
});

test('calls that overlap in time are done one after the other, and reads see whole ones', async (t) => {
  const file = await newDisk();
  const disk = await vhdxFormat.openWritable!(file, testContext());
  const range = { start: MIB - 5000, length: 10_000 };
  const reads: Promise<Uint8Array>[] = [];
  const writes: Promise<void>[] = [];
  const extents: Promise<unknown>[] = [];
  for (let value = 1; value <= 20; value++) {
    if (value % 5 === 0) writes.push(disk.discard({ start: 0, length: 2 * MIB }));
    else writes.push(disk.writeFrom(new Uint8Array(range.length).fill(value), range.start));
    const target = new Uint8Array(range.length);
    reads.push(disk.readInto(target, range.start).then(() => target));
    extents.push(collect(disk.extents({ start: 0, length: disk.size })));
  }
  const found = await Promise.all(reads);
  await Promise.all([...writes, ...extents]);
  t.deepEqual(
    found.map((bytes) => [...new Set(bytes)]),
    Array.from({ length: 20 }, (_, index) => [(index + 1) % 5 === 0 ? 0 : index + 1]),
  );
  for await (const extent of disk.extents({ start: 0, length: disk.size })) {
    await disk.writeFrom(new Uint8Array([9]), extent.start);
  }
});

test('a call that is aborted changes nothing that it had not finished, and the next one works', async (t) => {
  const file = await newDisk();
  const disk = await vhdxFormat.openWritable!(file, testContext());
  const signal = AbortSignal.abort(new Error('enough'));
  await t.throwsAsync(disk.writeFrom(new Uint8Array(3 * MIB).fill(1), 0, { signal }), { message: 'enough' });
  t.true((await contents(disk)).every((byte) => byte === 0));
  await disk.writeFrom(new Uint8Array([5]), 7);
  t.is((await contents(disk))[7], 5);
});

test('a block that the file has only as far as the disk needs it keeps its place when others are added', async (t) => {
  const made = new MemoryDevice(new Uint8Array(0));
  await createVhdx(made, { type: 'fixed', virtualSize: 2.5 * MIB, blockSize: 2 * MIB });
  const file = new MemoryDevice(made.bytes.slice(0, made.size - 1.5 * MIB));
  const disk = await vhdxFormat.openWritable!(file, testContext());
  await disk.resize(8 * MIB);
  await disk.writeFrom(contentOf({ seed: 1, length: 7 * MIB }), 1000);
  await disk[Symbol.asyncDispose]();
  const expected = new Uint8Array(8 * MIB);
  expected.set(contentOf({ seed: 1, length: 7 * MIB }), 1000);
  t.is(firstDifference(await contents(await vhdxFormat.open(file, testContext())), expected), undefined);
});

test('bits that another writer left behind in a sector bitmap do not count', async (t) => {
  const file = new MemoryDevice(new Uint8Array(0));
  const { context, model } = await makeDisk(file, { type: 'differencing', virtualSize: 2 * MIB, blockSize: MIB });
  const inherited = model.bytes.slice();
  const first = await vhdxFormat.openWritable!(file, context);
  await first.writeFrom(contentOf({ seed: 2, length: 500_000 }), 100_000);
  await first[Symbol.asyncDispose]();
  // Payload block 0 is the parent's again; its bits still say that half of its sectors are here.
  file.bytes.fill(0, BAT_OFFSET, BAT_OFFSET + 8);
  const disk = await vhdxFormat.openWritable!(file, context);
  await disk.writeFrom(new Uint8Array([1]), 700_000);
  inherited[700_000] = 1;
  t.is(firstDifference(await contents(disk), inherited), undefined);
});

const damages: [string, (bytes: Buffer) => Buffer, RegExp][] = [
  [
    'two blocks in one place',
    (bytes) => Buffer.from(bytes.fill(bytes.subarray(BAT_OFFSET, BAT_OFFSET + 8), BAT_OFFSET + 8, BAT_OFFSET + 16)),
    /payload block to write to.*no other structure/,
  ],
  [
    'a block in the place of the log',
    (bytes) => withEntry(bytes, LOG_OFFSET),
    /payload block to write to.*no other structure/,
  ],
  ['a block in the header section', (bytes) => withEntry(bytes, 0), /payload block to write to.*inside the file/],
  ['a block behind the end', (bytes) => withEntry(bytes, 64 * MIB), /payload block to write to.*inside the file/],
  [
    'a block that the end of the file cuts',
    (bytes) => bytes.subarray(0, -100),
    /payload block to write to.*inside the file/,
  ],
  ['no log', (bytes) => withHeader(bytes, { logLength: 0 }), /header to write with.*a log/],
  ['a log behind the end', (bytes) => withHeader(bytes, { logOffset: 64 * MIB }), /log to write to.*inside the file/],
];

function withEntry(bytes: Buffer, fileOffset: number): Buffer {
  bytes.writeBigUInt64LE(packBatEntry(PAYLOAD_BLOCK.fullyPresent, fileOffset), BAT_OFFSET);
  return bytes;
}

function withHeader(bytes: Buffer, changes: { logLength?: number; logOffset?: number }): Buffer {
  const current = headers(bytes)[1]!;
  bytes.set(buildHeader({ ...current, ...changes }), HEADER_OFFSETS[1]);
  return bytes;
}

for (const [name, damage, message] of damages) {
  test(`refused before the file is touched: ${name}`, async (t) => {
    const file = new RecordedFile(damage(Buffer.from((await newDisk('fixed', 2 * MIB)).bytes)));
    await t.throwsAsync(vhdxFormat.openWritable!(file, testContext()), { name: 'DiskError', message });
    t.deepEqual(file.operations, []);
  });
}

test('sizes and ranges that cannot be are refused', async (t) => {
  const disk = await vhdxFormat.openWritable!(await newDisk(), testContext());
  await t.throwsAsync(disk.resize(3 * MIB), { message: /not made smaller/ });
  await t.throwsAsync(disk.resize(4 * MIB + 100), { message: /virtual disk size/ });
  await t.throwsAsync(disk.resize(64 * 1024 ** 4 + 512), { message: /virtual disk size/ });
  await t.throwsAsync(disk.writeFrom(new Uint8Array(2), 4 * MIB - 1), { message: /inside/ });
  await t.throwsAsync(disk.discard({ start: -1, length: 5 }), { message: /inside/ });
});

async function writtenDisk() {
  const file = new MemoryDevice(new Uint8Array(0));
  const recipe: DiskRecipe = { type: 'differencing', virtualSize: 3 * MIB + 512, blockSize: MIB };
  const { context, model } = await makeDisk(file, recipe);
  const device = await vhdxFormat.openWritable!(file, context);
  for (const call of randomCalls(8, 12, recipe)) {
    await perform(device, call);
    model.apply(call);
  }
  return { device, expected: model.bytes };
}

deviceConformance('VHDX that is written to', writtenDisk);
extentsConformance('VHDX that is written to', writtenDisk);
