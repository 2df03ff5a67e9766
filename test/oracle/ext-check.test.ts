import { spawnSync } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import test, { type ExecutionContext } from 'ava';
import { openFileSystem } from '../../src/core/filesystem/formats.ts';
import { DiskError, FileDevice, type Finding, fileDevice, streamBytes, walk } from '../../src/core/index.ts';
import { testContext } from '../helpers/context.ts';
import { fixtureFile, fixtureNames } from '../helpers/fixtures.ts';
import { hasTools, temporaryFolder, tool, toolText } from '../helpers/tools.ts';
import { type BaseName, bases, type Damage, damages, type Write } from './ext/damages.ts';

const MIB = 1024 ** 2;
/** No image of the corpora is larger than 80 MiB; a sound one is checked in a second. */
const MAX_MILLISECONDS = 60_000;
const LARGE_FILE = 64 * MIB;

/** The verdict of `e2fsck -fn`: clean, or not. What it only says is no matter. */
function e2fsckIsClean(image: string): boolean {
  const environment = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin`, E2FSCK_CONFIG: '/dev/null' };
  const copy = `${image}.e2fsck`;
  copyFileSync(image, copy);
  const run = spawnSync('e2fsck', ['-fn', copy], { env: environment, timeout: 20_000, stdio: 'ignore' });
  return run.status === 0;
}

interface Checked {
  readonly isClean: boolean;
  readonly findings: readonly Finding[];
}

/** As it stands before the replay of a journal, which is what `e2fsck -n` sees. What cannot be opened is not clean. */
async function checkOurs(image: string): Promise<Checked> {
  await using file = await FileDevice.open(image);
  const findings: Finding[] = [];
  try {
    const filesystem = await openFileSystem(file, { ...testContext(), log: 'ignore' });
    if (filesystem === undefined) return { isClean: false, findings };
    for await (const finding of filesystem.check()) findings.push(finding);
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    return { isClean: false, findings };
  }
  return { isClean: findings.every(({ severity }) => severity !== 'error'), findings };
}

const lines = (findings: readonly Finding[]): string =>
  findings
    .map(({ severity, code, structure, message, owners }) => `${severity} ${code} ${structure}: ${message} (${owners})`)
    .join('\n');

const made = new Map<BaseName, Promise<string>>();

/** A sound filesystem with a bit of everything, indexed by e2fsck itself. */
function baseImage(t: ExecutionContext, base: BaseName, folder: string): Promise<string> {
  const known = made.get(base);
  if (known !== undefined) return known;
  const making = makeBase(t, base, folder);
  made.set(base, making);
  return making;
}

async function makeBase(t: ExecutionContext, base: BaseName, folder: string): Promise<string> {
  const tree = path.join(folder, `tree-${base}`);
  mkdirSync(path.join(tree, 'd'), { recursive: true });
  mkdirSync(path.join(tree, 'many'));
  mkdirSync(path.join(tree, 'small'));
  writeFileSync(path.join(tree, 'a'), 'a'.repeat(500));
  writeFileSync(path.join(tree, 'b'), 'b'.repeat(30_000));
  writeFileSync(path.join(tree, 'd', 'inner-file'), 'inner');
  writeFileSync(path.join(tree, 'small', 's'), '');
  symlinkSync('target-of-it', path.join(tree, 'link'));
  for (let number = 0; number < 300; number++)
    writeFileSync(path.join(tree, 'many', `a-file-among-many-${number}`), '');
  const image = path.join(folder, `${base}.img`);
  writeFileSync(image, '');
  truncateSync(image, (base === 'special' ? 24 : 12) * MIB);
  await tool('mke2fs', ['-q', '-F', ...bases[base], '-d', tree, image]);
  const value = path.join(folder, `value-${base}`);
  writeFileSync(value, 'v'.repeat(base === 'inline' ? 20 : 300));
  const commands = ['mknod pipe p', `ea_set -f ${value} /b user.kept`, 'write /dev/null sparse'];
  // Blocks here and there: an extent tree of more than its root.
  for (let block = 0; block < 20; block++) commands.push(`fallocate /sparse ${block * 5} ${block * 5}`);
  await tool('debugfs', ['-w', '-f', '-', image], commands.join('\n'));
  spawnSync('e2fsck', ['-fyD', image], { env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` } });
  t.true(e2fsckIsClean(image), `${base} is sound`);
  return image;
}

/** Where a block of something lies, in blocks, as debugfs says. */
async function blockOf(image: string, { where, block }: Write): Promise<number> {
  const [, what, file] = /^(?:(map|attributes) of )?(.*)$/.exec(where)!;
  if (where === 'superblock copy') return block;
  if (where === 'mmp') {
    return Number(/MMP block number:\s+(\d+)/i.exec(await toolText('dumpe2fs', ['-h', image]))![1]);
  }
  if (what === 'attributes') {
    return Number(/File ACL: (\d+)/.exec(await toolText('debugfs', ['-R', `stat ${file}`, image]))![1]);
  }
  if (what === 'map') {
    return Number(/\(ETB0\):(\d+)/.exec(await toolText('debugfs', ['-R', `stat ${file}`, image]))![1]);
  }
  return Number((await toolText('debugfs', ['-R', `bmap ${file} ${block}`, image])).trim());
}

async function damage(image: string, { base, commands, write }: Damage): Promise<void> {
  if (commands !== undefined) await tool('debugfs', ['-w', '-f', '-', image], commands.join('\n'));
  const blockSize = base === 'special' ? 4096 : 1024;
  for (const one of write ?? []) {
    const at = (await blockOf(image, one)) * blockSize + one.at;
    const file = openSync(image, 'r+');
    writeSync(file, Uint8Array.from(one.bytes), 0, one.bytes.length, at);
    closeSync(file);
  }
}

test('each kind of damage is told as what it is, and the verdict is that of e2fsck -fn', async (t) => {
  if (!hasTools(t, 'mke2fs', 'debugfs', 'e2fsck', 'dumpe2fs')) return;
  t.timeout(240_000);
  const folder = temporaryFolder(t);
  const wrong: string[] = [];
  for (const one of damages) {
    const sound = await baseImage(t, one.base, folder);
    const image = path.join(folder, 'damaged.img');
    copyFileSync(sound, image);
    await damage(image, one);
    const isDamaged = Buffer.compare(readFileSync(image), readFileSync(sound)) !== 0;
    if (one.codes.length > 0 && !isDamaged) wrong.push(`${one.name}: nothing is changed`);
    wrong.push(...objections(one, await checkOurs(image), e2fsckIsClean(image)));
  }
  t.is(wrong.join('\n\n'), '');
});

function objections(one: Damage, { isClean, findings }: Checked, expected: boolean): string[] {
  const codes = new Set(findings.map(({ code }) => code));
  const named = new Set(findings.flatMap(({ structure, owners }) => [structure, ...(owners ?? [])]));
  const wrong = [
    ...one.codes.filter((code) => !codes.has(code)),
    ...(one.names ?? []).filter((name) => !named.has(name)),
    ...(isClean === expected ? [] : [`e2fsck calls it ${expected ? 'clean' : 'not clean'}`]),
  ];
  return wrong.map((what) => `${one.name}: ${what}, and not\n${lines(findings.slice(0, 6))}`);
}

test('a block that two files claim is told with both, as e2fsck finds them', async (t) => {
  if (!hasTools(t, 'mke2fs', 'debugfs', 'e2fsck')) return;
  t.timeout(60_000);
  const image = path.join(temporaryFolder(t), 'shared.img');
  const sound = await makeBase(t, 'ext2', path.dirname(image));
  copyFileSync(sound, image);
  const block = (await toolText('debugfs', ['-R', 'bmap /d/inner-file 0', image])).trim();
  await tool('debugfs', ['-w', '-R', `set_inode_field /b block[3] ${block}`, image]);
  const { findings } = await checkOurs(image);
  const found = findings.find(({ code }) => code === 'block-claimed-twice');
  t.deepEqual([...(found?.owners ?? [])].sort(), ['/b', '/d/inner-file'], lines(findings));
  t.is(found?.structure, `block ${block}`);
  t.is(found?.offset, Number(block) * 1024);
});

test('every fixture is as clean as e2fsck -fn says', async (t) => {
  if (!hasTools(t, 'e2fsck')) return;
  t.timeout(60_000);
  const folder = temporaryFolder(t);
  for (const name of await fixtureNames('ext')) {
    const image = await fixtureFile(name, folder);
    const { isClean, findings } = await checkOurs(image);
    t.is(isClean, e2fsckIsClean(image), `${name}\n${lines(findings)}`);
  }
});

test('a journal that was not replayed: as it is after the recovery, and on demand as it stands', async (t) => {
  if (!hasTools(t, 'e2fsck', 'mke2fs', 'debugfs')) return;
  t.timeout(60_000);
  const folder = temporaryFolder(t);
  const image = await fixtureFile('ext/journal-1k.img', folder);
  const { isClean, findings } = await checkOurs(image);
  t.is(isClean, e2fsckIsClean(image));
  t.true(findings.some(({ code, severity }) => code === 'journal' && severity === 'note'));
  const recovered = path.join(folder, 'recovered');
  copyFileSync(image, recovered);
  const environment = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` };
  spawnSync('e2fsck', ['-y', '-E', 'journal_only', recovered], { env: environment });
  await using file = await FileDevice.open(image);
  const filesystem = await openFileSystem(file, testContext());
  const after: Finding[] = [];
  for await (const finding of filesystem!.check()) after.push(finding);
  t.is(
    after.every(({ severity }) => severity !== 'error'),
    e2fsckIsClean(recovered),
    lines(after),
  );
  t.true(
    after.some(({ code, message }) => code === 'journal' && /the state after its replay/.test(message)),
    lines(after),
  );
});

test('files that claim the same blocks again and again, and maps that go in circles, end', async (t) => {
  if (!hasTools(t, 'mke2fs', 'debugfs')) return;
  t.timeout(60_000);
  const folder = temporaryFolder(t);
  const image = path.join(folder, 'circle.img');
  copyFileSync(await makeBase(t, 'ext2', folder), image);
  const indirect = (await toolText('debugfs', ['-R', 'stat /b', image])).match(/\(IND\):(\d+)/)![1];
  // An indirect block that is its own content, as the root of every level.
  const file = openSync(image, 'r+');
  const pointers = new Uint32Array(256).fill(Number(indirect));
  writeSync(file, new Uint8Array(pointers.buffer), 0, 1024, Number(indirect) * 1024);
  closeSync(file);
  const commands = ['DIND', 'TIND'].map((level) => `set_inode_field /b block[${level}] ${indirect}`);
  await tool('debugfs', ['-w', '-f', '-', image], commands.join('\n'));
  const { isClean, findings } = await checkOurs(image);
  t.false(isClean);
  t.true(
    findings.some(({ code }) => code === 'block-claimed-twice'),
    lines(findings),
  );
});

const fresh: readonly (readonly string[])[] = [
  ...[1024, 2048, 4096, 65536].flatMap((size) => ['ext2', 'ext4'].map((type) => ['-t', type, '-b', String(size)])),
  ...[
    'bigalloc',
    'meta_bg,^resize_inode',
    'sparse_super2,^resize_inode',
    '^flex_bg',
    '^sparse_super,^resize_inode',
    '^64bit',
    '^metadata_csum,uninit_bg',
    '^metadata_csum,^uninit_bg',
    'inline_data',
    'quota,project',
    'large_dir,ea_inode',
    'casefold',
    'encrypt,verity',
    'orphan_file',
    'mmp',
    'metadata_csum_seed',
    'fast_commit',
    '^has_journal',
    '^extent,^64bit',
    '^dir_index,^filetype',
  ].map((features) => ['-t', 'ext4', '-b', '1024', '-I', '256', '-O', features]),
  ['-t', 'ext4', '-b', '1024', '-g', '2048'],
  ['-t', 'ext2', '-b', '1024', '-r', '0'],
  ['-t', 'ext4', '-b', '4096', '-I', '128'],
  ['-t', 'ext4', '-b', '1024', '-E', 'packed_meta_blocks=1'],
];

test('a filesystem that was just made is clean, whatever its features', async (t) => {
  if (!hasTools(t, 'mke2fs', 'e2fsck')) return;
  t.timeout(120_000);
  const folder = temporaryFolder(t);
  for (const options of fresh) {
    const image = path.join(folder, 'fresh.img');
    writeFileSync(image, '');
    truncateSync(image, 0);
    truncateSync(image, (options.includes('65536') ? 300 : 48) * MIB);
    await tool('mke2fs', ['-q', '-F', ...options, image]);
    const { isClean, findings } = await checkOurs(image);
    const worth = findings.filter(({ severity }) => severity !== 'note');
    t.is(lines(worth), '', options.join(' '));
    t.true(isClean);
  }
});

/** Images of e2fsprogs' own tests where the verdicts differ by intent. */
const CORPUS_DEVIATIONS: ReadonlyMap<string, string> = new Map([
  ['f_quota', 'the sums in quota files are not compared with what users have; a note says so'],
  [
    'f_zero_inode_size',
    'e2fsck goes by the copy of the superblock and calls the rest clean; ours tells the superblock itself',
  ],
]);

const corpus = process.env['E2FSPROGS_TESTS'];

test("e2fsprogs' own damaged images: the verdict of e2fsck -fn, and all that can be read is read", async (t) => {
  if (corpus === undefined) {
    t.pass('skipped: E2FSPROGS_TESTS does not name the folder tests/ of the source of e2fsprogs');
    return;
  }
  if (!hasTools(t, 'e2fsck')) return;
  t.timeout(900_000);
  const folder = temporaryFolder(t);
  const names = readdirSync(corpus).filter((name) => existsSync(path.join(corpus, name, 'image.gz')));
  t.true(names.length > 100, `${names.length} images`);
  const wrong: string[] = [];
  for (const name of names.sort()) {
    const image = path.join(folder, 'image');
    writeFileSync(image, gunzipSync(readFileSync(path.join(corpus, name, 'image.gz'))));
    const started = performance.now();
    const { isClean, findings } = await checkOurs(image);
    await readEverything(t, name, image);
    const took = performance.now() - started;
    if (took > MAX_MILLISECONDS) wrong.push(`${name} took ${took.toFixed(0)} ms`);
    if (CORPUS_DEVIATIONS.has(name) || isClean === e2fsckIsClean(image)) continue;
    wrong.push(`${name}: ours ${isClean ? 'clean' : 'not clean'}\n${lines(findings.slice(0, 6))}`);
  }
  t.is(wrong.join('\n\n'), '');
});

/** What `ls -R`, `find` and `hash` do: a listing, or a DiskError. */
async function readEverything(t: ExecutionContext, name: string, image: string): Promise<void> {
  await using file = await FileDevice.open(image);
  const onError = (error: unknown): void => {
    if (!(error instanceof DiskError)) t.fail(`${name}: ${error instanceof Error ? error.stack : error}`);
  };
  try {
    const filesystem = await openFileSystem(file, testContext());
    if (filesystem === undefined) return;
    for await (const { entry } of walk(filesystem, filesystem.rootId, { deleted: true, onError })) {
      try {
        const node = await filesystem.node(entry.nodeId);
        await node.attributes().catch(onError);
        if (node.kind === 'symlink') await node.target();
        if (node.kind !== 'file' || node.size > LARGE_FILE) continue;
        const content = fileDevice(filesystem, node);
        for await (const chunk of streamBytes(content, { start: 0, length: content.size }))
          if (chunk.length === 0) return;
      } catch (error) {
        onError(error);
      }
    }
  } catch (error) {
    onError(error);
  }
}
