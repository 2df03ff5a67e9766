import test from 'ava';
import { DiskError, resolvePath } from '../../../src/core/index.ts';
import { broken, FakeFileSystem, type Tree } from './fake-filesystem.ts';

const TREE: Tree = {
  etc: { passwd: 10, alternatives: { editor: '../../bin/vi' } },
  bin: { vi: 5, sh: 'vi', absolute: '/bin/vi', up: '../../../../bin/vi' },
  link: 'etc',
  slashes: 'etc//./',
  loop: 'loop',
  ping: 'pong',
  pong: 'ping',
  dangling: 'nowhere',
  empty: '',
  damaged: broken,
  long: 'a'.repeat(5000),
};
const filesystem = new FakeFileSystem(TREE);

async function resolve(path: string, followLast = false, on = filesystem): Promise<string> {
  try {
    const { node, path: resolved } = await resolvePath(on, path, { followLast });
    return `${node.kind} ${resolved}`;
  } catch (error) {
    return error instanceof DiskError ? error.code : String(error);
  }
}

test('paths, with every dot and slash', async (t) => {
  for (const path of ['/', '', '//', '.', '/.', '/..', '/../..', '/etc/..', '/etc/./../bin/..'])
    t.is(await resolve(path), 'directory /', path);
  for (const path of [
    '/etc/passwd',
    'etc/passwd',
    '//etc///passwd',
    '/./etc/./passwd',
    '/../etc/passwd',
    '/bin/../etc/passwd',
  ])
    t.is(await resolve(path), 'file /etc/passwd', path);
  t.is(await resolve('/etc/'), 'directory /etc');
});

test('links on the way are followed, the last one only when asked or when a slash follows', async (t) => {
  t.is(await resolve('/link/passwd'), 'file /etc/passwd');
  t.is(await resolve('/slashes/passwd'), 'file /etc/passwd');
  t.is(await resolve('/link'), 'symlink /link');
  t.is(await resolve('/link/'), 'directory /etc');
  t.is(await resolve('/link/.'), 'directory /etc');
  t.is(await resolve('/link', true), 'directory /etc');
  t.is(await resolve('/link/..'), 'directory /');
  t.is(await resolve('/bin/sh', true), 'file /bin/vi');
});

test('relative links count from where they are, absolute ones from the root; none leaves it', async (t) => {
  t.is(await resolve('/etc/alternatives/editor', true), 'file /bin/vi');
  t.is(await resolve('/bin/absolute', true), 'file /bin/vi');
  t.is(await resolve('/bin/up', true), 'file /bin/vi');
  t.is(await resolve('/link/alternatives/editor', true), 'file /bin/vi');
  t.is(await resolve('/empty', true), 'directory /');
});

test('what is not there is NOT_FOUND; a file is no directory', async (t) => {
  for (const path of ['/nothing', '/etc/nothing', '/nothing/..', '/etc/passwd/x', '/etc/passwd/..', '/bin/vi/x'])
    t.is(await resolve(path), 'NOT_FOUND', path);
  t.is(await resolve('/dangling', true), 'NOT_FOUND');
  t.is(await resolve('/dangling'), 'symlink /dangling');
  const error = await t.throwsAsync(resolvePath(filesystem, '/etc/\u001b'), { instanceOf: DiskError });
  t.is(error?.message, 'ext4: /etc/\\x1b: found no \\x1b in /etc');
});

test('loops and absurd targets are UNSUPPORTED, in bounded work; a damaged node is CORRUPT', async (t) => {
  const own = new FakeFileSystem(TREE);
  for (const path of ['/loop', '/ping', '/loop/x', '/long']) t.is(await resolve(path, true, own), 'UNSUPPORTED', path);
  t.true(own.requests > 3 * 40 && own.requests < 4 * 50);
  t.is(await resolve('/loop'), 'symlink /loop');
  t.is(await resolve('/damaged'), 'CORRUPT');
});

test('forty links are followed, forty-one are not', async (t) => {
  const chain = (count: number): Tree =>
    Object.fromEntries([['l0', 7], ...Array.from({ length: count }, (_, index) => [`l${index + 1}`, `l${index}`])]);
  const resolveChain = (count: number) =>
    resolvePath(new FakeFileSystem(chain(count)), `/l${count}`, { followLast: true });
  t.is((await resolveChain(40)).path, '/l0');
  const error = await t.throwsAsync(resolveChain(41), { instanceOf: DiskError });
  t.is(error?.code, 'UNSUPPORTED');
  t.regex(error?.message ?? '', /at most 40 symbolic links/);
});
