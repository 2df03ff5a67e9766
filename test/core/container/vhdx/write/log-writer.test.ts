import test from 'ava';
import { readCurrentHeader } from '../../../../../src/core/container/vhdx/current-header.ts';
import { hasPendingLog, replayLog } from '../../../../../src/core/container/vhdx/replay-log.ts';
import { createVhdx } from '../../../../../src/core/container/vhdx/write/create-vhdx.ts';
import { HeaderUpdater } from '../../../../../src/core/container/vhdx/write/header-updater.ts';
import { type LogChange, MAX_CHANGES } from '../../../../../src/core/container/vhdx/write/log-entry-bytes.ts';
import { LogWriter } from '../../../../../src/core/container/vhdx/write/log-writer.ts';
import { MemoryDevice } from '../../../../../src/core/device/memory-device.ts';
import { readBytes } from '../../../../../src/core/index.ts';
import { testContext } from '../../../../helpers/context.ts';
import { RecordedFile } from '../../../../helpers/recorded-file.ts';
import { contentOf, firstDifference, MIB } from './vhdx-model.ts';

const PAGE = 4096;
const AREA = 4 * MIB;

async function logOf(file: RecordedFile): Promise<LogWriter> {
  const { fields, number } = await readCurrentHeader(file, testContext());
  return new LogWriter(file, new HeaderUpdater(file, fields, number === 1 ? 0 : 1));
}

test('what entries say is what their replay gives: data, zeros, more changes than one entry takes', async (t) => {
  const base = new MemoryDevice(new Uint8Array(0));
  await createVhdx(base, { type: 'fixed', virtualSize: 4 * MIB, blockSize: MIB });
  base.bytes.fill(0xee, AREA);
  const file = new RecordedFile(base.bytes);
  const log = await logOf(file);
  const changes: LogChange[] = Array.from({ length: 3 * MAX_CHANGES + 2 }, (_, index) => {
    const fileOffset = AREA + index * 3 * PAGE;
    if (index % 3 === 1) return { fileOffset, zeroLength: PAGE * (1 + (index % 2)) };
    return { fileOffset, bytes: contentOf({ seed: index, length: PAGE }) };
  });
  const before = file.bytes;
  await log.commit(changes);
  t.true(log.isActive);
  const entries = file.operations.filter(
    (operation) => operation.kind === 'write' && operation.offset >= MIB && operation.offset < 2 * MIB,
  );
  t.is(entries.length, 4);
  // With nothing of what was changed in place, the log alone tells it.
  const after = file.bytes;
  const unapplied = after.slice();
  unapplied.set(before.subarray(AREA), AREA);
  const device = new MemoryDevice(unapplied);
  const current = await readCurrentHeader(device, testContext());
  t.true(hasPendingLog(current.fields));
  const { device: replayed, entryCount } = await replayLog(device, current, testContext());
  t.is(entryCount, 4);
  t.is(firstDifference(await readBytes(replayed, 0, replayed.size), after), undefined);
  await log.empty();
  t.false(hasPendingLog((await readCurrentHeader(file, testContext())).fields));
});

test('an entry is durable before the header names its log, and before anything is changed in place', async (t) => {
  const base = new MemoryDevice(new Uint8Array(0));
  await createVhdx(base, { type: 'fixed', virtualSize: 4 * MIB, blockSize: MIB });
  const file = new RecordedFile(base.bytes);
  const log = await logOf(file);
  const change = { fileOffset: AREA, bytes: contentOf({ seed: 1, length: PAGE }) };
  await log.commit([change]);
  await log.commit([change]);
  const kinds = file.operations.map((operation) => {
    if (operation.kind !== 'write') return operation.kind;
    return operation.offset < MIB ? 'header' : operation.offset < 2 * MIB ? 'entry' : 'place';
  });
  const first = ['flush', 'entry', 'flush', 'header', 'flush', 'header', 'flush', 'place'];
  t.deepEqual(kinds, [...first, 'flush', 'entry', 'flush', 'place']);
});
