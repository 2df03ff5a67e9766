import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, linkSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { fileDevice, MemoryDevice, walk } from '../../src/core/index.ts';
import { seededRandom } from '../helpers/seeded-random.ts';
import { sha256 } from '../helpers/sha256.ts';
import { hasTools, temporaryFolder, toolText } from '../helpers/tools.ts';
import { openExt } from './ext/our-facts.ts';

const kinds: Readonly<Record<string, readonly string[]>> = {
  ext2: ['-t', 'ext2', '-b', '1024'],
  ext3: ['-t', 'ext3', '-b', '1024'],
  'ext4 of 4 KiB': ['-t', 'ext4', '-b', '4096'],
  'ext4 with inline data': ['-t', 'ext4', '-b', '1024', '-O', 'inline_data'],
  'ext4 without sums': ['-t', 'ext4', '-b', '1024', '-O', '^metadata_csum,^64bit'],
  'ext4 with a file of orphans': ['-t', 'ext4', '-b', '4096', '-O', 'orphan_file'],
  'ext4 with values of attributes in inodes': ['-t', 'ext4', '-b', '4096', '-O', 'ea_inode'],
};

const EMPTY = createHash('sha256').digest('hex');

/** What is lost, by debugfs. */
const losses: Readonly<Record<string, readonly string[]>> = {
  "the root's inode": ['clri <2>'],
  "the root's block": ['zap_block -f <2> 0'],
  "a directory's inode": ['clri /one'],
  'two directories': ['clri /one/deep', 'clri /two'],
  "a file's entry": ['unlink /one/deep/file-3'],
};

async function makeImage(t: ExecutionContext, options: readonly string[]): Promise<string> {
  const folder = temporaryFolder(t);
  const tree = path.join(folder, 'tree');
  const random = seededRandom(3);
  for (const name of ['one/deep/deeper', 'two', 'empty']) mkdirSync(path.join(tree, name), { recursive: true });
  for (const [index, size] of [0, 1, 50, 130, 1000, 5000, 70_000, 300_000].entries())
    for (const name of ['.', 'one', 'one/deep', 'one/deep/deeper', 'two'])
      writeFileSync(
        path.join(tree, name, `file-${index}`),
        Uint8Array.from({ length: size }, () => Math.floor(random() * 256)),
      );
  symlinkSync('deep/file-1', path.join(tree, 'one/link'));
  linkSync(path.join(tree, 'one/deep/file-4'), path.join(tree, 'two/hard'));
  // More than a block of entries.
  mkdirSync(path.join(tree, 'two/many'));
  for (let index = 0; index < 300; index++)
    writeFileSync(path.join(tree, 'two/many', `entry number ${index}`), `${index}`);
  const image = path.join(folder, 'ext.img');
  await toolText('mke2fs', ['-q', ...options, '-d', tree, image, '16M']);
  return image;
}

/** Each file by its path and content. */
async function reachable(image: string): Promise<Map<string, string>> {
  const filesystem = await openExt(new MemoryDevice(readFileSync(image)));
  const found = new Map<string, string>();
  for await (const { path: name, entry } of walk(filesystem, filesystem.rootId)) {
    const node = await filesystem.node(entry.nodeId);
    found.set(name, node.kind === 'file' ? await sha256(fileDevice(filesystem, node)) : node.kind);
  }
  return found;
}

/** What one has and the other has not. */
function notIn(one: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): string[] {
  return [...one].filter(([name, fact]) => other.get(name) !== fact).map(([name, fact]) => `${name} ${fact}`);
}

for (const [kind, options] of Object.entries(kinds)) {
  for (const [loss, commands] of Object.entries(losses)) {
    test(`${kind}: what hangs in the air without ${loss} is found as e2fsck connects it`, async (t) => {
      if (!hasTools(t, 'mke2fs', 'debugfs', 'e2fsck')) return;
      const image = await makeImage(t, options);
      if (kind.includes('inline') && loss.includes('block')) return t.pass('its root has no block');
      for (const command of commands) await toolText('debugfs', ['-w', '-R', command, image]);
      const mended = `${image}.mended`;
      copyFileSync(image, mended);
      for (const _ of [1, 2]) spawnSync('e2fsck', ['-fy', mended]);
      const expected = new Map<string, string>();
      for (const [name, sum] of await reachable(mended))
        if (name.startsWith('/lost+found/')) expected.set(name.slice('/lost+found/'.length), sum);
      const filesystem = await openExt(new MemoryDevice(readFileSync(image)));
      const found = new Map<string, string>();
      for await (const { node, path: name, source, certainty, reason } of filesystem.recoverable()) {
        if (source !== 'orphan') continue;
        t.is(certainty, 'intact', `${name} ${reason}`);
        t.false(found.has(name ?? ''), name);
        found.set(name ?? '', node.kind === 'file' ? await sha256(fileDevice(filesystem, node)) : node.kind);
      }
      t.true(expected.size > 0);
      // e2fsck clears an empty file rather than connect it, but for one with inline data.
      for (const facts of [found, expected])
        for (const [name, sum] of facts) if (sum === EMPTY && /^#\d+$/.test(name)) facts.delete(name);
      // A file with two names is given once, and not at all when the root still leads to one of them.
      const names = [...expected.keys()].filter((name) => /(hard|deep\/file-4)$/.test(name));
      if (loss === "a directory's inode") expected.delete([...expected.keys()].find((name) => /\/file-4$/.test(name))!);
      else if (names.length === 2) {
        t.is(names.filter((name) => found.has(name)).length, 1);
        for (const name of names) found.set(name, expected.get(name)!);
      }
      t.deepEqual(notIn(expected, found), []);
      t.deepEqual(notIn(found, expected), []);
    });
  }
}

for (const kind of ['ext2', 'ext4 with inline data'] as const) {
  test(`${kind}: where the front is overwritten, descriptors too, all files are still found`, async (t) => {
    if (!hasTools(t, 'mke2fs', 'debugfs')) return;
    const image = await makeImage(t, kinds[kind]!);
    const before = [...(await reachable(image))]
      .filter(([, fact]) => /^[0-9a-f]{64}$/.test(fact))
      .map(([, sum]) => sum);
    await toolText('debugfs', ['-w', '-R', 'clri <2>', image]);
    const bytes = readFileSync(image);
    bytes.fill(0, 0, 3072);
    const filesystem = await openExt(new MemoryDevice(bytes));
    const found = new Set<string>();
    for await (const { node, certainty } of filesystem.recoverable())
      if (node.kind === 'file' && certainty === 'intact') found.add(await sha256(fileDevice(filesystem, node)));
    t.true(before.length > 100);
    t.deepEqual(
      before.filter((sum) => !found.has(sum)),
      [],
    );
  });
}
