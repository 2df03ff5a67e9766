import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { type BigIntStats, closeSync, lstatSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs';
import { byPath, momentText, type NodeFacts } from './node-facts.ts';

/** One for all files: clearing it for each would take longer than reading them. */
const chunk = Buffer.alloc(1024 * 1024);
const NANO = 1_000_000_000n;

/** What the kernel says of everything below a mount point. ACLs are left out: the kernel shows them in another form than the disk's. */
export function kernelFacts(mountPoint: string, hashLimit: number): NodeFacts[] {
  const attributes = attributesBelow(mountPoint);
  const facts: NodeFacts[] = [];
  const pending = [''];
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
    for (const name of readdirSync(Buffer.from(`${mountPoint}${folder}`, 'latin1'), 'buffer')) {
      const path = `${folder}/${name.toString('latin1')}`;
      const place = Buffer.from(`${mountPoint}${path}`, 'latin1');
      const stat = lstatSync(place, { bigint: true });
      facts.push(nodeFacts(path, place, stat, hashLimit, attributes.get(path) ?? {}));
      if (stat.isDirectory()) pending.push(path);
    }
  }
  return facts.sort(byPath);
}

function nodeFacts(
  path: string,
  place: Buffer,
  stat: BigIntStats,
  hashLimit: number,
  attributes: Record<string, string>,
): NodeFacts {
  const kind = kindOf(stat);
  return {
    path,
    inode: Number(stat.ino),
    kind,
    mode: Number(stat.mode % 0o10000n),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    size: Number(stat.size),
    links: Number(stat.nlink),
    allocated: Number(stat.blocks) * 512,
    modified: moment(stat.mtimeNs),
    accessed: moment(stat.atimeNs),
    changed: moment(stat.ctimeNs),
    created: moment(stat.birthtimeNs),
    ...(kind === 'symlink' ? { target: readlinkSync(place, 'buffer').toString('latin1') } : {}),
    ...(kind.endsWith('device') ? { device: deviceText(stat.rdev) } : {}),
    ...(kind === 'file' && stat.size <= BigInt(hashLimit) ? { sha256: hashFile(place) } : {}),
    attributes,
  };
}

function kindOf(stat: BigIntStats): string {
  if (stat.isDirectory()) return 'directory';
  if (stat.isFile()) return 'file';
  if (stat.isSymbolicLink()) return 'symlink';
  if (stat.isCharacterDevice()) return 'character device';
  if (stat.isBlockDevice()) return 'block device';
  return stat.isFIFO() ? 'fifo' : 'socket';
}

function moment(nanoseconds: bigint): string {
  const part = ((nanoseconds % NANO) + NANO) % NANO;
  return momentText((nanoseconds - part) / NANO, part);
}

/** The C library's encoding of a device number: 12 bits of major from bit 8, minor around them. */
function deviceText(rdev: bigint): string {
  const major = (rdev / 0x100n) % 0x1000n;
  const minor = (rdev % 0x100n) + ((rdev / 0x10_0000n) % 0x1000n) * 0x100n;
  return `${major}:${minor}`;
}

function hashFile(place: Buffer): string {
  const hash = createHash('sha256');
  const descriptor = openSync(place, 'r');
  for (let count = readSync(descriptor, chunk); count > 0; count = readSync(descriptor, chunk)) {
    hash.update(chunk.subarray(0, count));
  }
  closeSync(descriptor);
  return hash.digest('hex');
}

/** getfattr's dump of the whole tree: a `# file:` line, then `name=0xHEX` lines, then an empty one. */
function attributesBelow(mountPoint: string): Map<string, Record<string, string>> {
  const output = execFileSync(
    'getfattr',
    ['-R', '-P', '-h', '-d', '-m', '-', '-e', 'hex', '--absolute-names', mountPoint],
    {
      maxBuffer: 64 * 1024 * 1024,
    },
  ).toString('latin1');
  const found = new Map<string, Record<string, string>>();
  for (const block of output.split('\n\n')) {
    const [head, ...lines] = block.trim().split('\n');
    if (head === undefined || !head.startsWith('# file: ')) continue;
    const path = head
      .slice('# file: '.length)
      .replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
    const pairs = lines
      .map((line): [string, string] => [line.split('=')[0]!, (line.split('=')[1] ?? '').replace(/^0x/, '')])
      .filter(([name]) => !name.startsWith('system.posix_acl'));
    found.set(
      path.slice(mountPoint.length),
      Object.fromEntries(pairs.sort(([left], [right]) => (left < right ? -1 : 1))),
    );
  }
  return found;
}
