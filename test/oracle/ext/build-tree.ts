import { execFileSync, spawnSync } from 'node:child_process';
import {
  chownSync,
  closeSync,
  existsSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';

/** An attribute value larger than any block used here. */
export const HUGE_VALUE_BYTES = 20_000;

export interface TreeOptions {
  /** Entries of the large directory. */
  readonly entryCount: number;
  readonly blockSize: number;
  /** Byte offset of the far end of the largest sparse file. */
  readonly farOffset: number;
  /** Extended attributes, device nodes: what only root, and only some hosts, can make. */
  readonly privileged: boolean;
}

/** Makes a tree that shows every shape of file, by ordinary calls on a mounted filesystem or an ordinary folder. */
export async function buildTree(root: string, options: TreeOptions): Promise<void> {
  largeDirectory(path.join(root, 'large'), options.entryCount);
  names(path.join(root, 'names'));
  contents(path.join(root, 'contents'), options);
  links(path.join(root, 'links'));
  if (options.privileged) {
    await special(path.join(root, 'special'));
    attributes(path.join(root, 'attributes'), options.blockSize);
  }
  times(path.join(root, 'times'));
}

/** Entries, hard links among them; then a third is deleted, and some are made anew in the gaps. */
function largeDirectory(folder: string, entryCount: number): void {
  mkdirSync(folder);
  for (let index = 0; index < entryCount; index++) {
    const name = path.join(folder, `entry-${index}-${'x'.repeat(index % 40)}`);
    if (index % 500 === 0) mkdirSync(name);
    else if (index % 100 === 1) writeFileSync(name, `content ${index}`);
    else if (index % 50 === 3 && index > 100) linkSync(path.join(folder, 'entry-1-x'), name);
    else closeSync(openSync(name, 'w'));
  }
  for (let index = 2; index < entryCount; index += 3) {
    const name = path.join(folder, `entry-${index}-${'x'.repeat(index % 40)}`);
    if (index % 500 === 0) rmdirSync(name);
    else unlinkSync(name);
  }
  for (let index = 0; index < entryCount / 20; index++) closeSync(openSync(path.join(folder, `again-${index}`), 'w'));
}

function names(folder: string): void {
  mkdirSync(folder);
  const texts = [
    'é',
    'e\u0301',
    '日本語のファイル',
    '😀',
    ' leading',
    'trailing ',
    'back\\slash',
    'n'.repeat(255),
    '\u202egnp.exe',
    '#',
    '~',
    '\u00a0',
  ];
  for (const text of texts) writeFileSync(path.join(folder, text), text);
  for (const bytes of [[0xff], [0x61, 0xe9, 0x62], [0xc3], [0xed, 0xa0, 0x80]]) {
    writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(bytes)]), 'not utf-8');
  }
}

function contents(folder: string, { blockSize, farOffset }: TreeOptions): void {
  mkdirSync(folder);
  const file = (name: string): string => path.join(folder, name);
  for (const size of [
    0,
    1,
    59,
    60,
    61,
    100,
    blockSize - 1,
    blockSize,
    blockSize + 1,
    12 * blockSize + 5,
    300 * blockSize + 7,
  ]) {
    writeFileSync(file(`size-${size}`), pattern(size, size));
  }
  const scattered = openSync(file('scattered'), 'w');
  for (let index = 0; index < 1500; index++)
    writeSync(scattered, pattern(blockSize, index), 0, blockSize, index * 2 * blockSize);
  closeSync(scattered);
  const first = openSync(file('interleaved-1'), 'w');
  const second = openSync(file('interleaved-2'), 'w');
  for (let index = 0; index < 200; index++) {
    writeSync(index % 2 === 0 ? first : second, pattern(3 * blockSize, index));
  }
  closeSync(first);
  closeSync(second);
  sparse(file('sparse-5g'), [0, 70_000, 600 * blockSize, 70_000 * blockSize, 5 * 1024 ** 3 + 17], blockSize);
  sparse(file('sparse-far'), [farOffset], blockSize);
  const hole = openSync(file('only-a-hole'), 'w');
  ftruncateSync(hole, 3 * 1024 ** 2 + 1);
  closeSync(hole);
  // Unwritten extents and punched holes, where the filesystem has them.
  spawnSync('fallocate', ['-l', String(200 * blockSize), file('unwritten')]);
  spawnSync('fallocate', ['-n', '-l', String(90 * blockSize), file('size-1')]);
  writeFileSync(file('punched'), pattern(100 * blockSize, 5));
  for (const at of [3, 50, 51, 90]) {
    spawnSync('fallocate', ['-p', '-o', String(at * blockSize + 10), '-l', String(2 * blockSize), file('punched')]);
  }
  spawnSync('fallocate', ['-l', String(150 * blockSize), file('half-written')]);
  const middle = openSync(file('half-written'), existsSync(file('half-written')) ? 'r+' : 'w');
  writeSync(middle, pattern(10 * blockSize, 9), 0, 10 * blockSize, 60 * blockSize);
  closeSync(middle);
}

function sparse(name: string, offsets: readonly number[], blockSize: number): void {
  const descriptor = openSync(name, 'w');
  for (const offset of offsets) writeSync(descriptor, pattern(blockSize + 3, offset), 0, blockSize + 3, offset);
  closeSync(descriptor);
}

function links(folder: string): void {
  mkdirSync(folder);
  for (const length of [1, 58, 59, 60, 61, 100, 150, 500, 1000]) {
    symlinkSync('t'.repeat(length), path.join(folder, `symlink-${length}`));
  }
  symlinkSync('../names/é', path.join(folder, 'unicode'));
  writeFileSync(path.join(folder, 'one'), 'linked');
  for (const name of ['two', 'three']) linkSync(path.join(folder, 'one'), path.join(folder, name));
  chownSync(path.join(folder, 'one'), process.getuid!(), process.getgid!());
}

async function special(folder: string): Promise<void> {
  mkdirSync(folder);
  const numbers = [
    ['c', 5, 1],
    ['b', 8, 1],
    ['c', 0, 0],
    ['c', 255, 255],
    ['c', 256, 0],
    ['b', 4095, 1_048_575],
    ['b', 259, 70_000],
  ];
  for (const [type, major, minor] of numbers) {
    execFileSync('mknod', [path.join(folder, `${type}-${major}-${minor}`), String(type), String(major), String(minor)]);
  }
  execFileSync('mknod', [path.join(folder, 'fifo'), 'p']);
  const server = createServer();
  await new Promise<void>((done) => {
    server.listen(path.join(folder, 's'), done);
  });
  // The server removes its socket by its first name.
  renameSync(path.join(folder, 's'), path.join(folder, 'socket'));
  await new Promise((done) => server.close(done));
  writeFileSync(path.join(folder, 'owner'), '');
  chownSync(path.join(folder, 'owner'), 3_000_000_000, 70_000);
  execFileSync('chmod', ['7777', path.join(folder, 'owner')]);
  writeFileSync(path.join(folder, 'flagged'), '');
}

function attributes(folder: string, blockSize: number): void {
  mkdirSync(folder);
  const sizes = [0, 1, 30, 80, 300, 700, ...(blockSize >= 2048 ? [1500] : []), ...(blockSize >= 4096 ? [3500] : [])];
  for (const size of sizes) {
    const file = path.join(folder, `value-${size}`);
    writeFileSync(file, '');
    setAttribute(file, 'user.small', Buffer.from('s'));
    setAttribute(file, `user.of-${size}-bytes`, pattern(size, size));
    setAttribute(file, 'trusted.t', Buffer.from([0, 1, 2, 255]));
    setAttribute(file, 'security.s', Buffer.from('label'));
  }
  // Only with ea_inode is there room for it.
  const huge = path.join(folder, 'huge');
  writeFileSync(huge, '');
  const value = Buffer.from(pattern(HUGE_VALUE_BYTES, 1)).toString('hex');
  spawnSync('setfattr', ['-n', 'user.huge', '-v', `0x${value}`, huge]);
  setAttribute(folder, 'user.on-a-directory', Buffer.from('d'));
  const acl = path.join(folder, 'acl');
  writeFileSync(acl, '');
  execFileSync('setfattr', [
    '-n',
    'system.posix_acl_access',
    '-v',
    '0x0200000001000600ffffffff020004000500000004000400ffffffff10000400ffffffff20000400ffffffff',
    acl,
  ]);
  symlinkSync('x'.repeat(30), path.join(folder, 'link'));
  execFileSync('setfattr', ['-h', '-n', 'trusted.on-a-link', '-v', '0x31', path.join(folder, 'link')]);
}

function setAttribute(file: string, name: string, value: Uint8Array): void {
  execFileSync('setfattr', ['-n', name, '-v', `0x${Buffer.from(value).toString('hex')}`, file]);
}

function times(folder: string): void {
  mkdirSync(folder);
  const moments = [
    '1901-12-13 20:45:52',
    '1935-04-05 06:07:08.123456789',
    '1969-12-31 23:59:59.999999999',
    '1970-01-01 00:00:00',
    '2038-01-19 03:14:07.5',
    '2038-01-19 03:14:08.000000001',
    '2106-02-07 06:28:16',
    '2400-02-29 12:00:00.25',
  ];
  for (const [index, moment] of moments.entries()) {
    const file = path.join(folder, `time-${index}`);
    writeFileSync(file, '');
    execFileSync('touch', ['-m', '-d', `${moment}Z`, file]);
    execFileSync('touch', ['-a', '-d', `${moments[moments.length - 1 - index]}Z`, file]);
  }
}

/** Repeatable bytes without a short period. */
export function pattern(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = (seed % 0x7fff_ffff) + 1;
  for (let index = 0; index < length; index++) {
    state = (state * 48271) % 0x7fff_ffff;
    bytes[index] = state % 256;
  }
  return bytes;
}
