import { copyFile, open, truncate } from 'node:fs/promises';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { FileDevice, type PartitionTable } from '../../src/core/index.ts';
import { openPartitionTable } from '../../src/core/partition/formats.ts';
import { gptTypeName } from '../../src/core/partition/gpt/type-names.ts';
import { mbrTypeName } from '../../src/core/partition/mbr/type-names.ts';
import { compareWithFacts, type SfdiskTable } from '../core/partition/sfdisk-facts.ts';
import { testContext } from '../helpers/context.ts';
import { hasTools, temporaryFolder, tool, toolText } from '../helpers/tools.ts';

async function sparseFile(t: ExecutionContext, bytes: number, name = 'disk.img'): Promise<string> {
  const file = path.join(temporaryFolder(t), name);
  await (await open(file, 'w')).close();
  await truncate(file, bytes);
  return file;
}

async function read(file: string, sectorSize = 512) {
  await using device = await FileDevice.open(file, { sectorSize });
  const context = testContext();
  const table = await openPartitionTable(device, context);
  return { table, diagnostics: context.diagnostics };
}

/** Reads a table that must be there and without any oddity. */
async function readClean(t: ExecutionContext, file: string, sectorSize = 512): Promise<PartitionTable> {
  const { table, diagnostics } = await read(file, sectorSize);
  t.deepEqual(diagnostics, []);
  t.truthy(table);
  return table!;
}

async function sfdisk(file: string): Promise<SfdiskTable> {
  return JSON.parse(await toolText('sfdisk', ['--json', file])).partitiontable;
}

async function compareWithSfdisk(t: ExecutionContext, file: string, table: PartitionTable): Promise<void> {
  compareWithFacts(t, table, await sfdisk(file));
}

async function compareWithSgdisk(t: ExecutionContext, file: string, table: PartitionTable): Promise<void> {
  for (const partition of table.partitions) {
    const said = await toolText('sgdisk', ['-i', String(partition.number), file]);
    const field = (pattern: RegExp) => pattern.exec(said)?.[1];
    t.is(field(/Partition GUID code: (\S+)/), partition.type.id);
    t.is(field(/Partition unique GUID: (\S+)/), partition.guid);
    t.is(field(/First sector: (\d+)/), String(partition.startSector));
    t.is(field(/Last sector: (\d+)/), String(partition.startSector + partition.sectorCount - 1));
    t.is(field(/Partition size: (\d+) sectors/), String(partition.sectorCount));
    t.is(field(/Partition name: '(.*)'/), partition.name);
  }
}

/** mmls lists what is allocated; its slots of tables and free space start with anything but a digit in the second column. */
async function compareWithMmls(t: ExecutionContext, file: string, table: PartitionTable): Promise<void> {
  const rows = (await toolText('mmls', ['-a', file])).split('\n').flatMap((line) => {
    const match = /^\d+:\s+\S+\s+(\d+)\s+(\d+)\s+(\d+)/.exec(line);
    return match === null ? [] : [match.slice(1).map(Number)];
  });
  const ours = table.partitions
    .filter(({ kind }) => kind !== 'extended')
    .map(({ startSector, sectorCount }) => [startSector, startSector + sectorCount - 1, sectorCount])
    .sort((left, right) => left[0]! - right[0]!);
  t.deepEqual(ours, rows);
}

const RICH_GPT = [
  ['-n', '1:2048:+1M', '-t', '1:ef02', '-c', '1:bios'],
  ['-n', '2:8192:+100M', '-t', '2:ef00', '-c', '2:EFI system', '-A', '2:set:2', '-A', '2:set:0'],
  ['-n', '5:300000:+7s', '-t', '5:8300', '-c', '5:Größe ∑ ж', '-A', '5:set:60', '-A', '5:set:63'],
  ['-n', '4:400001:400001', '-t', '4:0700', '-A', '4:set:62', '-A', '4:set:61', '-A', '4:set:1'],
  ['-n', '128:600000:0', '-t', '128:8304', '-c', '128:exactly thirty-six characters long!!'],
].flat();

test('a GPT by sgdisk reads as sfdisk, sgdisk and mmls read it', async (t) => {
  if (!hasTools(t, 'sgdisk', 'sfdisk', 'mmls')) return;
  const file = await sparseFile(t, 512 * 1024 ** 2);
  await tool('sgdisk', [...RICH_GPT, file]);
  const table = await readClean(t, file);
  t.is(table.scheme, 'gpt');
  t.is(table.partitions.length, 5);
  await compareWithSfdisk(t, file, table);
  await compareWithSgdisk(t, file, table);
  await compareWithMmls(t, file, table);
  t.deepEqual(table.partitions.find(({ number }) => number === 4)?.flags, [
    'no block I/O protocol',
    'shadow copy',
    'hidden',
  ]);
});

test('a GPT by sfdisk and one by parted read as sfdisk reads them', async (t) => {
  if (!hasTools(t, 'sfdisk', 'parted')) return;
  const file = await sparseFile(t, 3 * 1024 ** 4, 'large.img');
  const script =
    'label: gpt\nsize=1GiB, type=uefi, name="a 🐧 b"\nsize=2TiB, type=linux\nattrs="GUID:59,48", type=home\n';
  await tool('sfdisk', [file], script);
  await compareWithSfdisk(t, file, await readClean(t, file));
  const second = await sparseFile(t, 64 * 1024 ** 2);
  const steps = 'mklabel gpt mkpart one ext4 1MiB 10MiB mkpart two fat32 20MiB 30MiB set 2 esp on set 1 legacy_boot on';
  await tool('parted', ['-s', second, ...steps.split(' ')]);
  await compareWithSfdisk(t, second, await readClean(t, second));
});

test('a GPT of 1024 entries, full, reads as sfdisk reads it', async (t) => {
  if (!hasTools(t, 'sgdisk', 'sfdisk')) return;
  const file = await sparseFile(t, 1024 ** 3);
  await tool('sgdisk', ['-S', '1024', file]);
  const many = Array.from(
    { length: 1000 },
    (_, index) => `start=${4096 + index * 16}, size=${1 + (index % 16)}, name=n${index}`,
  );
  await tool('sfdisk', [file], `label: gpt\ntable-length: 1024\n${many.join('\n')}\n`);
  const table = await readClean(t, file);
  t.is(table.partitions.length, 1000);
  await compareWithSfdisk(t, file, table);
});

for (const [type, count] of [
  ['5', 56],
  ['f', 56],
  ['85', 3],
] as const) {
  test(`an MBR by sfdisk with ${count} logical partitions in an extended one of type ${type}`, async (t) => {
    if (!hasTools(t, 'sfdisk', 'mmls')) return;
    const file = await sparseFile(t, 16 * 1024 ** 3);
    const logicals = Array.from(
      { length: count },
      (_, index) => `${index + 5} : size=${1 + index * 3}MiB, type=${index % 2 ? '83' : '7'}`,
    );
    const primary = 'start=2048, size=64MiB, type=c, bootable\nstart=200000, size=10MiB, type=82\n';
    await tool(
      'sfdisk',
      [file],
      `label: dos\nlabel-id: 0xdeadbeef\n${primary}start=300000, type=${type}\n\n${logicals.join('\n')}\n`,
    );
    const table = await readClean(t, file);
    t.is(table.scheme, 'mbr');
    t.is(table.partitions.filter(({ kind }) => kind === 'logical').length, count);
    await compareWithSfdisk(t, file, table);
    await compareWithMmls(t, file, table);
  });
}

test('a chain out of the order of the disk, and one with a hole, keep the numbers that sfdisk and parted give', async (t) => {
  if (!hasTools(t, 'sfdisk', 'parted')) return;
  const file = await sparseFile(t, 512 * 1024 ** 2);
  const lines = [
    'size=10MiB',
    'start=4096, type=5',
    '',
    'start=400000, size=1MiB',
    'start=8192, size=1MiB',
    'start=200000, size=5MiB',
  ];
  await tool('sfdisk', [file], `label: dos\nstart=2048, size=2048\n${lines.slice(1).join('\n')}\n`);
  await compareWithSfdisk(t, file, await readClean(t, file));
  await tool('sfdisk', ['--delete', file, '6']);
  await compareWithSfdisk(t, file, await readClean(t, file));
  const second = await sparseFile(t, 256 * 1024 ** 2);
  const parts = ['primary', 'ext4', '1MiB', '10MiB', 'mkpart', 'extended', '20MiB', '200MiB'];
  const logicals = [30, 50, 90].flatMap((at) => ['mkpart', 'logical', 'fat32', `${at}MiB`, `${at + 10}MiB`]);
  await tool('parted', ['-s', second, 'mklabel', 'msdos', 'mkpart', ...parts, ...logicals, 'set', '1', 'boot', 'on']);
  await compareWithSfdisk(t, second, await readClean(t, second));
});

test('an MBR without partitions is an empty table', async (t) => {
  if (!hasTools(t, 'sfdisk', 'parted')) return;
  const file = await sparseFile(t, 64 * 1024 ** 2);
  await tool('parted', ['-s', file, 'mklabel', 'msdos']);
  const table = await readClean(t, file);
  t.deepEqual([table.scheme, table.partitions], ['mbr', []]);
  await compareWithSfdisk(t, file, table);
});

test('4096-byte sectors made on a loop device read as sgdisk and sfdisk read them there, whatever the device says', async (t) => {
  if (!hasTools(t, 'sgdisk', 'sfdisk', 'losetup')) return;
  const file = await sparseFile(t, 256 * 1024 ** 2);
  const loop = await attachLoop(file);
  if (loop === undefined) return t.pass('skipped: no loop device here');
  try {
    await tool('sgdisk', ['-n', '1:256:+10M', '-t', '1:ef00', '-n', '3:9000:0', '-c', '3:four k', loop]);
    const { partitions } = await sfdisk(loop);
    const shown = partitions!.map(({ node, ...facts }) => ({ ...facts, number: Number(node.split('p').at(-1)) }));
    for (const sectorSize of [512, 4096]) {
      const { table, diagnostics } = await read(file, sectorSize);
      t.is(diagnostics.length, sectorSize === 512 ? 1 : 0);
      t.is(table!.sectorSize, 4096);
      t.deepEqual(
        table!.partitions.map(({ number, startSector, sectorCount, type, guid, name }) => ({
          number,
          start: startSector,
          size: sectorCount,
          type: type.id,
          uuid: guid,
          ...(name === '' ? {} : { name }),
        })) as object[],
        shown as object[],
      );
      t.is(table!.partitions[0]!.start, 1024 ** 2);
    }
    await tool('sfdisk', [loop], 'label: dos\nstart=256, size=2560, type=83\ntype=5\n\nsize=512\nsize=1024\n');
    const dos = await sfdisk(loop);
    for (const sectorSize of [512, 4096]) {
      const { table } = await read(file, sectorSize);
      t.deepEqual([table!.scheme, table!.sectorSize], ['mbr', 4096]);
      t.deepEqual(
        table!.partitions.map(({ startSector, sectorCount }) => [startSector, sectorCount]),
        dos.partitions!.map(({ start, size }) => [start, size]),
      );
    }
  } finally {
    await tool('losetup', ['-d', loop]);
  }
});

async function attachLoop(file: string): Promise<string | undefined> {
  try {
    return (await toolText('losetup', ['--sector-size', '4096', '--find', '--show', file])).trim();
  } catch {
    return undefined;
  }
}

async function overwrite(file: string, offset: number, bytes: Uint8Array): Promise<void> {
  await using handle = await open(file, 'r+');
  await handle.write(bytes, 0, bytes.length, offset);
}

test('with the primary header, the primary entries or the whole first MiB gone, the backup gives the same partitions', async (t) => {
  if (!hasTools(t, 'sgdisk')) return;
  const whole = await sparseFile(t, 512 * 1024 ** 2);
  await tool('sgdisk', [...RICH_GPT, whole]);
  const { partitions } = await readClean(t, whole);
  const damages: [string, number, number][] = [
    ['header', 512, 512],
    ['one byte of the header', 560, 1],
    ['entries', 1024, 16384],
    ['MBR, header and entries', 0, 1024 ** 2],
  ];
  for (const [what, offset, length] of damages) {
    const file = path.join(path.dirname(whole), 'damaged.img');
    await copyFile(whole, file);
    await overwrite(file, offset, new Uint8Array(length).fill(what.startsWith('one') ? 0xff : 0));
    const { table, diagnostics } = await read(file);
    t.deepEqual(table?.partitions, partitions, what);
    t.is(table?.properties.find(({ key }) => key === 'headerUsed')?.value, 'backup', what);
    t.regex(diagnostics.map(({ message }) => message).join('\n'), /the backup is used/, what);
    if (offset > 0) await compareWithSgdisk(t, file, table!);
  }
});

test('a disk that has grown, and one cut short, still give every partition and say so', async (t) => {
  if (!hasTools(t, 'sgdisk')) return;
  const file = await sparseFile(t, 512 * 1024 ** 2);
  await tool('sgdisk', [...RICH_GPT, file]);
  const { partitions } = await readClean(t, file);
  await truncate(file, 600 * 1024 ** 2);
  const grown = await read(file);
  t.deepEqual(grown.table?.partitions, partitions);
  t.regex(grown.diagnostics[0]!.message, /the disk goes on to LBA 1228799/);
  // The protective MBR still tells where the backup was.
  await overwrite(file, 512, new Uint8Array(512));
  const rescued = await read(file);
  t.deepEqual(rescued.table?.partitions, partitions);
  await truncate(file, 0);
  await truncate(file, 512 * 1024 ** 2);
  await tool('sgdisk', [...RICH_GPT, file]);
  await truncate(file, 100 * 1024 ** 2);
  const cut = await read(file);
  t.is(cut.table?.partitions.length, 5);
  t.true(cut.diagnostics.some(({ message }) => /past the disk's last LBA/.test(message)));
  t.true(cut.diagnostics.some(({ structure, message }) => structure === 'partition 128' && /truncated/.test(message)));
});

test('a hybrid MBR by sgdisk is told from a protective one', async (t) => {
  if (!hasTools(t, 'sgdisk')) return;
  const file = await sparseFile(t, 512 * 1024 ** 2);
  await tool('sgdisk', [...RICH_GPT, file]);
  await tool('sgdisk', ['--hybrid', '2:5', file]);
  const table = await readClean(t, file);
  t.is(table.scheme, 'hybrid');
  t.is(table.metadata[0]?.name, 'hybrid MBR');
  const sectorsOf = (wanted: number) => {
    const { startSector, sectorCount } = table.partitions.find(({ number }) => number === wanted)!;
    return `sectors ${startSector} to ${startSector + sectorCount - 1}`;
  };
  t.deepEqual(table.properties.find(({ key }) => key === 'hybridMbr')?.value, [
    `2: 0xef, ${sectorsOf(2)}`,
    `3: 0x83, ${sectorsOf(5)}`,
  ]);
  await compareWithSgdisk(t, file, table);
});

test('the boot sectors of bare filesystems are no partition tables', async (t) => {
  if (!hasTools(t, 'mkfs.fat', 'mke2fs')) return;
  const makers: [string, string[], number][] = [];
  for (const sectorSize of ['512', '1024', '2048', '4096']) {
    makers.push(['mkfs.fat', ['-F', '12', '-S', sectorSize], 4], ['mkfs.fat', ['-F', '16', '-S', sectorSize], 200]);
    makers.push(['mkfs.fat', ['-F', '32', '-S', sectorSize], 700]);
  }
  makers.push(['mkfs.fat', ['--mbr=no'], 1], ['mke2fs', ['-q', '-t', 'ext4'], 64]);
  if (hasTools(t, 'mkfs.ntfs')) makers.push(['mkfs.ntfs', ['-q', '-F', '-f'], 64]);
  if (hasTools(t, 'mkfs.exfat')) makers.push(['mkfs.exfat', [], 64]);
  for (const [command, args, mebibytes] of makers) {
    const file = await sparseFile(t, mebibytes * 1024 ** 2);
    await tool(command, [...args, file]);
    const { table } = await read(file);
    t.is(table, undefined, `${command} ${args.join(' ')}`);
  }
});

test('a filesystem written over a GPT disk wins over the headers that are left', async (t) => {
  if (!hasTools(t, 'sgdisk', 'mke2fs', 'mkfs.fat')) return;
  const file = await sparseFile(t, 64 * 1024 ** 2);
  await tool('sgdisk', ['-n', '1:0:0', file]);
  await tool('mkfs.fat', ['-I', file]);
  t.is((await read(file)).table, undefined);
  await truncate(file, 0);
  await truncate(file, 64 * 1024 ** 2);
  await tool('sgdisk', ['-n', '1:0:0', file]);
  await overwrite(file, 0, new Uint8Array(1024));
  await tool('mke2fs', ['-q', '-F', file]);
  t.is((await read(file)).table, undefined);
});

test('every type that sfdisk knows has its name, and every code of sgdisk has one', async (t) => {
  if (!hasTools(t, 'sfdisk', 'sgdisk')) return;
  const list = async (label: string) =>
    (await toolText('sfdisk', ['-T', '--label', label])).split('\n').flatMap((line) => {
      const match = /^\s*([0-9A-Fa-f-]+)\s{2}(.+)$/.exec(line);
      return match === null || match[1] === 'Id' ? [] : [[match[1]!, match[2]!.trim()] as const];
    });
  const gpt = await list('gpt');
  t.true(gpt.length > 150);
  for (const [id, name] of gpt) t.is(gptTypeName(id.toUpperCase()), name);
  const mbr = await list('dos');
  t.true(mbr.length > 90);
  for (const [id, name] of mbr) t.is(mbrTypeName(Number.parseInt(id, 16)), name);

  const codes = [...(await toolText('sgdisk', ['-L'])).matchAll(/(?:^| )([0-9a-f]{4}) /gm)].map((match) => match[1]!);
  t.true(codes.length > 200);
  const file = await sparseFile(t, 1024 ** 3);
  const numbers = codes.map((_, index) => String(index + 1));
  await tool('sgdisk', ['-S', '512', file]);
  const make = codes.flatMap((code, index) => [
    '-n',
    `${index + 1}:${2048 * (index + 1)}:+1M`,
    '-t',
    `${index + 1}:${code}`,
  ]);
  await tool('sgdisk', [...make, file]);
  const { table } = await read(file);
  t.is(table?.partitions.length, codes.length);
  t.deepEqual(
    table?.partitions.filter(({ type }) => type.name === '').map(({ number }) => numbers[number - 1]),
    [],
  );
});
