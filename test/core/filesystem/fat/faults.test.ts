import test from 'ava';
import { fatFormat } from '../../../../src/core/filesystem/fat/fat-format.ts';
import {
  type BlockDevice,
  DiskError,
  fileDevice,
  MemoryDevice,
  streamBytes,
  walk,
} from '../../../../src/core/index.ts';
import { seededRandom } from '../../../conformance/device-conformance.ts';
import { testContext } from '../../../helpers/context.ts';
import { CountingDevice, FaultyDevice, isInjectedFault, RecordingDevice } from '../../../helpers/devices.ts';
import { FatBuilder, longEntry, shortSlot } from './fat-builder.ts';

const TYPES = [
  [12, 100],
  [16, 4200],
  [32, 300],
] as const;

/** Some of everything: a subdirectory, long names, files of several clusters, a label. */
function someVolume(bits: 12 | 16 | 32, clusters: number): Uint8Array {
  const volume = new FatBuilder({ bits, clusters });
  const inner = volume.store(new Uint8Array(3000).fill(7));
  const cluster = volume.store(
    Buffer.concat([
      ...longEntry('inner file with a long name.bin', 'INNERF~1BIN', { cluster: inner, size: 3000 }),
      ...Array.from({ length: 40 }, (_, at) => shortSlot(`EMPTY${at}`)),
    ]),
  );
  volume.setRoot([
    shortSlot('LABEL', { attributes: 8 }),
    shortSlot('DIR', { attributes: 0x10, cluster }),
    ...longEntry('top level file.txt', 'TOPLEV~1TXT', { cluster: volume.store(new Uint8Array(1000)), size: 1000 }),
  ]);
  return volume.bytes;
}

/** Opens, lists and reads everything; gives how many bytes of files there were. */
async function readAll(device: BlockDevice, onError?: (error: unknown) => void): Promise<number> {
  if (!(await fatFormat.probe(device))) return 0;
  const filesystem = await fatFormat.open(device, testContext());
  let bytes = 0;
  const options = { deleted: true, ...(onError === undefined ? {} : { onError }) };
  for await (const { entry } of walk(filesystem, filesystem.rootId, options)) {
    try {
      const node = await filesystem.node(entry.nodeId);
      if (node.kind !== 'file') continue;
      const content = fileDevice(filesystem, node);
      // A hostile size may be 4 GiB: its head will do.
      const length = Math.min(content.size, 100_000);
      for await (const chunk of streamBytes(content, { start: 0, length })) bytes += chunk.length;
    } catch (error) {
      if (onError === undefined) throw error;
      onError(error);
    }
  }
  return bytes;
}

for (const [bits, clusters] of TYPES) {
  test(`FAT${bits}: a fault at any request comes through, and is never taken for something else`, async (t) => {
    const bytes = someVolume(bits, clusters);
    const whole = new RecordingDevice(new MemoryDevice(bytes));
    t.is(await readAll(whole), 4000);
    t.true(whole.requests.length > 10);
    for (let failAt = 0; failAt < whole.requests.length; failAt++) {
      const error = await t.throwsAsync(readAll(new FaultyDevice(new MemoryDevice(bytes), failAt)));
      t.true(isInjectedFault(error), `request ${failAt}: ${error}`);
    }
  });

  test(`FAT${bits}: mutated volumes give values or a DiskError, with a bounded number of requests`, async (t) => {
    const random = seededRandom(bits);
    const original = someVolume(bits, clusters);
    const used = original.length - 1;
    let failures = 0;
    for (let round = 0; round < 400; round++) {
      const bytes = original.slice();
      const mutations = 1 + Math.floor(random() * 12);
      // Half of them in the boot sector and the start of the FAT, where they do most.
      for (let count = 0; count < mutations; count++) {
        const range = random() < 0.4 ? 96 : random() < 0.5 ? 4096 + 512 : used;
        bytes[Math.floor(random() * range)] = Math.floor(random() * 256);
      }
      const size = random() < 0.1 ? Math.floor(random() * bytes.length) : bytes.length;
      const device = new CountingDevice(new MemoryDevice(bytes.subarray(0, size)));
      const check = (error: unknown): void => {
        failures++;
        if (!(error instanceof DiskError)) t.fail(`round ${round}: ${error instanceof Error ? error.stack : error}`);
        else if (error.layer === '' || error.message === '') t.fail(`round ${round}: an error without a place`);
      };
      try {
        await readAll(device, check);
      } catch (error) {
        check(error);
      }
      t.true(device.requestCount < 20_000, `round ${round}: ${device.requestCount} requests`);
    }
    t.true(failures > 20, `the mutations do damage: ${failures}`);
  });
}
