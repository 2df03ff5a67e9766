import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { mergeExtents } from '../../src/core/device/extent.ts';
import { extentsOf, FileDevice, fileDevice, openImage, readBytes } from '../../src/core/index.ts';
import { seededRandom } from '../helpers/seeded-random.ts';
import { hasTools, temporaryFolder, tool, toolText } from '../helpers/tools.ts';
import { debugfsFacts } from './ext/debugfs-facts.ts';
import { type WrittenTransaction, writeJournal } from './ext/debugfs-journal.ts';
import { withHashesOf } from './ext/node-facts.ts';
import { openExt, ourFacts } from './ext/our-facts.ts';

const MIB = 1024 ** 2;
const HASH_LIMIT = 8 * MIB;
const MAGIC = Uint8Array.of(0xc0, 0x3b, 0x39, 0x98);

interface Variant {
  readonly options: readonly string[];
  readonly blockSize: number;
  readonly checksums: 2 | 3 | undefined;
}

const variants: readonly Variant[] = [
  { options: ['-t', 'ext4'], blockSize: 1024, checksums: 3 },
  { options: ['-t', 'ext4'], blockSize: 4096, checksums: 3 },
  { options: ['-t', 'ext4', '-O', '^64bit'], blockSize: 1024, checksums: 3 },
  { options: ['-t', 'ext4'], blockSize: 1024, checksums: 2 },
  { options: ['-t', 'ext4', '-O', '^64bit'], blockSize: 2048, checksums: 2 },
  { options: ['-t', 'ext4', '-O', '^metadata_csum'], blockSize: 1024, checksums: undefined },
  { options: ['-t', 'ext3'], blockSize: 1024, checksums: undefined },
];

async function makeImage(t: ExecutionContext, { options, blockSize }: Variant, megabytes: number): Promise<string> {
  const image = path.join(temporaryFolder(t), 'ext.img');
  writeFileSync(image, '');
  truncateSync(image, megabytes * MIB);
  const journal = Math.max(1, (blockSize * 1024) / MIB);
  await tool('mke2fs', ['-q', '-F', ...options, '-b', String(blockSize), '-J', `size=${journal}`, image]);
  return image;
}

/** Copies of the same few blocks again and again, some that begin with the journal's magic, some revoked. */
function randomTransactions(seed: number, blockSize: number, first: number): WrittenTransaction[] {
  const random = seededRandom(seed);
  const pick = (count: number): number => Math.floor(random() * count);
  const block = (): number => first + pick(60);
  return Array.from({ length: 4 + pick(8) }, (_, index) => {
    // debugfs loses the commit block of a transaction that has both.
    if (index % 3 === 2)
      return { blocks: new Map(), revoked: [...new Set(Array.from({ length: 1 + pick(6) }, block))] };
    const blocks = new Map<number, Uint8Array>();
    for (let count = pick(30); count >= 0; count--) {
      const bytes = Uint8Array.from({ length: blockSize }, () => pick(256));
      if (pick(4) === 0) bytes.set(MAGIC);
      blocks.set(block(), bytes);
    }
    return { blocks, revoked: [] };
  });
}

for (const [index, variant] of variants.entries()) {
  const { options, blockSize, checksums } = variant;
  test(`e2fsck agrees on every byte after the replay: ${options.join(' ')}, ${blockSize}, csum ${checksums}`, async (t) => {
    if (!hasTools(t, 'mke2fs', 'debugfs', 'e2fsck')) return;
    for (const seed of [index * 10, index * 10 + 1]) {
      const image = await makeImage(t, variant, blockSize === 4096 ? 24 : 12);
      const first = (blockSize === 4096 ? 20 : 10) * (MIB / blockSize);
      const transactions = randomTransactions(seed, blockSize, first);
      await writeJournal(image, transactions, checksums);
      const replayed = `${image}.replayed`;
      copyFileSync(image, replayed);
      // Exit code 1: something was corrected.
      const done = spawnSync('e2fsck', ['-y', '-E', 'journal_only', replayed], { env: { PATH: '/usr/sbin:/sbin' } });
      t.true(done.status !== null && done.status <= 1, `seed ${seed}: ${done.stdout}${done.stderr}`);
      const before = readFileSync(image);
      await using file = await FileDevice.open(image);
      const filesystem = await openExt(file);
      const value = filesystem.properties.find(({ key }) => key === 'journalTransactionsReplayed')?.value;
      t.is(value, transactions.length, `seed ${seed}`);
      const ours = await readBytes(filesystem.device, 0, file.size);
      // e2fsck notes in the superblocks that it is done; neither the journal nor they are compared.
      const start = first * blockSize;
      const expected = readFileSync(replayed).subarray(start);
      t.is(Buffer.compare(ours.subarray(start), expected), 0, `seed ${seed}`);
      t.deepEqual(Buffer.compare(before.subarray(start), expected) === 0, false, 'the replay changes something');
      t.is(Buffer.compare(readFileSync(image), before), 0, 'the image is as it was');
    }
  });
}

/** What a machine does before its power goes: the image is copied while it is mounted. */
function crash(t: ExecutionContext, image: string, options: string): string | undefined {
  const point = `${image}.mounted`;
  mkdirSync(point);
  const mounted = spawnSync('mount', ['-o', `loop,commit=1000${options}`, image, point]);
  if (mounted.status !== 0) {
    t.log(`skipped: cannot mount: ${mounted.stderr}`);
    return undefined;
  }
  const copy = `${image}.crashed`;
  try {
    const random = seededRandom(7);
    for (let round = 0; round < 12; round++) {
      const folder = path.join(point, `round${round}`);
      mkdirSync(folder);
      for (let file = 0; file < 25; file++) {
        const bytes = Buffer.from(Uint8Array.from({ length: Math.floor(random() * 6000) }, () => random() * 256));
        if (file % 5 === 0) bytes.set(MAGIC.subarray(0, Math.min(4, bytes.length)));
        writeFileSync(path.join(folder, `${'n'.repeat(file * 3)}${file}`), bytes, { flush: file % 8 === 0 });
      }
      // The blocks of a directory that goes are revoked, and become those of files.
      if (round % 3 === 2) spawnSync('rm', ['-r', path.join(point, `round${round - 1}`)]);
    }
    writeFileSync(path.join(point, 'last'), 'the last', { flush: true });
    copyFileSync(image, copy);
  } finally {
    spawnSync('umount', [point]);
  }
  return copy;
}

const mountOptions = ['', ',data=journal'];
for (const variant of variants.filter(({ checksums }) => checksums !== 2)) {
  for (const options of mountOptions) {
    const title = [...variant.options, variant.blockSize, options].join(' ');
    test(`e2fsck agrees on a filesystem that was not unmounted, file by file: ${title}`, async (t) => {
      if (!hasTools(t, 'mke2fs', 'debugfs', 'e2fsck', 'mount')) return;
      const image = crash(t, await makeImage(t, variant, 24), options);
      if (image === undefined) return;
      t.regex(await toolText('dumpe2fs', ['-h', image]), /needs_recovery/);
      const replayed = `${image}.replayed`;
      copyFileSync(image, replayed);
      spawnSync('e2fsck', ['-y', '-E', 'journal_only', replayed], { env: { PATH: '/usr/sbin:/sbin' } });
      await using file = await FileDevice.open(image);
      const expected = await debugfsFacts(replayed, HASH_LIMIT);
      const ours = await ourFacts(await openExt(file), HASH_LIMIT);
      t.deepEqual(withHashesOf(ours, expected), expected);
    });
  }
}

test('every block of a replayed file is found again through its extents', async (t) => {
  if (!hasTools(t, 'mke2fs', 'debugfs')) return;
  const variant = variants[0]!;
  const image = await makeImage(t, variant, 12);
  const content = path.join(path.dirname(image), 'content');
  writeFileSync(content, Buffer.alloc(20_000, 'the old content '));
  await tool('debugfs', ['-w', '-R', `write ${content} file`, image]);
  const blocks = (await toolText('debugfs', ['-R', 'blocks /file', image])).trim().split(/\s+/).map(Number);
  const changed = new Map(blocks.slice(3, 9).map((block, index) => [block, new Uint8Array(1024).fill(index + 1)]));
  await writeJournal(image, [{ blocks: changed, revoked: [] }], 3);
  await using opened = await openImage(image);
  const target = await opened.resolve({ kind: 'path', partition: 'bare', path: '/file' });
  if (target.kind !== 'node' || target.node.kind !== 'file') return t.fail();
  const read = await readBytes(fileDevice(target.filesystem, target.node), 0, 20_000);
  const expected = Buffer.alloc(20_000, 'the old content ');
  for (const [index, bytes] of [...changed.values()].entries()) expected.set(bytes, (3 + index) * 1024);
  t.is(Buffer.compare(read, expected), 0);
  // Where each block is said to lie in the image, it lies.
  const raw = readFileSync(image);
  for await (const extent of mergeExtents(target.node.extents({ start: 0, length: 20_000 }))) {
    if (extent.kind !== 'data') return t.fail();
    for await (const below of extentsOf(extent.source, { start: extent.sourceOffset, length: extent.length })) {
      if (below.kind !== 'data') return t.fail();
      const at = extent.start + below.start - extent.sourceOffset;
      // The journal's own file is one more layer.
      for await (const host of extentsOf(below.source, { start: below.sourceOffset, length: below.length })) {
        if (host.kind !== 'data') return t.fail();
        const from = at + host.start - below.sourceOffset;
        const bytes = raw.subarray(host.sourceOffset, host.sourceOffset + host.length);
        t.is(Buffer.compare(bytes, expected.subarray(from, from + host.length)), 0, `file byte ${from}`);
      }
    }
  }
});
