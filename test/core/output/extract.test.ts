import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { type DirectoryEntry, DiskError, extract, type FileNode } from '../../../src/core/index.ts';
import { collect } from '../../helpers/collect.ts';
import { temporaryFolder } from '../../helpers/tools.ts';
import { broken, FakeFileSystem } from '../filesystem/fake-filesystem.ts';

/** A filesystem whose root lists what it is told to, twice the same name if need be. */
class ListingFileSystem extends FakeFileSystem {
  listed: readonly DirectoryEntry[] | undefined;

  override async node(id: number): Promise<FileNode> {
    const node = await super.node(id);
    const { listed } = this;
    if (id !== this.rootId || listed === undefined || node.kind !== 'directory') return node;
    return {
      ...node,
      entries: async function* () {
        yield* listed;
      },
      entryBatches: async function* () {
        yield listed;
      },
    };
  }
}

const extractAll = async (filesystem: FakeFileSystem, destination: string) =>
  extract(filesystem, await filesystem.node(filesystem.rootId), '', destination);

test('names that are paths are left out, and nothing is written outside', async (t) => {
  const folder = temporaryFolder(t);
  const out = path.join(folder, 'out');
  const names = ['..', '.', '', '../escape', '/absolute', 'a/b', 'nul\0', 'fine'];
  const report = await extractAll(new FakeFileSystem(Object.fromEntries(names.map((name) => [name, 0]))), out);
  t.deepEqual(readdirSync(out), ['fine']);
  t.deepEqual(readdirSync(folder), ['out']);
  t.is(report.files, 1);
  t.is(report.skipped.length, names.length - 1);
  for (const { reason } of report.skipped) t.is((reason as DiskError).code, 'DENIED');
});

test('a link and a directory of one name do not lead outside', async (t) => {
  const folder = temporaryFolder(t);
  const outside = path.join(folder, 'outside');
  mkdirSync(outside);
  const filesystem = new ListingFileSystem({ link: outside, directory: { planted: 0 } });
  const [link, directory] = await collect(rootEntries(filesystem));
  for (const order of [
    [link!, directory!],
    [directory!, link!],
  ]) {
    const out = path.join(folder, `out-${order[0]!.name}`);
    filesystem.listed = order.map((entry) => ({ ...entry, name: 'same' }));
    const report = await extractAll(filesystem, out);
    t.deepEqual(readdirSync(outside), []);
    t.true(lstatSync(path.join(out, 'same')).isDirectory());
    t.deepEqual(readdirSync(path.join(out, 'same')), ['planted']);
    t.is(report.skipped.length, 1);
  }
});

async function* rootEntries(filesystem: FakeFileSystem): AsyncGenerator<DirectoryEntry, void> {
  const root = await filesystem.node(filesystem.rootId);
  if (root.kind === 'directory') yield* root.entries();
}

test('links are made as they stand, absolute and dangling ones too', async (t) => {
  const out = path.join(temporaryFolder(t), 'out');
  const report = await extractAll(new FakeFileSystem({ absolute: '/etc/passwd', dangling: '../../nothing' }), out);
  t.is(report.symlinks, 2);
  t.is(readlinkSync(path.join(out, 'absolute')), '/etc/passwd');
  t.is(readlinkSync(path.join(out, 'dangling')), '../../nothing');
});

test('what cannot be read is left out, the others go on; a loop ends', async (t) => {
  const out = path.join(temporaryFolder(t), 'out');
  const filesystem = new FakeFileSystem({ a: 0, bad: broken, sub: { b: 0 } }).alias('sub/again', '');
  const report = await extractAll(filesystem, out);
  t.deepEqual(report.skipped.map(({ path: name }) => name).sort(), ['/bad', '/sub/again']);
  t.true(existsSync(path.join(out, 'sub/b')));
  t.false(existsSync(path.join(out, 'sub/again')));
});

test('what the host refuses is told in words, with the path there', async (t) => {
  const out = path.join(temporaryFolder(t), 'out');
  const long = 'n'.repeat(300);
  const report = await extractAll(new FakeFileSystem({ [long]: 0, [`${long}l`]: '/target', a: 0 }), out);
  t.is(report.files, 1);
  for (const { reason } of report.skipped)
    t.like(reason as DiskError, { code: 'UNSUPPORTED', layer: 'file', found: 'one that is too long' });
  t.deepEqual(
    report.skipped.map(({ reason }) => (reason as DiskError).structure),
    [path.join(out, long), path.join(out, `${long}l`)],
  );
});

test('nothing that exists is replaced', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(path.join(folder, 'kept'), 'mine');
  const filesystem = new FakeFileSystem({ kept: 0 });
  await t.throwsAsync(extractAll(filesystem, folder), { instanceOf: DiskError, message: /new or empty directory/ });
  const file = await filesystem.node(1);
  await t.throwsAsync(extract(filesystem, file, 'kept', folder), { instanceOf: DiskError });
  await t.throwsAsync(extract(filesystem, file, 'kept', path.join(folder, 'kept')), { instanceOf: DiskError });
  t.is(readFileSync(path.join(folder, 'kept'), 'utf8'), 'mine');
});

test('an abort ends it', async (t) => {
  const out = path.join(temporaryFolder(t), 'out');
  const controller = new AbortController();
  const filesystem = new FakeFileSystem({ a: 0, b: 0, c: 0 });
  const root = await filesystem.node(filesystem.rootId);
  const running = extract(filesystem, root, '', out, {
    signal: controller.signal,
    onEntry: (name) => {
      if (name === '/b') controller.abort();
    },
  });
  await t.throwsAsync(running, { name: 'AbortError' });
  t.false(existsSync(path.join(out, 'c')));
});
