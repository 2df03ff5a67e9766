import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { FatFileSystem } from '../../src/core/filesystem/fat/fat-file-system.ts';
import { openFat } from '../../src/core/filesystem/fat/fat-format.ts';
import { FileDevice, fileDevice, type Timestamp, walk } from '../../src/core/index.ts';
import { seededRandom } from '../conformance/device-conformance.ts';
import { FatBuilder, longEntry, shortSlot } from '../core/filesystem/fat/fat-builder.ts';
import { testContext } from '../helpers/context.ts';
import { sha256 } from '../helpers/sha256.ts';
import { hasTools, temporaryFolder, tool, toolText } from '../helpers/tools.ts';

interface Seen {
  readonly path: string;
  readonly kind: 'directory' | 'file';
  readonly size: number;
  readonly modified: string;
  readonly created: string;
  readonly accessed: string;
  readonly attributes: string;
}

/** Type, sector size, sectors per cluster, FATs, KiB. */
const MATRIX = [
  [12, 512, 1, 1, 1440],
  [12, 512, 8, 2, 8000],
  [12, 1024, 2, 2, 4000],
  [12, 4096, 4, 1, 30000],
  [16, 512, 1, 2, 8000],
  [16, 2048, 2, 1, 40000],
  [16, 4096, 1, 2, 40000],
  [16, 512, 16, 1, 60000],
  [32, 512, 1, 2, 40000],
  [32, 512, 2, 1, 80000],
  [32, 1024, 1, 2, 80000],
  [32, 2048, 1, 1, 150000],
  [32, 4096, 1, 2, 300000],
  [32, 512, 16, 1, 540000],
] as const;

/** The host allows 255 bytes where FAT allows 255 units. */
const LONGEST = `${'very long name '.repeat(20).slice(0, 251)}.fin`;
const NAMES = [
  'UPPER.TXT',
  'lower.txt',
  'Mixed.Case',
  'noext',
  'a name with spaces.txt',
  'exactly13char',
  'x'.repeat(26),
  LONGEST,
  'Grüße – ελληνικά.txt',
  '日本語ファイル.dat',
  'semi;colon,comma+plus=[brackets]',
  'many.dots.in.it...x',
  'TILDE~1.TXT',
  '#$%&@!^.{}',
];

function randomBytes(length: number, random: () => number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, () => random() * 256));
}

/** Files of every kind below `folder`, with times that FAT can hold. */
function makeTree(folder: string): void {
  const random = seededRandom(11);
  const file = (name: string, content: Uint8Array): void => {
    const target = path.join(folder, name);
    mkdirSync(path.dirname(target), { recursive: true });
    writeFileSync(target, content);
    const second = 400_000_000 + Math.floor(random() * 1_000_000_000) * 2;
    utimesSync(target, second, second);
  };
  NAMES.forEach((name, at) => {
    file(`names/${name}`, randomBytes(at * 97, random));
  });
  file('empty.bin', Buffer.alloc(0));
  file(`${Array.from({ length: 12 }, (_, at) => `level ${at}`).join('/')}/deep.txt`, Buffer.from('deep'));
  for (let at = 0; at < 120; at++) file(`many/file number ${at}.txt`, Buffer.from(`${at}\n`));
  file('large.bin', randomBytes(150_001, random));
}

/** Everything in `folder` into the root of the image, with its times. */
async function copyTree(folder: string, image: string): Promise<void> {
  const sources = readdirSync(folder).map((name) => path.join(folder, name));
  await tool('mcopy', ['-s', '-m', '-Q', '-i', image, ...sources, '::/']);
}

/** A file in many pieces, and deleted ones that nothing has taken since: short, long and of several clusters. */
async function fragmentAndDelete(image: string, folder: string): Promise<void> {
  const at = (name: string): string => `::/frag/${name}`;
  const piece = path.join(folder, '..', 'piece');
  writeFileSync(piece, randomBytes(9000, seededRandom(2)));
  await tool('mmd', ['-i', image, '::/frag']);
  const pieces = Array.from({ length: 8 }, (_, index) => `P${index}`);
  for (const name of pieces) await tool('mcopy', ['-i', image, piece, at(name)]);
  await tool('mdel', ['-i', image, ...pieces.filter((_, index) => index % 2 === 0).map(at)]);
  writeFileSync(piece, randomBytes(45_000, seededRandom(4)));
  await tool('mcopy', ['-i', image, piece, at('a file in pieces.bin')]);
  writeFileSync(piece, randomBytes(20_000, seededRandom(6)));
  for (const name of ['deleted later with a long name.bin', 'DELSHORT.BIN', 'dellow.bin'])
    await tool('mcopy', ['-i', image, piece, at(name)]);
  await tool('mdel', ['-i', image, at('deleted later with a long name.bin'), at('DELSHORT.BIN'), at('dellow.bin')]);
  await tool('mattrib', ['-i', image, '+r', '+h', '+s', '-a', at('P1')]);
}

function text(time: Timestamp | undefined, digits: number): string {
  if (time === undefined) return '';
  const whole = new Date(time.seconds * 1000).toISOString().slice(0, 19).replace('T', ' ');
  return digits === 0 ? whole : `${whole}.${String(time.nanoseconds / 1e7).padStart(digits, '0')}`;
}

const LETTERS: Record<string, string> = { 'read-only': 'R', hidden: 'H', system: 'S', archive: 'A' };

async function ours(filesystem: FatFileSystem): Promise<Seen[]> {
  const seen: Seen[] = [];
  for await (const { path: where, entry } of walk(filesystem, filesystem.rootId)) {
    const node = await filesystem.node(entry.nodeId);
    const isFile = node.kind === 'file';
    const letters = [...node.flags.map((flag) => LETTERS[flag] ?? '?'), ...(isFile ? [] : ['D'])].sort();
    seen.push({
      path: where.slice(1),
      kind: node.kind,
      size: isFile ? node.size : 0,
      modified: text(node.times.modified, 0),
      created: text(node.times.created, 2),
      accessed: text(node.times.accessed, 0),
      attributes: letters.join(''),
    });
  }
  return seen.sort(byPath);
}

function byPath(left: { path: string }, right: { path: string }): number {
  return left.path < right.path ? -1 : left.path > right.path ? 1 : 0;
}

/** What 7z says of every file and directory. */
async function sevenZip(image: string): Promise<Seen[]> {
  const listing = (await toolText('7z', ['l', '-slt', image])).split('----------\n')[1] ?? '';
  const blocks = listing.split('\n\n').filter((block) => block.startsWith('Path = '));
  return blocks
    .map((block) => {
      const field = (name: string): string => new RegExp(`^${name} = (.*)$`, 'm').exec(block)?.[1] ?? '';
      const kind: Seen['kind'] = field('Folder') === '+' ? 'directory' : 'file';
      return {
        path: field('Path'),
        kind,
        size: Number(field('Size')),
        modified: field('Modified'),
        created: field('Created'),
        accessed: field('Accessed'),
        attributes: [...field('Attributes')].sort().join(''),
      };
    })
    .sort(byPath);
}

interface Listed {
  readonly path: string;
  readonly deleted: boolean;
  readonly kind: 'directory' | 'file';
  /** TSK counts slots from the root of FAT12 and FAT16, from the data on FAT32; the first is 3. */
  readonly slot: number;
}

async function sleuthkit(image: string): Promise<Listed[]> {
  const lines = (await toolText('fls', ['-r', '-p', image])).split('\n');
  return lines
    .flatMap((line): Listed[] => {
      const match = /^([rd])\/[rd-] (\* )?(\d+)(?:\(realloc\))?:\t(.*)$/.exec(line);
      if (match === null || match[4]!.endsWith('(Volume Label Entry)')) return [];
      const kind = match[1] === 'd' ? 'directory' : 'file';
      return [{ path: match[4]!, deleted: match[2] !== undefined, kind, slot: Number(match[3]) - 3 }];
    })
    .sort(byPath);
}

async function oursListed(filesystem: FatFileSystem): Promise<Listed[]> {
  const { geometry } = filesystem;
  const base = (geometry.entryBits === 32 ? geometry.dataOffset : geometry.rootOffset) / 32;
  const listed: Listed[] = [];
  for await (const { path: where, entry } of walk(filesystem, filesystem.rootId, { deleted: true })) {
    const kind = entry.kind === 'directory' ? 'directory' : 'file';
    listed.push({ path: where.slice(1), deleted: entry.deleted, kind, slot: entry.nodeId - base });
  }
  return listed.sort(byPath);
}

/** SHA-256 of every file below a folder of the host, by path. */
function hashTree(folder: string, below = ''): Map<string, string> {
  const hashes = new Map<string, string>();
  for (const name of readdirSync(path.join(folder, below))) {
    const where = path.join(below, name);
    const full = path.join(folder, where);
    if (statSync(full).isDirectory()) for (const [key, hash] of hashTree(folder, where)) hashes.set(key, hash);
    else hashes.set(where, createHash('sha256').update(readFileSync(full)).digest('hex'));
  }
  return hashes;
}

async function oursHashed(filesystem: FatFileSystem): Promise<Map<string, string>> {
  const hashes = new Map<string, string>();
  for await (const { path: where, entry } of walk(filesystem, filesystem.rootId)) {
    const node = await filesystem.node(entry.nodeId);
    if (node.kind === 'file') hashes.set(where.slice(1), await sha256(fileDevice(filesystem, node)));
  }
  return hashes;
}

async function openImageFile(
  t: ExecutionContext,
  image: string,
): Promise<{ filesystem: FatFileSystem; messages: string[] }> {
  const device = await FileDevice.open(image);
  t.teardown(() => device[Symbol.asyncDispose]());
  const context = testContext();
  const filesystem = await openFat(device, context);
  return { filesystem, messages: context.diagnostics.map(({ message }) => message) };
}

const sorted = (map: Map<string, string>): [string, string][] => [...map].sort(([a], [b]) => (a < b ? -1 : 1));

for (const [bits, sectorSize, sectorsPerCluster, fats, kibibytes] of MATRIX) {
  const title = `FAT${bits}, sectors of ${sectorSize}, ${sectorsPerCluster} per cluster, ${fats} FATs, ${kibibytes} KiB`;
  test.serial(
    `${title}: every path, size, time, attribute and byte as 7z, mtools and the Sleuth Kit have them`,
    async (t) => {
      if (!hasTools(t, 'mkfs.fat', 'fsck.fat', 'mcopy', '7z', 'fls', 'icat')) return;
      const folder = temporaryFolder(t);
      const tree = path.join(folder, 'tree');
      const image = path.join(folder, 'fat.img');
      makeTree(tree);
      const layout = ['-F', `${bits}`, '-S', `${sectorSize}`, '-s', `${sectorsPerCluster}`, '-f', `${fats}`];
      await tool('mkfs.fat', ['-C', ...layout, '-n', 'ORACLE', image, `${kibibytes}`]);
      await copyTree(tree, image);
      await fragmentAndDelete(image, tree);
      await tool('fsck.fat', ['-n', image]);

      const { filesystem, messages } = await openImageFile(t, image);
      t.is(filesystem.type, `fat${bits}`);
      t.is(filesystem.label, 'ORACLE');
      t.is(filesystem.blockSize, sectorSize * sectorsPerCluster);
      t.deepEqual(
        messages.filter((message) => !message.startsWith('FAT32 with')),
        [],
      );
      const free = /^Free Space = (\d+)$/m.exec(await toolText('7z', ['l', '-slt', image]))?.[1];
      t.is(filesystem.usage.free, Number(free));
      t.deepEqual(await ours(filesystem), await sevenZip(image));
      // fls cuts a line near 250 characters: the longest name is compared with the other two only.
      const short = (listed: Listed[]): Listed[] => listed.filter((entry) => entry.path.length < 220);
      t.deepEqual(short(await oursListed(filesystem)), short(await sleuthkit(image)));

      const extracted = path.join(folder, 'out');
      mkdirSync(extracted);
      await tool('mcopy', ['-s', '-n', '-i', image, '::/*', extracted]);
      const hashes = await oursHashed(filesystem);
      t.deepEqual(sorted(hashes), sorted(hashTree(extracted)));
      for (const [name, hash] of hashTree(tree)) t.is(hashes.get(name), hash, name);
      await compareWithIcat(t, image, filesystem);
    },
  );
}

/** The fragmented file and the deleted ones, which icat recovers by the same guess: the clusters that follow the first. */
async function compareWithIcat(t: ExecutionContext, image: string, filesystem: FatFileSystem): Promise<void> {
  const files = (await oursListed(filesystem)).filter(({ path: where }) =>
    /pieces|deleted later|_EL|_el|deep/.test(where),
  );
  const base =
    (filesystem.geometry.entryBits === 32 ? filesystem.geometry.dataOffset : filesystem.geometry.rootOffset) / 32;
  const live = files.filter(({ kind }) => kind === 'file');
  t.is(live.length, 5);
  for (const { path: where, slot, deleted } of live) {
    const node = await filesystem.node(slot + base);
    if (node.kind !== 'file') return t.fail(where);
    const content = await tool('icat', [...(deleted ? ['-r'] : []), image, `${slot + 3}`]);
    t.is(content.length, node.size, where);
    t.is(await sha256(fileDevice(filesystem, node)), createHash('sha256').update(content).digest('hex'), where);
  }
}

test('a directory of 20,000 long names, and names beyond the BMP: clean for fsck.fat, listed as 7z and fls do', async (t) => {
  if (!hasTools(t, 'fsck.fat', '7z', 'fls')) return;
  const volume = new FatBuilder({ bits: 32, clusters: 70_000 });
  const slots = Array.from({ length: 20_000 }, (_, at) =>
    longEntry(`entry ${at} 😀 𝒳 ünï.txt`, `E${String(at).padStart(7, '0')}TXT`, { size: 0 }),
  ).flat();
  const dots = [shortSlot('.', { attributes: 0x10, cluster: 3 }), shortSlot('..', { attributes: 0x10 })];
  const cluster = volume.store(Buffer.concat([...dots, ...slots]));
  volume.setRoot([shortSlot('MANY', { attributes: 0x10, cluster })]);
  const image = path.join(temporaryFolder(t), 'many.img');
  writeFileSync(image, volume.bytes);
  await tool('fsck.fat', ['-n', image]);
  const { filesystem, messages } = await openImageFile(t, image);
  t.deepEqual(messages, []);
  const [mine, fls, seven] = [await oursListed(filesystem), await sleuthkit(image), await sevenZip(image)];
  t.is(mine.length, 20_001);
  t.deepEqual(mine, fls);
  t.deepEqual(
    mine.map((entry) => entry.path),
    seven.map((entry) => entry.path),
  );
});

test('FAT32 of too few clusters: read as fsck.fat and 7z read it', async (t) => {
  if (!hasTools(t, 'mkfs.fat', 'fsck.fat', '7z')) return;
  const image = path.join(temporaryFolder(t), 'small.img');
  await tool('mkfs.fat', ['-C', '-F', '32', '-s', '128', '-n', 'SMALL', image, '30000']);
  await tool('fsck.fat', ['-n', image]);
  const listing = await toolText('7z', ['l', '-slt', image]);
  t.regex(listing, /^File System = FAT32$/m);
  const { filesystem, messages } = await openImageFile(t, image);
  t.is(filesystem.type, 'fat32');
  t.is(filesystem.label, 'SMALL');
  t.is(filesystem.usage.free, Number(/^Free Space = (\d+)$/m.exec(listing)?.[1]));
  t.deepEqual(messages.length, 1);
});

test('a truncated image lists what 7z listed before, as far as the directories are there', async (t) => {
  if (!hasTools(t, 'mkfs.fat', 'mcopy', '7z')) return;
  const folder = temporaryFolder(t);
  const tree = path.join(folder, 'tree');
  const image = path.join(folder, 'fat.img');
  makeTree(tree);
  await tool('mkfs.fat', ['-C', '-F', '16', image, '40000']);
  await copyTree(tree, image);
  const before = await sevenZip(image);
  truncateSync(image, 20_000_000);
  const { filesystem, messages } = await openImageFile(t, image);
  t.regex(messages.join(), /its end is missing/);
  t.deepEqual(await ours(filesystem), before);
});
