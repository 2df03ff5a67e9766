import { execFileSync } from 'node:child_process';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { fileDevice, MemoryDevice, openFileSystem, readBytes, resolvePath, slackDevice } from '../../src/core/index.ts';
import { seededRandom } from '../conformance/device-conformance.ts';
import { testContext } from '../helpers/context.ts';
import { hasTools, temporaryFolder, tool, toolText } from '../helpers/tools.ts';

const SIZES = [0, 1, 511, 512, 1000, 1024, 4095, 4096, 5000, 70_001];

/** Every byte that no structure has is noise, so that slack is not just zeros. */
function noise(folder: string, bytes: number): string {
  const image = path.join(folder, 'noise.img');
  const random = seededRandom(8);
  writeFileSync(
    image,
    Uint8Array.from({ length: bytes }, () => random() * 256),
  );
  return image;
}

for (const [name, make, list] of [
  ['FAT16', ['mkfs.fat', '-F', '16', '-s', '4', '-n', 'SLACK'], 'fls'],
  ['FAT32', ['mkfs.fat', '-F', '32', '-s', '1', '-n', 'SLACK'], 'fls'],
  ['ext2', ['mke2fs', '-q', '-F', '-t', 'ext2', '-b', '1024', '-E', 'nodiscard'], 'fls'],
  ['ext4', ['mke2fs', '-q', '-F', '-t', 'ext4', '-b', '4096', '-E', 'nodiscard'], 'fls'],
] as const) {
  test.serial(`${name}: content and slack together are what icat -s gives`, async (t) => {
    if (!hasTools(t, make[0], list, 'icat', 'mcopy', 'debugfs')) return;
    const folder = temporaryFolder(t);
    const image = noise(folder, name === 'FAT32' ? 40_000_000 : 12_000_000);
    await tool(make[0], [...make.slice(1), image]);
    const random = seededRandom(5);
    for (const size of SIZES) {
      const source = path.join(folder, `file${size}`);
      writeFileSync(
        source,
        Uint8Array.from({ length: size }, () => random() * 256),
      );
      if (name.startsWith('FAT')) await tool('mcopy', ['-i', image, source, `::/file${size}`]);
      else await tool('debugfs', ['-w', '-R', `write ${source} file${size}`, image]);
    }
    const filesystem = await openFileSystem(new MemoryDevice(new Uint8Array(readFileSync(image))), testContext());
    const listing = await toolText(list, [image]);
    for (const size of SIZES) {
      const { node } = await resolvePath(filesystem!, `/file${size}`);
      if (node.kind !== 'file') return t.fail();
      const slack = await slackDevice(filesystem!, node);
      const [content, rest] = [fileDevice(filesystem!, node), await readBytes(slack, 0, slack.size)];
      const mine = Buffer.concat([await readBytes(content, 0, content.size), rest]);
      const number = new RegExp(`^r/r (\\d+):\\tfile${size}$`, 'm').exec(listing)?.[1];
      const real = await tool('icat', ['-s', image, String(number)]);
      t.is(mine.length % filesystem!.blockSize, 0);
      // debugfs and mcopy write whole blocks: what is behind the content is noise only where it was not touched.
      t.true(mine.equals(real), `${size}: ${mine.length} and ${real.length}`);
    }
    return undefined;
  });
}

test('ext4: blocks allocated behind the end of a file are slack, as they lie on the disk', async (t) => {
  if (!hasTools(t, 'mke2fs', 'debugfs')) return;
  const folder = temporaryFolder(t);
  const image = noise(folder, 8_000_000);
  await tool('mke2fs', ['-q', '-F', '-t', 'ext4', '-b', '1024', '-E', 'nodiscard', image]);
  const source = path.join(folder, 'source');
  writeFileSync(source, 'short');
  appendFileSync(source, ' file');
  await tool('debugfs', ['-w', '-R', `write ${source} ahead`, image]);
  await tool('debugfs', ['-w', '-R', 'fallocate ahead 1 5', image]);
  await tool('debugfs', ['-w', '-R', 'sif ahead size 10', image]);
  const blocks = execFileSync('/usr/sbin/debugfs', ['-R', 'blocks ahead', image], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
    .toString()
    .trim()
    .split(/\s+/)
    .map(Number);
  t.is(blocks.length, 6);
  const bytes = new Uint8Array(readFileSync(image));
  const filesystem = await openFileSystem(new MemoryDevice(bytes), testContext());
  const { node } = await resolvePath(filesystem!, '/ahead');
  if (node.kind !== 'file') return t.fail();
  t.is(node.size, 10);
  const slack = await slackDevice(filesystem!, node);
  t.is(slack.size, 6 * 1024 - 10);
  const wanted = Buffer.concat(blocks.map((block) => bytes.subarray(block * 1024, block * 1024 + 1024))).subarray(10);
  t.true(Buffer.from(await readBytes(slack, 0, slack.size)).equals(wanted));
  return undefined;
});
