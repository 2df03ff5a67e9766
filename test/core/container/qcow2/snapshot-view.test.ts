import test, { type ExecutionContext } from 'ava';
import { openContainer } from '../../../../src/core/container/formats.ts';
import { headerV3 } from '../../../../src/core/container/qcow2/header.ts';
import { snapshotEntry, snapshotExtraData } from '../../../../src/core/container/qcow2/snapshot-table.ts';
import { DiskError, type DiskErrorCode, MemoryDevice, readBytes } from '../../../../src/core/index.ts';
import { deviceConformance } from '../../../conformance/device-conformance.ts';
import { extentsConformance } from '../../../conformance/extents-conformance.ts';
import { RecordingDevice } from '../../../helpers/devices.ts';
import { fixtureBytes } from '../../../helpers/fixtures.ts';
import { fixtureContext, openBytes, openFixture } from './fixture-images.ts';

const image = await fixtureBytes('qcow2/snapshot.qcow2');
const { snapshotsOffset, size } = headerV3.parse(image);

/** The image with other values in the entry of its first snapshot. */
function withEntry(
  values: Parameters<typeof snapshotEntry.write>[1],
  extra: Parameters<typeof snapshotExtraData.write>[1] = {},
): Uint8Array {
  const bytes = image.slice();
  snapshotEntry.write(bytes, values, snapshotsOffset);
  snapshotExtraData.write(bytes, extra, snapshotsOffset + snapshotEntry.size);
  return bytes;
}

async function refusal(t: ExecutionContext, bytes: Uint8Array, snapshot: string, code: DiskErrorCode) {
  const device = new RecordingDevice(new MemoryDevice(bytes));
  const opening = openContainer(device, fixtureContext(), undefined, { snapshot });
  const error = await t.throwsAsync(opening, { instanceOf: DiskError });
  t.is(error?.code, code);
  t.true(device.bytesRead < 1024 * 1024, 'before anything large is read');
  return error!;
}

const makeView = async () => {
  const device = await openFixture('snapshot.qcow2', { snapshot: '1' });
  return { device, expected: await readBytes(device, 0, device.size) };
};
deviceConformance('the view of a snapshot', makeView);
extentsConformance('the view of a snapshot', makeView);

test('a snapshot is seen by its ID and by its name; the present state without either', async (t) => {
  for (const [snapshot, first] of [
    ['1', 0xcc],
    ['before the change', 0xcc],
    ['2', 0xdd],
    ['after it', 0xdd],
    [undefined, 0xdd],
  ] as const) {
    const view = await openFixture('snapshot.qcow2', { snapshot });
    t.is((await readBytes(view, 0, 1))[0], first);
    t.is(view.size, size);
    t.deepEqual(
      view.snapshots?.map(({ id, name }) => `${id} ${name}`),
      ['1 before the change', '2 after it'],
    );
    const opened = view.properties.find(({ key }) => key === 'openedSnapshot')?.value;
    t.is(opened, first === 0xcc ? '1 before the change' : snapshot === undefined ? null : '2 after it');
  }
});

test('a snapshot that is not there is NOT_FOUND, with those that are', async (t) => {
  const error = await refusal(t, image, 'before', 'NOT_FOUND');
  t.is(error.expected, 'one of 1 before the change, 2 after it');
  t.is(error.found, 'before');
  const none = await refusal(t, await fixtureBytes('qcow2/v3-64k.qcow2'), 'any', 'NOT_FOUND');
  t.regex(none.expected ?? '', /has none/);
  const nameless = await refusal(t, image, '', 'NOT_FOUND');
  t.is(nameless.found, '');
});

test('the ID wins over the name of another', async (t) => {
  const bytes = image.slice();
  const second = Buffer.from(bytes.buffer, bytes.byteOffset).indexOf('2after it', snapshotsOffset);
  // The second one's name becomes "1", which is the first one's ID.
  const secondEntry = second - snapshotEntry.size - snapshotEntry.parse(bytes, snapshotsOffset).extraDataSize;
  snapshotEntry.write(bytes, { nameSize: 1 }, secondEntry);
  bytes.set(Buffer.from('21'), second);
  const view = await openBytes(bytes, fixtureContext(), { snapshot: '1' });
  t.is((await readBytes(view, 0, 1))[0], 0xcc);
  const other = await openBytes(bytes, fixtureContext(), { snapshot: '2' });
  t.is((await readBytes(other, 0, 1))[0], 0xdd);
});

test('its L1 table is checked like the header’s, once it is asked for', async (t) => {
  const faults: [Uint8Array, string][] = [
    [withEntry({ l1Size: 0xffffffff }), 'l1Size'],
    [withEntry({ l1Size: 4 * 1024 * 1024 + 1 }), 'l1Size'],
    [withEntry({ l1Size: 4 * 1024 * 1024 }), 'l1TableOffset'],
    [withEntry({ l1TableOffset: 0x30001 }), 'l1TableOffset'],
    [withEntry({ l1TableOffset: 2 ** 50 }), 'l1TableOffset'],
    [withEntry({}, { diskSize: 2 ** 52 }), 'extraDataSize'],
  ];
  for (const [bytes, field] of faults) {
    const error = await refusal(t, bytes, '1', 'CORRUPT');
    t.is(error.structure, `snapshot table entry ${field}`);
    t.is(error.offset, snapshotsOffset + snapshotEntry.fields[field as 'l1Size'].offset);
    const present = await openBytes(bytes);
    t.is((await readBytes(present, 0, 1))[0], 0xdd, 'the present state does not depend on it');
  }
});

test('a damaged table is an error when a snapshot is asked for', async (t) => {
  await refusal(t, withEntry({ extraDataSize: 0xffffffff }), '1', 'CORRUPT');
  await refusal(t, image.slice(0, snapshotsOffset + 8), '1', 'CORRUPT');
});

test('a disk larger than its L1 table maps is unallocated behind it, and said; one of no bytes is empty', async (t) => {
  const context = fixtureContext();
  const larger = 3 * 512 * 1024 * 1024;
  const view = await openBytes(withEntry({}, { diskSize: larger }), context, { snapshot: '1' });
  t.is(view.size, larger);
  t.deepEqual([...(await readBytes(view, larger - 4, 4))], [0, 0, 0, 0]);
  t.is((await readBytes(view, 0, 1))[0], 0xcc);
  const extents = [];
  for await (const extent of view.extents({ start: 0, length: larger })) extents.push(extent.kind);
  t.deepEqual(extents, ['data', 'zero']);
  t.regex(context.diagnostics[0]?.message ?? '', /has 1 entries, the disk needs 3/);
  t.is((await openBytes(withEntry({}, { diskSize: 0 }), fixtureContext(), { snapshot: '1' })).size, 0);
  const tiny = withEntry({ l1Size: 0 }, { diskSize: 512 });
  t.is((await readBytes(await openBytes(tiny, fixtureContext(), { snapshot: '1' }), 0, 1))[0], 0);
});

test('damage at every byte of the table gives a view or a DiskError, in bounded reads', async (t) => {
  let opened = 0;
  for (let at = 0; at < 120; at++) {
    for (const value of [0, 0xff, 0x80]) {
      const bytes = image.slice();
      bytes[snapshotsOffset + at] = value;
      const device = new RecordingDevice(new MemoryDevice(bytes));
      try {
        const view = await openContainer(device, fixtureContext(), undefined, { snapshot: '1' });
        await readBytes(view, 0, Math.min(view.size, 128 * 1024));
        opened++;
      } catch (error) {
        if (!(error instanceof DiskError)) t.fail(`byte ${at}: ${(error as Error).stack}`);
      }
      t.true(device.requests.length < 12 && device.bytesRead < 2 * 1024 * 1024, `byte ${at}`);
    }
  }
  t.true(opened > 150 && opened < 345, `${opened} opened`);
});
