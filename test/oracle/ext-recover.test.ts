import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { MemoryDevice, type RecoverableFile, readFile } from '../../src/core/index.ts';
import { seededRandom } from '../helpers/seeded-random.ts';
import { hasTools, temporaryFolder } from '../helpers/tools.ts';
import { openExt } from './ext/our-facts.ts';

const MIB = 1024 ** 2;
/** More of them, and longer ones, were played while this was written. */
const SEEDS = [1];
const STEPS = 80;

const variants: Readonly<Record<string, readonly string[]>> = {
  'ext3 of 1 KiB': ['-t', 'ext3', '-b', '1024'],
  'ext3 of 4 KiB': ['-t', 'ext3', '-b', '4096'],
  'ext4 of 1 KiB': ['-t', 'ext4', '-b', '1024'],
  'ext4 of 4 KiB': ['-t', 'ext4', '-b', '4096'],
  'ext4 without 64bit and sums': ['-t', 'ext4', '-b', '1024', '-O', '^64bit,^metadata_csum'],
  'ext4 with inline data': ['-t', 'ext4', '-b', '4096', '-O', 'inline_data'],
  'ext4 with bigalloc': ['-t', 'ext4', '-b', '4096', '-O', 'bigalloc', '-C', '16384'],
};

/** A filesystem that the kernel has mounted, and what was ever in a file of it, by hash. */
class History {
  readonly contents = new Set<string>();
  /** The paths of each content. */
  readonly paths = new Map<string, Set<string>>();
  readonly image: string;
  readonly point: string;

  constructor(folder: string) {
    this.image = path.join(folder, 'ext.img');
    this.point = path.join(folder, 'point');
  }

  mount(): boolean {
    return spawnSync('mount', ['-o', 'loop,commit=1000', this.image, this.point]).status === 0;
  }

  unmount(): void {
    spawnSync('umount', [this.point]);
  }

  sync(): void {
    spawnSync('sync', ['-f', this.point]);
  }

  at(name: string): string {
    return path.join(this.point, name);
  }

  /** Takes down what a file has now. */
  note(name: string): void {
    this.noteBytes(name, readFileSync(this.at(name)));
  }

  noteBytes(name: string, bytes: Uint8Array): void {
    const sum = sha256(bytes);
    this.contents.add(sum);
    const paths = this.paths.get(sum) ?? new Set();
    this.paths.set(sum, paths.add(`/${name}`));
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function makeHistory(t: ExecutionContext, options: readonly string[], megabytes = 24): History | undefined {
  const history = new History(temporaryFolder(t));
  writeFileSync(history.image, '');
  truncateSync(history.image, megabytes * MIB);
  mkdirSync(history.point);
  const made = spawnSync('mke2fs', ['-q', '-F', ...options, history.image]);
  t.is(made.status, 0, String(made.stderr));
  if (!history.mount()) {
    t.log('skipped: cannot mount');
    return undefined;
  }
  t.teardown(() => history.unmount());
  return history;
}

interface Recovered {
  readonly file: RecoverableFile;
  readonly sum: string;
}

async function recoverAll(image: string): Promise<Recovered[]> {
  // A file's own holes are not known to memory, as they are to an image that is opened: that is another test's.
  const filesystem = await openExt(new MemoryDevice(readFileSync(image)));
  const all: Recovered[] = [];
  for await (const file of filesystem.recoverable()) {
    const { node, certainty } = file;
    const sum = async (): Promise<string> =>
      node.kind === 'file' && certainty !== 'lost' ? sha256(await readFile(filesystem, node)) : '';
    all.push({ file, sum: certainty === 'damaged' ? await sum().catch(() => '') : await sum() });
  }
  return all;
}

for (const [title, options] of Object.entries(variants)) {
  test(`what was written, then deleted, comes back whole with its path: ${title}`, async (t) => {
    if (!hasTools(t, 'mke2fs', 'mount')) return;
    const history = makeHistory(t, options);
    if (history === undefined) return t.pass();
    const random = seededRandom(7);
    mkdirSync(history.at('docs/deep'), { recursive: true });
    mkdirSync(history.at('gone/inner'), { recursive: true });
    const deleted = new Map<string, string>();
    const sizes = [0, 1, 50, 130, 1000, 4096, 5000, 70_000, 300_000, 1_500_000];
    for (const [index, size] of sizes.entries()) {
      for (const folder of ['docs', 'docs/deep', 'gone/inner']) {
        const name = `${folder}/file-${index}`;
        const bytes = Uint8Array.from({ length: size }, () => Math.floor(random() * 256));
        writeFileSync(history.at(name), bytes);
        if (index % 2 === 1 || folder === 'gone/inner') deleted.set(`/${name}`, sha256(bytes));
      }
    }
    history.sync();
    for (const name of deleted.keys()) rmSync(history.at(name));
    rmSync(history.at('gone'), { recursive: true });
    history.sync();
    history.unmount();
    const found = await recoverAll(history.image);
    const files = found.filter(({ file }) => file.node.kind === 'file' && file.certainty !== 'lost');
    const byPath = new Map(files.map((one) => [one.file.path, one]));
    for (const [name, sum] of deleted) {
      const one = byPath.get(name);
      t.is(one?.sum, sum, `${name} ${one?.file.certainty} ${one?.file.reason}`);
      t.is(one?.file.certainty, 'intact', `${name} ${one?.file.reason}`);
    }
    t.is(files.length, deleted.size);
    t.true(found.some(({ file }) => file.node.kind === 'directory' && file.path === '/gone/inner'));
  });
}

/** One random thing that a machine does; every content that a commit may see is taken down. */
function act(history: History, names: Set<string>, random: () => number): void {
  const pick = (count: number): number => Math.floor(random() * count);
  const bytes = (): Uint8Array => {
    const size = [0, 1, 59, 150, 1024, 3000, 20_000, 150_000, 900_000][pick(9)]! + pick(500);
    const seed = pick(2 ** 30);
    return createHash('shake256', { outputLength: size + 1 })
      .update(String(seed))
      .digest()
      .subarray(1);
  };
  const old = [...names][pick(names.size)];
  const action = pick(10);
  if (action < 4 || old === undefined) {
    const name = `${['', 'one/', 'two/', 'two/three/'][pick(4)]}f${pick(40)}`;
    mkdirSync(path.dirname(history.at(name)), { recursive: true });
    // Made anew: a file that is there is truncated, and written again.
    if (existsSync(history.at(name))) history.noteBytes(name, new Uint8Array(0));
    writeFileSync(history.at(name), bytes());
    names.add(name);
    history.note(name);
  } else if (action < 7) {
    rmSync(history.at(old));
    names.delete(old);
  } else if (action === 7) {
    appendFileSync(history.at(old), bytes());
    history.note(old);
  } else if (action === 8) {
    const file = openSync(history.at(old), 'r+');
    writeSync(file, bytes().subarray(0, 700), 0, undefined, pick(3000));
    closeSync(file);
    history.note(old);
  } else {
    const name = `two/r${pick(20)}`;
    mkdirSync(history.at('two'), { recursive: true });
    renameSync(history.at(old), history.at(name));
    names.delete(old);
    names.add(name);
    history.note(name);
  }
}

for (const [title, options] of Object.entries(variants)) {
  for (const seed of SEEDS) {
    test(`nothing that is called intact has another's bytes: ${title}, history ${seed}`, async (t) => {
      if (!hasTools(t, 'mke2fs', 'mount')) return;
      const history = makeHistory(t, options, 12);
      if (history === undefined) return t.pass();
      const random = seededRandom(seed);
      const names = new Set<string>();
      for (let step = 0; step < STEPS; step++) {
        try {
          act(history, names, random);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
          for (const name of [...names].slice(0, 8)) {
            rmSync(history.at(name), { force: true });
            names.delete(name);
          }
          history.sync();
        }
        if (random() < 0.5) history.sync();
        if (random() < 0.02) {
          history.unmount();
          history.mount();
        }
      }
      history.unmount();
      const found = await recoverAll(history.image);
      const intact = found.filter(({ file }) => file.certainty === 'intact' && file.node.kind === 'file');
      for (const { file, sum } of intact) t.true(history.contents.has(sum), `${file.key} ${file.path} ${file.reason}`);
      const paths = intact.filter(({ file, sum }) => history.paths.get(sum)?.has(file.path ?? '') !== true);
      const right = found.filter(({ file, sum }) => file.certainty === 'likely' && history.contents.has(sum)).length;
      const likely = found.filter(({ file }) => file.certainty === 'likely').length;
      t.log(`${found.length} found, ${intact.length} intact, ${paths.length} with a path they had not`);
      t.log(`${likely} likely, ${right} of them right`);
      t.deepEqual(paths, []);
      t.true(intact.length > 0);
    });
  }
}

test('a file that was open without a name when the machine stopped is an orphan, whole', async (t) => {
  if (!hasTools(t, 'mke2fs', 'mount')) return;
  const history = makeHistory(t, ['-t', 'ext4', '-b', '1024']);
  if (history === undefined) return t.pass();
  const bytes = createHash('shake256', { outputLength: 200_000 }).update('orphan').digest();
  writeFileSync(history.at('open'), bytes);
  const file = openSync(history.at('open'), 'r');
  history.sync();
  rmSync(history.at('open'));
  history.sync();
  const copy = `${history.image}.copy`;
  copyFileSync(history.image, copy);
  closeSync(file);
  const found = (await recoverAll(copy)).filter(({ file: { source } }) => source === 'orphan');
  t.deepEqual(
    found.map(({ file: { path: name, certainty }, sum }) => [name, certainty, sum]),
    [['/open', 'intact', sha256(bytes)]],
  );
});

test('what a file was before it was truncated is an earlier version', async (t) => {
  if (!hasTools(t, 'mke2fs', 'mount')) return;
  const history = makeHistory(t, ['-t', 'ext4', '-b', '4096']);
  if (history === undefined) return t.pass();
  const before = createHash('shake256', { outputLength: 90_000 }).update('before').digest();
  writeFileSync(history.at('kept'), before);
  history.sync();
  truncateSync(history.at('kept'), 0);
  history.sync();
  history.unmount();
  const found = await recoverAll(history.image);
  t.deepEqual(
    found.map(({ file: { path: name, node }, sum }) => [name, node.deleted, sum]),
    [['/kept', false, sha256(before)]],
  );
  t.regex(found[0]!.file.reason, /^an earlier version, as of transaction \d+ of 20/);
});
