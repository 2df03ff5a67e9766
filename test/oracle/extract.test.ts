import { spawnSync } from 'node:child_process';
import { mkdirSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { sectorscope } from '../helpers/cli.ts';
import { hasTools, temporaryFolder, toolText } from '../helpers/tools.ts';

/** Files of every kind that a host can be given, their modes, times to the nanosecond, holes and further names. */
const FILL = `
set -e
cd "$1"
mkdir -p plain/deep sticky closed "sp ace" links
head -c 100000 /dev/urandom > plain/deep/random
printf small > plain/small
: > plain/empty
truncate -s 3M plain/hole
printf x | dd of=plain/hole bs=1 seek=1234567 conv=notrunc status=none
printf y | dd of=plain/hole bs=1 seek=2900000 conv=notrunc status=none
ln plain/small links/second
ln plain/small links/third
ln -s ../plain/small links/soft
ln -s /etc/passwd links/absolute
ln -s nowhere links/dangling
printf suid > plain/suid; chmod 4755 plain/suid
printf secret > closed/secret; chmod 0400 closed/secret
printf "$(printf 'new\\nline')" > "$(printf 'new\\nline')"
printf raw > "$(printf 'raw\\377byte')"
setfattr -n user.note -v kept plain/small 2>/dev/null || true
chmod 1777 sticky; chmod 0640 plain/empty
touch -h -d '2001-02-03T04:05:06.123456789Z' links/soft
touch -d '2031-02-03T04:05:06.987654321Z' plain/small
touch -d '1969-12-31T23:59:58.5Z' plain/empty
touch -a -d '2011-01-01T00:00:00.000000001Z' plain/deep/random
touch -d '1999-01-01T00:00:00.111111111Z' plain/deep links "sp ace" plain
chmod 0555 closed
touch -d '1998-01-01T00:00:00.222222222Z' closed .
`;

/** What a tree has, a line each: kind, permissions, size, time of modification in nanoseconds, target, path. Special bits are left out. */
async function facts(folder: string): Promise<string[]> {
  const script = `cd "$1" && find . -mindepth 0 -name lost+found -prune -o -printf '%y %m %s %T+ %l %p\\0' | sort -z`;
  const listed = await toolText('sh', ['-c', script, 'sh', folder]);
  return listed
    .split('\0')
    .filter((line) => line !== '')
    .map((line) => line.replace(/^(\S) [0-7]?([0-7]{3}) /, '$1 $2 ').replace(/^d (\S+) \d+/, 'd $1'))
    .sort();
}

async function hashes(folder: string): Promise<string> {
  const script = `cd "$1" && find . -name lost+found -prune -o -type f -print0 | sort -z | xargs -0 sha256sum -z`;
  return toolText('sh', ['-c', script, 'sh', folder]);
}

/** Fills a new filesystem through the kernel and hands on the folder where it is mounted; undefined where that cannot be done. */
function mounted(t: ExecutionContext, folder: string, type: string): { image: string; point: string } | undefined {
  const [image, point] = [path.join(folder, 'image'), path.join(folder, 'point')];
  writeFileSync(image, '');
  truncateSync(image, 32 * 1024 ** 2);
  mkdirSync(point);
  const made = spawnSync(`mkfs.${type}`, ['-q', '-F', image]);
  const attached = made.status === 0 ? spawnSync('mount', ['-o', 'loop', image, point]) : made;
  if (attached.status !== 0) {
    t.log(`skipped: cannot mount: ${attached.stderr}`);
    return undefined;
  }
  t.teardown(() => spawnSync('umount', [point]));
  return { image, point };
}

for (const type of ['ext2', 'ext4']) {
  test(`an extracted tree is that of the kernel's mount: ${type}`, async (t) => {
    if (!hasTools(t, `mkfs.${type}`, 'mount', 'find', 'sha256sum')) return;
    const folder = temporaryFolder(t);
    const place = mounted(t, folder, type);
    if (place === undefined) return t.pass();
    const { image, point } = place;
    const filled = spawnSync('sh', ['-c', FILL, 'sh', point]);
    t.is(filled.status, 0, String(filled.stderr));
    spawnSync('mount', ['-o', 'remount,ro', point]);
    const out = path.join(folder, 'out');
    const { code, stderr } = await sectorscope(['extract', image, '/', out]);
    t.is(code, 0, stderr);
    t.deepEqual(await facts(out), await facts(point));
    t.is(await hashes(out), await hashes(point));
    const [first, second] = ['plain/small', 'links/second'].map((name) => statSync(path.join(out, name)));
    t.is(first!.ino, second!.ino);
    t.is(first!.nlink, 3);
    // Two blocks of data, and what the host's filesystem needs to say so.
    t.true(statSync(path.join(out, 'plain/hole')).blocks <= 64);
    t.is(statSync(path.join(out, 'plain/suid')).mode % 0o10000, 0o755);
  });
}
