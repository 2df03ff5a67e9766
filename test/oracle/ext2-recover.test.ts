import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { MemoryDevice, type RecoverableFile, readFile } from '../../src/core/index.ts';
import { seededRandom } from '../helpers/seeded-random.ts';
import { hasTools, temporaryFolder, tool, toolText } from '../helpers/tools.ts';
import { openExt } from './ext/our-facts.ts';

/** What debugfs says of a deleted inode: its number, and how many of its blocks are free. */
interface Listed {
  readonly inode: number;
  readonly size: number;
  readonly free: number;
  readonly blocks: number;
}

async function lsdel(image: string): Promise<Listed[]> {
  const text = await toolText('debugfs', ['-R', 'lsdel', image]);
  return [...text.matchAll(/^\s*(\d+)\s+\d+\s+\d+\s+(\d+)\s+(\d+)\/\s*(\d+)/gm)].map((row) => {
    const [inode, size, free, blocks] = row.slice(1).map(Number) as [number, number, number, number];
    return { inode, size, free, blocks };
  });
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

interface History {
  readonly image: string;
  /** The hash of what every file was given, by path. */
  readonly written: Map<string, string>;
}

/** debugfs deletes as the driver of ext2 does: the map of blocks stays. Each deed in a second of its own. */
function makeHistory(folder: string, options: readonly string[], seed: number, steps: number): History {
  const image = path.join(folder, 'image');
  writeFileSync(image, '');
  truncateSync(image, 3 * 1024 ** 2);
  spawnSync('mke2fs', ['-q', '-F', '-t', 'ext2', ...options, image]);
  const random = seededRandom(seed);
  const pick = (count: number): number => Math.floor(random() * count);
  const names: string[] = [];
  const written = new Map<string, string>();
  const script = ['mkdir /sub', 'mkdir /sub/deep'];
  for (let step = 0; step < steps; step++) {
    script.push(`set_current_time @${1_700_000_000 + step * 10}`);
    // Towards the end more is deleted than is written over.
    if (names.length > 3 && pick(5) < (step > steps - 16 ? 4 : 2)) {
      script.push(`rm ${names.splice(pick(names.length), 1)[0]}`);
      continue;
    }
    const size = [0, 10, 1000, 5000, 14_000, 60_000, 290_000, 600_000][pick(8)]! + pick(100);
    const bytes = createHash('shake256', { outputLength: size + 1 })
      .update(`${seed} ${step}`)
      .digest()
      .subarray(1);
    const source = path.join(folder, `source-${step}`);
    writeFileSync(source, bytes);
    const name = `${['/', '/sub/', '/sub/deep/'][pick(3)]}file-${step}`;
    script.push(`write ${source} ${name}`);
    names.push(name);
    written.set(name, sha256(bytes));
  }
  const made = spawnSync('debugfs', ['-w', '-f', '-', image], { input: script.join('\n') });
  if (made.status !== 0) throw new Error(String(made.stderr));
  return { image, written };
}

const variants: Readonly<Record<string, readonly string[]>> = {
  'blocks of 1 KiB': ['-b', '1024'],
  'blocks of 4 KiB': ['-b', '4096', '-N', '64'],
  extents: ['-b', '1024', '-O', 'extent'],
};

for (const [title, options] of Object.entries(variants)) {
  for (const seed of [3, 4]) {
    test(`what debugfs can dump comes back, and nothing intact is another's: ${title}, history ${seed}`, async (t) => {
      if (!hasTools(t, 'mke2fs', 'debugfs')) return;
      const folder = temporaryFolder(t);
      const { image, written } = makeHistory(folder, options, seed, 60);
      const filesystem = await openExt(new MemoryDevice(readFileSync(image)));
      const found = new Map<number, RecoverableFile>();
      for await (const file of filesystem.recoverable()) found.set(file.node.id, file);
      const listed = await lsdel(image);
      t.true(listed.length > 0);
      let wholes = 0;
      for (const { inode, size, free, blocks } of listed) {
        const file = found.get(inode);
        if (file?.node.kind !== 'file') {
          t.fail(`inode ${inode} is not found`);
          continue;
        }
        t.is(file.node.size, size);
        if (free < blocks) t.is(file.certainty, 'damaged', file.reason);
        const sum = await readFile(filesystem, file.node).then(sha256, (error: Error) => error.message);
        const dump = path.join(folder, `dump-${inode}`);
        await tool('debugfs', ['-R', `dump <${inode}> ${dump}`, image]);
        if (file.certainty !== 'damaged') {
          wholes++;
          t.is(sum, sha256(readFileSync(dump)), `inode ${inode}`);
        }
        if (file.certainty !== 'intact') continue;
        t.true([...written.values()].includes(sum), `inode ${inode} ${file.path} ${file.reason}`);
        if (!file.reason.includes('its name is one of')) t.is(written.get(file.path ?? ''), sum);
      }
      t.log(`${listed.length} listed by lsdel, ${wholes} whole`);
    });
  }
}

test('a deleted file of ext2 is that of tsk_recover, and intact as long as nothing is written behind it', async (t) => {
  if (!hasTools(t, 'mke2fs', 'debugfs', 'tsk_recover')) return;
  const folder = temporaryFolder(t);
  const image = path.join(folder, 'image');
  writeFileSync(image, '');
  truncateSync(image, 4 * 1024 ** 2);
  spawnSync('mke2fs', ['-q', '-F', '-t', 'ext2', '-b', '1024', image]);
  const source = path.join(folder, 'source');
  writeFileSync(source, createHash('shake256', { outputLength: 700_000 }).update('x').digest());
  const at = (second: number): string => `set_current_time @${1_700_000_000 + second}`;
  const script = [at(0), 'mkdir /sub', `write ${source} /sub/gone`, at(10), 'rm /sub/gone'];
  spawnSync('debugfs', ['-w', '-f', '-', image], { input: script.join('\n') });
  const out = path.join(folder, 'out');
  await tool('tsk_recover', [image, out]);
  const names = readdirSync(out, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const filesystem = await openExt(new MemoryDevice(readFileSync(image)));
  const found: RecoverableFile[] = [];
  for await (const file of filesystem.recoverable()) found.push(file);
  t.deepEqual(
    found.map(({ key, path: name, certainty, source: from }) => [key, name, certainty, from]),
    [['inode-13', '/sub/gone', 'intact', 'inode']],
  );
  const node = found[0]!.node;
  t.deepEqual(
    names.map(({ name }) => name),
    ['gone'],
  );
  const recovered = readFileSync(path.join(names[0]!.parentPath, 'gone'));
  if (node.kind === 'file') t.is(Buffer.compare(await readFile(filesystem, node), recovered), 0);
});
