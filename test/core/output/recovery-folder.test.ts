import { existsSync, lstatSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { DiskError, type RecoverableFile, RecoveryFolder } from '../../../src/core/index.ts';
import { temporaryFolder } from '../../helpers/tools.ts';
import { FakeFileSystem } from '../filesystem/fake-filesystem.ts';

const filesystem = new FakeFileSystem({ file: 0, outside: '/etc', folder: {} });

async function deleted(key: string, found: string | undefined, name = 'file'): Promise<RecoverableFile> {
  const root = await filesystem.node(filesystem.rootId);
  const id = root.kind === 'directory' ? (await root.lookup(name))!.nodeId : 0;
  const node = await filesystem.node(id);
  return { key, node, path: found, source: 'inode', certainty: 'intact', reason: '' };
}

test('names that are paths are refused, and nothing is written outside', async (t) => {
  const folder = temporaryFolder(t);
  const out = path.join(folder, 'out');
  const recovery = await RecoveryFolder.create(out);
  for (const name of ['/../escape', '/a/../../escape', '..', '/nul\0', '/./x'])
    await t.throwsAsync(recovery.write(filesystem, await deleted('k', name)), { instanceOf: DiskError });
  await recovery.write(filesystem, await deleted('k', '//a//fine'));
  t.deepEqual(readdirSync(folder), ['out']);
  t.true(existsSync(path.join(out, 'a/fine')));
});

test('a path that is taken gets the key; one without a path is its key', async (t) => {
  const out = path.join(temporaryFolder(t), 'out');
  const recovery = await RecoveryFolder.create(out);
  for (const [key, name] of [
    ['one', '/a/b'],
    ['two', '/a/b'],
    ['three', undefined],
    ['four', '/a/b/below-a-file'],
  ] as const)
    await recovery.write(filesystem, await deleted(key, name));
  t.deepEqual(readdirSync(out, { recursive: true }).sort(), ['a', 'a/b', 'a/b.two', 'four', 'three']);
  t.is(recovery.report.files, 4);
});

test('no link is followed: what lies below one goes elsewhere', async (t) => {
  const folder = temporaryFolder(t);
  const out = path.join(folder, 'out');
  const recovery = await RecoveryFolder.create(out);
  await recovery.write(filesystem, await deleted('link', '/x', 'outside'));
  await recovery.write(filesystem, await deleted('planted', '/x/planted'));
  t.true(lstatSync(path.join(out, 'x')).isSymbolicLink());
  t.deepEqual(readdirSync(out).sort(), ['planted', 'x']);
  t.false(existsSync('/etc/planted'));
});

test('a folder with something in it is refused', async (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(path.join(folder, 'full'));
  writeFileSync(path.join(folder, 'full/mine'), '');
  await t.throwsAsync(RecoveryFolder.create(path.join(folder, 'full')), { instanceOf: DiskError, code: 'DENIED' });
});
