import { copyFileSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { openFileSystem } from '../../src/core/filesystem/formats.ts';
import { FileDevice } from '../../src/core/index.ts';
import { testContext } from '../helpers/context.ts';
import { hasTools, temporaryFolder, tool } from '../helpers/tools.ts';
import { ourFacts } from './ext/our-facts.ts';

const MIB = 1024 ** 2;
const SUPERBLOCK = 1024;

interface Variant {
  readonly name: string;
  readonly options: readonly string[];
  readonly megabytes: number;
}

const variants: readonly Variant[] = [
  { name: 'ext4 of 1 KiB blocks', options: ['-t', 'ext4', '-b', '1024'], megabytes: 32 },
  { name: 'ext4 of 4 KiB blocks', options: ['-t', 'ext4', '-b', '4096'], megabytes: 160 },
  { name: 'ext2', options: ['-t', 'ext2', '-b', '1024'], megabytes: 32 },
  { name: 'uninit_bg', options: ['-t', 'ext4', '-b', '1024', '-O', '^metadata_csum,uninit_bg'], megabytes: 32 },
  { name: 'meta_bg', options: ['-t', 'ext4', '-b', '1024', '-O', 'meta_bg,^resize_inode'], megabytes: 32 },
  { name: 'bigalloc', options: ['-t', 'ext4', '-b', '1024', '-O', 'bigalloc'], megabytes: 160 },
  {
    name: 'bigalloc of 8 KiB',
    options: ['-t', 'ext4', '-b', '1024', '-O', 'bigalloc', '-C', '8192'],
    megabytes: 80,
  },
];

async function makeImage(t: ExecutionContext, { options, megabytes }: Variant): Promise<string> {
  const folder = temporaryFolder(t);
  const tree = path.join(folder, 'tree');
  mkdirSync(path.join(tree, 'd'), { recursive: true });
  for (let number = 0; number < 40; number++) writeFileSync(path.join(tree, 'd', `f${number}`), `content ${number}`);
  const image = path.join(folder, 'image');
  writeFileSync(image, '');
  truncateSync(image, megabytes * MIB);
  await tool('mke2fs', ['-q', '-F', ...options, '-d', tree, image]);
  return image;
}

async function factsOf(image: string): Promise<{ readonly facts: unknown; readonly said: string }> {
  await using file = await FileDevice.open(image);
  const context = testContext();
  const filesystem = await openFileSystem(file, context);
  if (filesystem === undefined) return { facts: 'none', said: '' };
  const facts = await ourFacts(filesystem, MIB);
  return { facts, said: context.diagnostics.map(({ message }) => message).join('\n') };
}

for (const variant of variants) {
  test(`a superblock that is gone is read by its copy, and said to be: ${variant.name}`, async (t) => {
    if (!hasTools(t, 'mke2fs')) return;
    const image = await makeImage(t, variant);
    const sound = await factsOf(image);
    t.is(sound.said, '');
    const bytes = readFileSync(image);
    for (const [from, to] of [
      [SUPERBLOCK, SUPERBLOCK + 1024],
      [SUPERBLOCK + 0x18, SUPERBLOCK + 0x1c],
    ] as const) {
      const damaged = `${image}.damaged`;
      // All of it zero; and the size of a block alone, which no filesystem has.
      writeFileSync(damaged, Buffer.from(bytes).fill(from === SUPERBLOCK ? 0 : 0x77, from, to));
      const read = await factsOf(damaged);
      t.deepEqual(read.facts, sound.facts);
      t.regex(read.said, /^read by its copy in block \d+, for it cannot be used: /);
    }
  });

  test(`group descriptors that are damaged are read by their copies, and said to be: ${variant.name}`, async (t) => {
    if (!hasTools(t, 'mke2fs')) return;
    const image = await makeImage(t, variant);
    const sound = await factsOf(image);
    const blockSize = variant.options.includes('4096') ? 4096 : 1024;
    const at = blockSize === 4096 ? 4096 : 2048;
    const damaged = `${image}.damaged`;
    copyFileSync(image, damaged);
    writeFileSync(damaged, Buffer.from(readFileSync(image)).fill(0xee, at, at + 32));
    const read = await factsOf(damaged);
    t.deepEqual(read.facts, sound.facts);
    t.regex(read.said, /it is damaged: its copy at offset 0x[0-9a-f]+ is used/);
  });
}

test('what another filesystem was made over is not shown again', async (t) => {
  if (!hasTools(t, 'mke2fs')) return;
  const image = await makeImage(t, variants[2]!);
  const bytes = readFileSync(image);
  bytes.fill(0, 0, 64 * 1024);
  bytes.write('XFSB', 0, 'latin1');
  writeFileSync(image, bytes);
  t.is((await factsOf(image)).facts, 'none');
});
