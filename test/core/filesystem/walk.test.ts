import test from 'ava';
import { DiskError, walk } from '../../../src/core/index.ts';
import { collect } from '../../helpers/collect.ts';
import { broken, FakeFileSystem, type Tree } from './fake-filesystem.ts';

async function paths(filesystem: FakeFileSystem, options = {}): Promise<string[]> {
  return (await collect(walk(filesystem, filesystem.rootId, options))).map(({ path }) => path);
}

const tree: Tree = { b: { x: 1, deeper: { y: 2 } }, a: 3, link: 'b', c: { z: 4 } };
const inOrder = ['/b', '/a', '/link', '/c', '/b/x', '/b/deeper', '/b/deeper/y', '/c/z'];

test('a directory’s entries in its own order, then what lies below each; links are not entered', async (t) => {
  t.deepEqual(await paths(new FakeFileSystem(tree)), inOrder);
});

test('entries that do not tell their kind are asked for it', async (t) => {
  const filesystem = new FakeFileSystem(tree, false);
  t.deepEqual(await paths(filesystem), inOrder);
  const kinds = (await collect(walk(filesystem, 0))).map(({ entry }) => entry.kind);
  t.deepEqual(kinds, ['directory', 'file', 'symlink', 'directory', 'file', 'directory', 'file', 'file']);
});

test('a tree deeper than the limit ends, without recursion, and is told of, never cut in silence', async (t) => {
  let deep: Tree = { bottom: 1 };
  for (let depth = 0; depth < 2100; depth++) deep = { d: deep };
  const errors: unknown[] = [];
  const found = await paths(new FakeFileSystem(deep), { onError: (error: unknown) => errors.push(error) });
  t.is(found.length, 2049);
  t.is(errors.length, 1);
  t.like(errors[0], { code: 'UNSUPPORTED', expected: 'at most 2048 directories deep' });
  await t.throwsAsync(paths(new FakeFileSystem(deep)), { instanceOf: DiskError });
});

test('a directory met again, a loop or a second name, is listed and not entered', async (t) => {
  const filesystem = new FakeFileSystem(tree).alias('b/root', '').alias('b/self', 'b').alias('c/second', 'b/deeper');
  t.deepEqual(await paths(filesystem), [
    '/b',
    '/a',
    '/link',
    '/c',
    '/b/x',
    '/b/deeper',
    '/b/root',
    '/b/self',
    '/b/deeper/y',
    '/c/z',
    '/c/second',
  ]);
});

test('deleted directories are not entered', async (t) => {
  t.deepEqual(await paths(new FakeFileSystem({ deletedFolder: { x: 1 }, y: 1 })), ['/deletedFolder', '/y']);
});

test('a directory that cannot be read ends the walk, or is told to onError and passed over', async (t) => {
  const damaged: Tree = { bad: broken, good: { x: 1 } };
  await t.throwsAsync(paths(new FakeFileSystem(damaged)), { instanceOf: DiskError });
  for (const tellsKinds of [true, false]) {
    const told: string[] = [];
    const onError = (error: unknown, path: string) => told.push(`${path}: ${(error as DiskError).code}`);
    t.deepEqual(await paths(new FakeFileSystem(damaged, tellsKinds), { onError }), ['/bad', '/good', '/good/x']);
    t.deepEqual(told, ['/bad: CORRUPT']);
  }
});

test('a walk of 100,000 entries is a matter of moments, and stops when its reader does', async (t) => {
  const wide = Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`f${index}`, 1]));
  const filesystem = new FakeFileSystem({ wide });
  t.is((await paths(filesystem)).length, 100_001);
  let seen = 0;
  for await (const { path } of walk(filesystem, 0)) {
    if (path === '/wide/f3') break;
    seen++;
  }
  t.is(seen, 4);
});
