import test from 'ava';
import { headerV3 } from '../../../../src/core/container/qcow2/header.ts';
import {
  readSnapshotTable,
  type SnapshotTablePlace,
  snapshotEntry,
  snapshotExtraData,
} from '../../../../src/core/container/qcow2/snapshot-table.ts';
import { DiskError, MemoryDevice, readBytes } from '../../../../src/core/index.ts';
import { RecordingDevice } from '../../../helpers/devices.ts';
import { fixtureBytes } from '../../../helpers/fixtures.ts';
import { fixtureContext, openBytes } from './fixture-images.ts';

/** Where a table is; the image's disk has 1 MiB. */
function place(snapshotsOffset: number, snapshotCount: number): SnapshotTablePlace {
  return { snapshotsOffset, snapshotCount, virtualSize: 1024 * 1024 };
}

function table(entries: readonly { id: string; name: string; extra: number }[]): Uint8Array {
  const parts = entries.map(({ id, name, extra }) => {
    const head = snapshotEntry.build({ idSize: id.length, nameSize: Buffer.byteLength(name), extraDataSize: extra });
    const whole = Buffer.concat([head, new Uint8Array(extra), Buffer.from(id), Buffer.from(name)]);
    return Buffer.concat([whole, new Uint8Array((8 - (whole.length % 8)) % 8)]);
  });
  return new Uint8Array(Buffer.concat([new Uint8Array(512), ...parts]));
}

test('entries of every length are told, in order', async (t) => {
  const entries = Array.from({ length: 40 }, (_, index) => ({
    id: String(index + 1),
    name: `ünï ${'x'.repeat(index)}`,
    extra: [0, 16, 24, 1024][index % 4]!,
  }));
  const read = await readSnapshotTable(new MemoryDevice(table(entries)), place(512, entries.length));
  t.deepEqual(
    read.map(({ id, name }) => ({ id, name })),
    entries.map(({ id, name }) => ({ id, name })),
  );
});

test('extra data counts as far as it reaches: the large VM state size, the disk size', async (t) => {
  for (const [extra, vmStateSize, virtualSize] of [
    [0, 7, 1024 * 1024],
    [4, 7, 1024 * 1024],
    [8, 2 ** 33, 1024 * 1024],
    [15, 2 ** 33, 1024 * 1024],
    [16, 2 ** 33, 4096],
    [24, 2 ** 33, 4096],
    [1024, 2 ** 33, 4096],
  ] as const) {
    const bytes = table([{ id: '1', name: 'one', extra }]);
    const whole = snapshotExtraData.build({ vmStateSizeLarge: 2 ** 33, diskSize: 4096, instructionCount: 2n ** 63n });
    bytes.set(whole.subarray(0, extra), 512 + snapshotEntry.size);
    snapshotEntry.write(
      bytes,
      { vmStateSize: 7, l1TableOffset: 65536, l1Size: 3, dateSeconds: 1_700_000_000, dateNanoseconds: 999_999_999 },
      512,
    );
    const [snapshot] = await readSnapshotTable(new MemoryDevice(bytes), place(512, 1));
    t.deepEqual(
      snapshot,
      {
        id: '1',
        name: 'one',
        date: 1_700_000_000_999,
        virtualSize,
        vmStateSize,
        entryOffset: 512,
        l1TableOffset: 65536,
        l1EntryCount: 3,
      },
      `${extra} bytes`,
    );
  }
});

test('a table longer than the first read is read on; 65,536 usual entries are within the limit', async (t) => {
  const entries = Array.from({ length: 65536 }, (_, index) => ({ id: String(index), name: 'snapshot', extra: 24 }));
  const device = new RecordingDevice(new MemoryDevice(table(entries)));
  const read = await readSnapshotTable(device, place(512, entries.length));
  t.is(read.at(-1)?.id, '65535');
  t.true(device.requests.length <= 4);
});

test('a table that is cut, begins behind the end, or is too long is CORRUPT in bounded reads', async (t) => {
  const bytes = table([{ id: '1', name: 'one', extra: 16 }]);
  for (const [offset, count] of [
    [512, 2],
    [1024 * 1024, 1],
    [bytes.length - 8, 1],
  ] as const) {
    const error = await t.throwsAsync(readSnapshotTable(new MemoryDevice(bytes), place(offset, count)), {
      instanceOf: DiskError,
    });
    t.is(error?.code, 'CORRUPT');
    t.is(error?.offset, offset);
  }
  const endless = new RecordingDevice(new MemoryDevice(new Uint8Array(12 * 1024 * 1024)));
  // Entries of nothing but their 40 bytes: more than the limit holds.
  await t.throwsAsync(readSnapshotTable(endless, place(0, 1_000_000)), { instanceOf: DiskError });
  t.true(endless.bytesRead < 20 * 1024 * 1024);
});

test('a damaged table is reported and the disk stays readable', async (t) => {
  const bytes = (await fixtureBytes('qcow2/snapshot.qcow2')).slice();
  const { snapshotsOffset } = headerV3.parse(bytes);
  snapshotEntry.write(bytes, { extraDataSize: 0xffffffff }, snapshotsOffset);
  const context = fixtureContext();
  const image = await openBytes(bytes, context);
  t.is((await readBytes(image, 0, 1))[0], 0xdd);
  t.is(context.diagnostics.length, 1);
  t.is(context.diagnostics[0]?.offset, snapshotsOffset + 36);
  t.deepEqual(image.properties.find(({ key }) => key === 'snapshots')?.value, []);
});
