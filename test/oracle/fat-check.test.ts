import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { openFat } from '../../src/core/filesystem/fat/fat-format.ts';
import { FileDevice, MemoryDevice, readFile, resolvePath } from '../../src/core/index.ts';
import { seededRandom } from '../conformance/device-conformance.ts';
import { testContext } from '../helpers/context.ts';
import { fixtureBytes } from '../helpers/fixtures.ts';
import { hasTools, temporaryFolder, tool, toolText } from '../helpers/tools.ts';

/** The exit code of `fsck.fat -n`, and what it says. */
function fsck(image: string): { readonly exit: number | null; readonly says: string } {
  const env = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`, LC_ALL: 'C.UTF-8' };
  const { status, stdout, stderr } = spawnSync('fsck.fat', ['-n', image], { encoding: 'utf8', env });
  return { exit: status, says: stdout + stderr };
}

/** 1 when the check finds an error or the volume cannot be opened, as fsck.fat ends. */
async function ours(bytes: Uint8Array): Promise<{ readonly exit: number; readonly says: string }> {
  const lines: string[] = [];
  let exit = 0;
  try {
    const filesystem = await openFat(new MemoryDevice(bytes), testContext());
    for await (const { severity, code, structure, message } of filesystem.check()) {
      if (severity === 'error') exit = 1;
      lines.push(`${severity} ${code} ${structure}: ${message}`);
    }
  } catch (error) {
    exit = 1;
    lines.push(String(error));
  }
  return { exit, says: lines.join('\n') };
}

/** Values that slots and FAT entries break with. */
const VALUES = [0, 1, 2, 3, 5, 7, 11, 16, 0x20, 0x2e, 0x3f, 0x41, 0x42, 0xe5, 0x0f, 0x08, 0x10, 0xff];
const LINKS = [0, 1, 2, 3, 9, 20, 47, 0xff7, 0xff8, 0xfff7, 0xfff0, 0xffff, 0x0ffffff0, 0x0ffffff7, 0x0fffffff];
/** Bytes of the boot sector that do not move the layout. */
const BOOT_BYTES = [0x25, 0x26, 0x2b, 0x2c, 0x30, 0x32, 0x41, 0x42, 0x47, 0x28, 0x1fe];

/** One to three blows: to entries of the FAT, to slots that are in use, now and then to the boot sector. */
function strike(bytes: Uint8Array, bits: 12 | 16 | 32, random: () => number): void {
  const below = (limit: number): number => Math.floor(random() * limit);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const sector = view.getUint16(11, true);
  const fats = bytes[16]!;
  const fatBytes = (view.getUint16(22, true) || view.getUint32(36, true)) * sector;
  const fat = view.getUint16(14, true) * sector;
  const root = fat + fats * fatBytes;
  for (let blow = 0; blow <= below(3); blow++) {
    const kind = random();
    if (kind < 0.4) {
      const cluster = below(40);
      const link = LINKS[below(LINKS.length)]!;
      for (let copy = 0; copy < (random() < 0.9 ? fats : 1); copy++) {
        const at = fat + copy * fatBytes;
        if (bits === 32) view.setUint32(at + cluster * 4, link, true);
        else if (bits === 16) view.setUint16(at + cluster * 2, link % 0x10000, true);
        else bytes[at + Math.floor((cluster * 3) / 2)] = link % 256;
      }
    } else if (kind < 0.9) {
      const at = root + 32 * below(800);
      if (bytes[at] === 0 || at + 32 > bytes.length) continue;
      bytes[at + below(32)] = VALUES[below(VALUES.length)]!;
    } else bytes[BOOT_BYTES[below(BOOT_BYTES.length)]!] = VALUES[below(VALUES.length)]!;
  }
}

for (const [bits, runs] of [
  [12, 60],
  [16, 60],
  [32, 12],
] as const) {
  test.serial(`FAT${bits} damaged at random, ${runs} times: the verdict is that of fsck.fat -n`, async (t) => {
    if (!hasTools(t, 'fsck.fat')) return;
    const original = await fixtureBytes(`fat-damage/clean-${bits}.img`);
    const image = path.join(temporaryFolder(t), 'damaged.img');
    let damaged = 0;
    for (let run = 0; run < runs; run++) {
      const bytes = original.slice();
      strike(bytes, bits, seededRandom(bits * 1000 + run));
      writeFileSync(image, bytes);
      const [real, mine] = [fsck(image), await ours(bytes)];
      damaged += mine.exit;
      t.is(mine.exit, real.exit as number, `run ${run}\n${real.says}\n${mine.says}`);
    }
    t.true(damaged > runs / 4, 'the damage does harm');
  });
}

/** mkfs.fat's arguments, KiB, and what must come of them. */
const LAYOUTS: readonly (readonly [name: string, args: string, kibibytes: number])[] = [
  ['one FAT', '-F 16 -f 1', 20_000],
  ['128 sectors per cluster', '-F 16 -s 128', 600_000],
  ['512 KiB clusters', '-F 16 -S 4096 -s 128', 2_200_000],
  ['512 KiB clusters, few of them, on FAT32', '-F 32 -S 4096 -s 128', 600_000],
  ['128 sectors of 512 on FAT32', '-F 32 -s 128', 300_000],
  ['sectors of 4096, 32 KiB clusters', '-F 32 -S 4096 -s 8', 600_000],
  ['sectors of 1024', '-F 12 -S 1024 -s 4', 8_000],
  ['FAT32 with few clusters', '-F 32 -s 8', 20_000],
  ['two reserved sectors', '-F 16 -R 2', 20_000],
  ['a root of 16 entries', '-F 12 -r 16', 1_440],
];

for (const [name, args, kibibytes] of LAYOUTS) {
  test.serial(`${name} (mkfs.fat ${args}): consistent for both, a file the same byte for byte`, async (t) => {
    if (!hasTools(t, 'mkfs.fat', 'fsck.fat', 'mcopy')) return;
    const folder = temporaryFolder(t);
    const image = path.join(folder, 'fat.img');
    await tool('mkfs.fat', ['-C', ...args.split(' '), '-n', 'LAYOUT', image, `${kibibytes}`]);
    const random = seededRandom(kibibytes);
    const content = Buffer.from(Uint8Array.from({ length: 700_001 }, () => random() * 256));
    // mtools takes FAT32 with few clusters for FAT16.
    const isCopied = !args.startsWith('-F 32');
    if (isCopied) {
      writeFileSync(path.join(folder, 'source'), content);
      await tool('mcopy', ['-i', image, path.join(folder, 'source'), '::/file in it']);
    }
    t.is(fsck(image).exit, 0);
    await checkClean(t, image);
    if (!isCopied) return;
    await using device = await FileDevice.open(image);
    const filesystem = await openFat(device, testContext());
    const { node } = await resolvePath(filesystem, '/file in it');
    if (node.kind !== 'file') return t.fail();
    t.true(content.equals(await readFile(filesystem, node)));
    return undefined;
  });
}

async function checkClean(t: ExecutionContext, image: string): Promise<void> {
  await using device = await FileDevice.open(image);
  const filesystem = await openFat(device, testContext());
  for await (const { severity, message } of filesystem.check()) t.not(severity, 'error', message);
}

test('3 and 4 FATs, which fsck.fat does not read: consistent, and a copy that differs is told', async (t) => {
  if (!hasTools(t, 'mkfs.fat')) return;
  for (const fats of [3, 4]) {
    const image = path.join(temporaryFolder(t), `${fats}.img`);
    await tool('mkfs.fat', ['-C', '-F', '16', '-f', `${fats}`, '-n', 'FATS', image, '20000']);
    await checkClean(t, image);
    const bytes = new Uint8Array(readFileSync(image));
    const { geometry } = await openFat(new MemoryDevice(bytes), testContext());
    bytes[geometry.fatOffset + (fats - 1) * geometry.fatBytes + 20] = 1;
    const { exit, says } = await ours(bytes);
    t.is(exit, 1);
    t.regex(says, new RegExp(`FAT ${fats} differs from FAT 1 in one entry, the first that of cluster 10`));
  }
});

test('the numbers of clusters at the limits of each width: type, clusters and free space as fsck.fat has them', async (t) => {
  if (!hasTools(t, 'mkfs.fat', 'fsck.fat', '7z')) return;
  const folder = temporaryFolder(t);
  for (const [clusters, type] of [
    [4084, 'fat12'],
    [4085, 'fat16'],
    [4086, 'fat16'],
    [65524, 'fat16'],
    [65525, 'fat32'],
  ] as const) {
    const bits = Number(type.slice(3)) as 12 | 16 | 32;
    const image = path.join(folder, `${clusters}.img`);
    // A volume of about that size; then its number of sectors is set to the clusters that are wanted.
    await tool('mkfs.fat', [
      '-C',
      '-F',
      `${bits === 12 ? 16 : bits}`,
      '-s',
      '1',
      '-a',
      image,
      bits === 32 ? '40000' : '33020',
    ]);
    const bytes = new Uint8Array(40_960_000);
    bytes.set(readFileSync(image));
    const { geometry } = await openFat(new MemoryDevice(bytes), testContext());
    const view = new DataView(bytes.buffer);
    const sectors = geometry.dataOffset / 512 + clusters;
    view.setUint16(19, sectors < 0x10000 ? sectors : 0, true);
    view.setUint32(32, sectors < 0x10000 ? 0 : sectors, true);
    if (bits === 32) {
      bytes.copyWithin(6 * 512, 0, 512);
      view.setUint32(512 + 488, clusters - 1, true);
    }
    if (bits === 12)
      for (const at of [0, 1]) bytes.set([0xf8, 0xff, 0xff, 0], geometry.fatOffset + at * geometry.fatBytes);
    const cut = bytes.subarray(0, Math.ceil(sectors / 2) * 1024);
    writeFileSync(image, cut);
    const real = fsck(image);
    t.is(real.exit, 0, real.says);
    t.is(Number(/(\d+)\/(\d+) clusters/.exec(real.says)?.[2]), clusters);
    const mine = await ours(cut);
    t.is(mine.exit, 0, mine.says);
    const opened = await openFat(new MemoryDevice(cut), testContext());
    t.is(opened.type, type);
    t.is(opened.geometry.clusterCount, clusters);
    const listing = await toolText('7z', ['l', '-slt', image]);
    t.regex(listing, new RegExp(`^File System = ${type.toUpperCase()}$`, 'm'));
    t.is(opened.usage.free, Number(/^Free Space = (\d+)$/m.exec(listing)?.[1]));
  }
});

test('labels and serials, wherever they stand and however they are written, as blkid and 7z have them', async (t) => {
  if (!hasTools(t, '7z', 'blkid')) return;
  const folder = temporaryFolder(t);
  for (const name of [
    'clean-12',
    'clean-32',
    'label-boot-only-16',
    'label-differs-12',
    'label-lower-16',
    'label-root-only-16',
    'serial-only-16',
    'serial-only-32',
    'no-extension-16',
  ]) {
    const image = path.join(folder, `${name}.img`);
    const bytes = await fixtureBytes(`fat-damage/${name}.img`);
    writeFileSync(image, bytes);
    const listing = await toolText('7z', ['l', '-slt', image]);
    const field = (key: string): string => new RegExp(`^${key} = (.*)$`, 'm').exec(listing)?.[1] ?? '';
    const filesystem = await openFat(new MemoryDevice(bytes), testContext());
    // 7z passes over the boot sector's label, blkid tells both.
    const labels = await toolText('blkid', ['-p', '-o', 'export', image]);
    const found = (key: string): string | undefined => new RegExp(`^${key}=(.*)$`, 'm').exec(labels)?.[1];
    const label = found('LABEL') ?? found('LABEL_FATBOOT') ?? '';
    t.is(filesystem.label, label, name);
    const serial = filesystem.properties.find(({ key }) => key === 'serialNumber')?.value ?? null;
    const number = Number(field('ID'));
    const text = number.toString(16).toUpperCase().padStart(8, '0');
    // An extension with the signature 0x28 has a serial number and nothing else; 7z looks for 0x29 only.
    const wanted = name.startsWith('serial-only') ? '1234-ABCD' : `${text.slice(0, 4)}-${text.slice(4)}`;
    t.is(serial, name.startsWith('no-extension') ? null : wanted, name);
  }
});
