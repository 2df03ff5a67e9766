import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { sectorscope, sectorscopeJson } from '../helpers/cli.ts';
import { hasTools, temporaryFolder, toolText } from '../helpers/tools.ts';

interface Mounted {
  readonly image: string;
  readonly point: string;
}

function mounted(t: ExecutionContext, ...options: readonly string[]): Mounted | undefined {
  const folder = temporaryFolder(t);
  const [image, point] = [path.join(folder, 'image'), path.join(folder, 'point')];
  writeFileSync(image, '');
  truncateSync(image, 16 * 1024 ** 2);
  mkdirSync(point);
  spawnSync('mkfs.ext4', ['-q', '-F', ...options, image]);
  if (spawnSync('mount', ['-o', 'loop', image, point]).status !== 0) {
    t.log('skipped: cannot mount');
    return undefined;
  }
  t.teardown(() => spawnSync('umount', [point]));
  return { image, point };
}

interface Stat {
  readonly attributes: readonly { readonly name: string; readonly acl?: readonly Acl[] }[];
}

interface Acl {
  readonly tag: string;
  readonly id?: number;
  readonly permissions: string;
}

test('access control lists are those of getfacl', async (t) => {
  if (!hasTools(t, 'mkfs.ext4', 'mount', 'setfacl', 'getfacl')) return;
  const place = mounted(t);
  if (place === undefined) return t.pass();
  const { image, point } = place;
  mkdirSync(path.join(point, 'folder'));
  writeFileSync(path.join(point, 'file'), '');
  const set = (...args: string[]) => spawnSync('setfacl', args);
  set('-m', 'u:1000:rw-,u:70000:--x,g:5:r-x,m::rwx', path.join(point, 'file'));
  set('-m', 'u:7:r--,d:u:1000:rwx,d:g:100000:-w-', path.join(point, 'folder'));
  const lists = new Map<string, string[]>();
  for (const name of ['file', 'folder']) {
    const text = await toolText('getfacl', ['-n', '-E', '-c', '-p', path.join(point, name)]);
    lists.set(
      name,
      text
        .split('\n')
        .filter((line) => line !== '')
        .sort(),
    );
  }
  spawnSync('umount', [point]);
  for (const name of ['file', 'folder']) {
    const { attributes } = await sectorscopeJson<Stat>(['stat', image, `/${name}`]);
    const lines = attributes.flatMap(({ name: attribute, acl }) =>
      (acl ?? []).map(({ tag, id, permissions }) => {
        const prefix = attribute.endsWith('default') ? 'default:' : '';
        return `${prefix}${tag}:${id ?? ''}:${permissions}`;
      }),
    );
    t.deepEqual(lines.sort(), lists.get(name));
  }
  const { stdout } = await sectorscope(['stat', image, '/file']);
  t.regex(
    stdout.toString(),
    /system\.posix_acl_access +user::rw-,user:1000:rw-,user:70000:--x,group::r--,group:5:r-x,mask::rwx,other::r--/,
  );
});

/** Gives a directory a policy of fscrypt (version 2) with a key that nobody keeps, and fills it. */
const ENCRYPT = `
import fcntl, os, struct, sys
folder = sys.argv[1]
spec = struct.pack('<II32s', 2, 0, bytes(32))
key = bytearray(spec + struct.pack('<II', 64, 0) + bytes(32) + os.urandom(64))
fd = os.open(folder, os.O_RDONLY)
fcntl.ioctl(fd, (3 << 30) | (80 << 16) | (ord('f') << 8) | 23, key)
policy = struct.pack('<BBBB4s16s', 2, 1, 4, 2, bytes(4), bytes(key[8:24]))
fcntl.ioctl(fd, (2 << 30) | (12 << 16) | (ord('f') << 8) | 19, bytearray(policy))
for name in ['a.txt', 'long' * 50] + ['file-%d' % n for n in range(40)]:
    open(os.path.join(folder, name), 'w').write('secret')
os.mkdir(os.path.join(folder, 'below'))
os.symlink('target', os.path.join(folder, 'link'))
`;

test('names of an encrypted directory are those that the kernel shows without the key; contents are refused by name', async (t) => {
  if (!hasTools(t, 'mkfs.ext4', 'mount', 'python3')) return;
  const place = mounted(t, '-O', 'encrypt');
  if (place === undefined) return t.pass();
  const { image, point } = place;
  mkdirSync(path.join(point, 'secret'));
  const made = spawnSync('python3', ['-c', ENCRYPT, path.join(point, 'secret')]);
  if (made.status !== 0) {
    t.log(`skipped: no fscrypt here: ${made.stderr}`);
    return t.pass();
  }
  spawnSync('umount', [point]);
  spawnSync('mount', ['-o', 'loop,ro', image, point]);
  // What the kernel shows has the hash of the name before it, 8 bytes.
  const shown = (await toolText('ls', ['-A', path.join(point, 'secret')]))
    .split('\n')
    .filter((line) => line !== '')
    .map((name) => `_${Buffer.from(name, 'base64url').subarray(8).toString('base64url')}`);
  spawnSync('umount', [point]);
  const listed = await sectorscopeJson<{ name: string; encrypted: boolean; kind: string }[]>(['ls', image, '/secret']);
  t.deepEqual(listed.map(({ name }) => name).sort(), shown.sort());
  t.true(listed.every(({ encrypted }) => encrypted));
  const file = listed.find(({ kind }) => kind === 'file')!;
  const { code, stderr } = await sectorscope(['cat', image, `/secret/${file.name}`]);
  t.is(code, 4);
  t.regex(stderr, /encrypted with fscrypt/);
  const long = await sectorscope(['ls', '-l', image, '/secret']);
  t.is(long.code, 0, long.stderr);
  t.regex(long.stdout.toString(), /^l.*\(encrypted\)$/m);
});

test('a deleted file of an encrypted directory has the name that a listing without the key had', async (t) => {
  if (!hasTools(t, 'mkfs.ext4', 'mount')) return;
  const folder = temporaryFolder(t);
  const [image, point] = [path.join(folder, 'image'), path.join(folder, 'point')];
  mkdirSync(point);
  await toolText('mkfs.ext4', ['-q', '-F', '-O', 'encrypt', image, '16M']);
  const mount = (options: string): boolean => spawnSync('mount', ['-o', options, image, point]).status === 0;
  if (!mount('loop,test_dummy_encryption')) return t.pass('skipped: cannot mount');
  t.teardown(() => spawnSync('umount', [point]));
  mkdirSync(path.join(point, 'dir'));
  writeFileSync(path.join(point, 'dir/name'), 'secret');
  spawnSync('umount', [point]);
  mount('loop');
  const [name] = readdirSync(path.join(point, 'dir'));
  rmSync(path.join(point, 'dir', name!));
  spawnSync('umount', [point]);
  const found = await sectorscopeJson<{ readonly path: string | null }[]>(['recover', image]);
  t.deepEqual(
    found.map((file) => file.path).filter((one) => one?.startsWith('/dir/') === true),
    // The kernel leads the encrypted name with eight bytes of a hash.
    [`/dir/_${Buffer.from(name!, 'base64url').subarray(8).toString('base64url')}`],
  );
});
