import test from 'ava';
import { crc32cWithoutField } from '../../../../../src/core/bytes/crc32c.ts';
import { metadataTableEntry } from '../../../../../src/core/container/vhdx/metadata.ts';
import { createVhdx } from '../../../../../src/core/container/vhdx/write/create-vhdx.ts';
import { buildVhdxLayout, type VhdxOptions } from '../../../../../src/core/container/vhdx/write/vhdx-layout.ts';
import { MemoryDevice } from '../../../../../src/core/device/memory-device.ts';
import { RecordedFile } from '../../../../helpers/recorded-file.ts';

const KIB = 1024;
const MIB = 1024 ** 2;
const parent = { dataWriteGuid: '0FC63DAF-8483-4772-8E79-3D69D8477DE4', relativePath: '../base/p.vhdx' };

test('a creation cut before its last flush leaves no VHDX, whatever the file was before', async (t) => {
  const old = new MemoryDevice(new Uint8Array(0));
  await createVhdx(old, { type: 'dynamic', virtualSize: 8 * MIB, blockSize: MIB });
  const before = new Uint8Array(old.size);
  await old.readInto(before, 0);
  const file = new RecordedFile(before);
  await createVhdx(file, { type: 'fixed', virtualSize: 3 * MIB, blockSize: MIB });
  const identifier = (bytes: Uint8Array): string => Buffer.from(bytes.subarray(0, 8)).toString('latin1');
  t.is(identifier(file.after(0)), 'vhdxfile');
  const { operations } = file;
  t.deepEqual(
    operations.slice(-3).map(({ kind }) => kind),
    ['flush', 'write', 'flush'],
  );
  for (let count = 1; count < operations.length - 1; count++)
    t.not(identifier(file.after(count)), 'vhdxfile', `after ${count} operations`);
  t.is(identifier(file.after(operations.length)), 'vhdxfile');
});

test('checksums, alignment and the parent locator of a differencing disk are as the specification wants', async (t) => {
  const file = new RecordedFile(new Uint8Array(0));
  const layout = await createVhdx(file, {
    type: 'differencing',
    virtualSize: 5 * MIB + 4096,
    logicalSectorSize: 4096,
    parent,
  });
  const bytes = Buffer.from(file.bytes);
  for (const [offset, length] of [
    [64 * KIB, 4 * KIB],
    [128 * KIB, 4 * KIB],
    [192 * KIB, 64 * KIB],
    [256 * KIB, 64 * KIB],
  ] as const)
    t.is(bytes.readUInt32LE(offset + 4), crc32cWithoutField(bytes.subarray(offset, offset + length), 4));
  t.is(layout.geometry.blockSize, 2 * MIB);
  // One chunk of 16384 payload blocks and its sector bitmap: of a disk with a parent, its entry is always there.
  t.is(layout.geometry.entryCount, 16385);
  for (const value of [layout.logOffset, layout.metadataOffset, layout.batOffset, layout.payloadOffset, bytes.length])
    t.is(value % MIB, 0);
  const entry = metadataTableEntry.parse(layout.metadata, 32 + 5 * 32);
  t.is(entry.itemId, 'A8D35F2D-B30B-454D-ABF7-D3D84834AB0C');
  const text = Buffer.from(layout.metadata.subarray(entry.offset, entry.offset + entry.length)).toString('utf16le');
  t.true(text.includes('parent_linkage{0fc63daf-8483-4772-8e79-3d69d8477de4}'));
  t.true(text.endsWith('relative_path..\\base\\p.vhdx'));
});

const refused: [string, VhdxOptions, string][] = [
  ['a size of no whole sectors', { type: 'dynamic', virtualSize: 513 }, 'virtual disk size'],
  ['no size', { type: 'dynamic', virtualSize: 0 }, 'virtual disk size'],
  ['more than 64 TiB', { type: 'dynamic', virtualSize: 64 * 1024 ** 4 + 512 }, 'virtual disk size'],
  ['512 bytes of sectors of 4096', { type: 'dynamic', virtualSize: 512, logicalSectorSize: 4096 }, 'virtual disk size'],
  ['blocks of 3 MiB', { type: 'dynamic', virtualSize: MIB, blockSize: 3 * MIB }, 'block size'],
  ['blocks of 512 MiB', { type: 'dynamic', virtualSize: MIB, blockSize: 512 * MIB }, 'block size'],
  ['a log of 1.5 MiB', { type: 'dynamic', virtualSize: MIB, logSize: 1.5 * MIB }, 'log size'],
  ['a differencing disk without parent', { type: 'differencing', virtualSize: MIB }, 'parent'],
  ['a fixed disk with a parent', { type: 'fixed', virtualSize: MIB, parent }, 'parent'],
  [
    'a parent without a path',
    { type: 'differencing', virtualSize: MIB, parent: { dataWriteGuid: parent.dataWriteGuid } },
    'parent locator',
  ],
  [
    'a path too long for its field',
    { type: 'differencing', virtualSize: MIB, parent: { ...parent, relativePath: 'x'.repeat(40_000) } },
    'parent locator',
  ],
];
for (const [name, options, structure] of refused) {
  test(`refused: ${name}`, (t) => {
    t.throws(() => buildVhdxLayout(options), { name: 'DiskError', message: new RegExp(`^vhdx: ${structure}`) });
  });
}
