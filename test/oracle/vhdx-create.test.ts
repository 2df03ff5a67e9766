import { open, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { createVhdx } from '../../src/core/container/vhdx/write/create-vhdx.ts';
import type { VhdxOptions } from '../../src/core/container/vhdx/write/vhdx-layout.ts';
import { WritableFileDevice } from '../../src/core/device/file-device.ts';
import { hasTools, temporaryFolder, tool, toolText } from '../helpers/tools.ts';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;
const TIB = 1024 ** 4;

async function createAt(file: string, options: VhdxOptions): Promise<void> {
  await (await open(file, 'w')).close();
  await using device = await WritableFileDevice.open(file);
  await createVhdx(device, options);
}

// QEMU 7.2 reads neither differencing disks nor sectors of 4096 bytes (block/vhdx.c: "we only support 512 currently").
const recipes: VhdxOptions[] = [
  ...([1, 2, 8, 32, 256] as const).flatMap((blocks): VhdxOptions[] => [
    { type: 'dynamic', virtualSize: blocks * 3 * MIB + 512, blockSize: blocks * MIB },
    { type: 'fixed', virtualSize: blocks * 3 * MIB + 512, blockSize: blocks * MIB },
  ]),
  { type: 'dynamic', virtualSize: 512, logSize: 3 * MIB, physicalSectorSize: 512 },
  { type: 'dynamic', virtualSize: 64 * TIB },
  // More chunks than one: entries of sector bitmap blocks stand among those of payload blocks.
  { type: 'fixed', virtualSize: 9 * GIB + 512, blockSize: MIB },
];

for (const options of recipes) {
  const blockMib = (options.blockSize ?? 32 * MIB) / MIB;
  test(`qemu reads and writes a new ${options.type} disk of ${options.virtualSize} bytes, blocks of ${blockMib} MiB`, async (t) => {
    if (!hasTools(t, 'qemu-img', 'qemu-io')) return;
    const file = path.join(temporaryFolder(t), 'new.vhdx');
    await createAt(file, options);
    const info = JSON.parse(await toolText('qemu-img', ['info', '--output=json', file])) as Record<string, unknown>;
    t.is(info['format'], 'vhdx');
    t.is(info['virtual-size'], options.virtualSize);
    t.is(info['cluster-size'], blockMib * MIB);
    await tool('qemu-img', ['check', file]);
    const last = options.virtualSize - 512;
    const io = (...commands: string[]): Promise<string> =>
      toolText('qemu-io', ['-f', 'vhdx', ...commands.flatMap((command) => ['-c', command]), file]);
    t.notRegex(await io(`read -P 0 ${last} 512`, 'read -P 0 0 512'), /verification failed/u);
    await io('write -P 7 0 512', `write -P 9 ${last} 512`);
    const again = await io(`read -P 9 ${last} 512`, options.virtualSize > 512 ? 'read -P 7 0 512' : 'read -P 9 0 512');
    t.notRegex(again, /verification failed/u);
    await tool('qemu-img', ['check', file]);
    const { blocks } = await stat(file);
    t.true(blocks * 512 < 64 * MIB, 'the file is sparse on the host');
  });
}

test('a new dynamic disk has the structures that qemu-img makes', async (t) => {
  if (!hasTools(t, 'qemu-img')) return;
  const folder = temporaryFolder(t);
  const [ours, theirs] = [path.join(folder, 'ours'), path.join(folder, 'theirs')];
  await createAt(ours, { type: 'dynamic', virtualSize: 100 * MIB, blockSize: 8 * MIB, physicalSectorSize: 512 });
  await tool('qemu-img', ['create', '-q', '-f', 'vhdx', '-o', `block_size=${8 * MIB}`, theirs, `${100 * MIB}`]);
  const [a, b] = await Promise.all([readFile(ours), readFile(theirs)]);
  // File parameters, size, sector sizes; the ID between them is random, and QEMU has them in another order.
  const values = (image: Buffer): string[] => {
    const metadata = Array.from({ length: image.length / MIB }, (_, index) => index * MIB).find(
      (at) => image.toString('latin1', at, at + 8) === 'metadata',
    )!;
    const found = Array.from({ length: image.readUInt16LE(metadata + 10) }, (_, index) => {
      const at = metadata + 32 + index * 32;
      const item = metadata + image.readUInt32LE(at + 16);
      const id = image.toString('hex', at, at + 16);
      const bytes = image.toString('hex', item, item + image.readUInt32LE(at + 20));
      return `${id} ${id.startsWith('ab12cabe') ? '' : bytes} ${image.readUInt32LE(at + 24)}`;
    });
    return found.sort();
  };
  t.is(values(a).length, 5);
  t.deepEqual(values(a), values(b));
});
