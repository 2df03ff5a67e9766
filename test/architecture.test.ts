import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { projectRoot } from './helpers/fixtures.ts';

/** The longest a file of source may be, in lines. */
const MAX_SOURCE_LINES = 300;
const MAX_FIXTURE_BYTES = 20 * 1024 * 1024;
const TEXT =
  /\.(?:[cm]?[jt]sx?|json|md|sh|ya?ml|toml|txt)$|(?:^|\/)(?:\.[a-z0-9]+rc|\.gitignore|\.editorconfig|LICENSE|run)$/;
const NOT_OURS = new Set(['node_modules', 'dist', 'coverage', '.git']);

/** Every file that the repository tracks or would, by its path from the root with forward slashes. */
function projectFiles(): string[] {
  if (existsSync(path.join(projectRoot, '.git'))) {
    const list = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
      cwd: projectRoot,
    });
    return list
      .toString()
      .split('\0')
      .filter((name) => name !== '' && existsSync(path.join(projectRoot, name)));
  }
  return readdirSync(projectRoot, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(projectRoot, path.join(entry.parentPath, entry.name)).split(path.sep).join('/'))
    .filter((name) => !name.split('/').some((part) => NOT_OURS.has(part)));
}

const files = projectFiles();
const read = (name: string): string => readFileSync(path.join(projectRoot, name), 'utf8');
const texts = files.filter((name) => TEXT.test(name)).map((name) => ({ name, text: read(name) }));
const sources = texts.filter(({ name }) => /^src\/.*\.tsx?$/.test(name));

interface Import {
  readonly from: string;
  /** A path from the root, or a package's name. */
  readonly to: string;
}

/** Static imports, re-exports and dynamic imports of a file, relative ones resolved. */
function importsOf({ name, text }: { name: string; text: string }): Import[] {
  const found = text.matchAll(/(?:^|[\s;}(])(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g);
  return [...found].map(([, target]) => ({
    from: name,
    to: target!.startsWith('.') ? path.posix.join(path.posix.dirname(name), target!) : target!,
  }));
}

const imports = sources.flatMap(importsOf);
const isOurs = (target: string): boolean => target.startsWith('src/');

const FACES = ['cli', 'repl', 'tui'];
/** Core's folders, left to right: each may import itself, those of a lower rank, and the leaf helpers. */
const CORE_RANKS: Readonly<Record<string, number>> = {
  bytes: 0,
  codec: 1,
  device: 1,
  container: 2,
  partition: 2,
  filesystem: 2,
  archive: 2,
  provenance: 3,
  resize: 3,
  compare: 3,
  print: 3,
  search: 3,
  output: 4,
};
const CORE_LEAVES = new Set(['src/core/errors.ts', 'src/core/format.ts']);
/** What a leaf helper may know itself: texts, and the types of devices. */
const LEAF_RANK = 1;

/** Why an import goes the wrong way; undefined when it does not. */
function objection({ from, to }: Import): string | undefined {
  const [, layer, folder] = from.split('/');
  const isPackage = !isOurs(to);
  if (isPackage) {
    if (/^(?:ink|ink-.*|react|react-.*|@inkjs\/.*)(?:\/|$)/.test(to) && layer !== 'tui')
      return 'Ink and React belong to the TUI';
    if (/^koffi(?:\/|$)/.test(to) && layer !== 'native') return 'koffi belongs to native';
    return undefined;
  }
  const target = to.split('/')[1]!;
  if (layer === 'native') return target === 'native' ? undefined : 'native imports nothing of ours';
  if (FACES.includes(layer!)) {
    return target === layer || to === 'src/core/index.ts' ? undefined : 'a face imports core by its one door only';
  }
  if (layer === 'core') return target === 'core' ? coreObjection(from, folder!, to) : nativeObjection(to);
  // main.ts puts the faces together.
  return undefined;
}

function nativeObjection(to: string): string | undefined {
  return to === 'src/native/index.ts' ? undefined : 'core imports native by its one door, and no face';
}

function coreObjection(from: string, folder: string, to: string): string | undefined {
  if (to === 'src/core/index.ts') return 'core does not go through its own door';
  if (CORE_LEAVES.has(to)) return undefined;
  const targetFolder = to.split('/')[2]!;
  const isRootFile = folder.endsWith('.ts');
  if (isRootFile && !CORE_LEAVES.has(from)) return undefined;
  const rank = isRootFile ? LEAF_RANK : CORE_RANKS[folder];
  const targetRank = CORE_RANKS[targetFolder];
  if (rank === undefined) return `core/${folder} has no place in the layers: give it one here and in the design`;
  if (targetRank === undefined) return 'a layer does not import what stands on top of core';
  if (targetFolder === folder || targetRank < rank) return undefined;
  return isRootFile && targetRank <= rank ? undefined : `${folder} does not import ${targetFolder}`;
}

test('imports go down only', (t) => {
  t.true(imports.length > 100, 'the imports are found');
  const wrong = imports.flatMap((each) => {
    const why = objection(each);
    return why === undefined ? [] : [`${each.from} -> ${each.to}: ${why}`];
  });
  t.deepEqual(wrong, []);
});

test('the rule objects to each wrong direction', (t) => {
  const wrong: [string, string][] = [
    ['src/native/index.ts', 'src/core/errors.ts'],
    ['src/cli/run.ts', 'src/core/image.ts'],
    ['src/cli/run.ts', 'src/tui/run.tsx'],
    ['src/tui/run.tsx', 'src/core/bytes/text.ts'],
    ['src/cli/run.ts', 'ink'],
    ['src/core/image.ts', 'react/jsx-runtime'],
    ['src/core/image.ts', 'koffi'],
    ['src/core/image.ts', 'src/cli/run.ts'],
    ['src/core/image.ts', 'src/native/linux/direct.ts'],
    ['src/core/bytes/text.ts', 'src/core/device/extent.ts'],
    ['src/core/device/extent.ts', 'src/core/container/raw.ts'],
    ['src/core/partition/formats.ts', 'src/core/filesystem/formats.ts'],
    ['src/core/filesystem/walk.ts', 'src/core/image.ts'],
    ['src/core/filesystem/walk.ts', 'src/core/index.ts'],
    ['src/core/errors.ts', 'src/core/container/raw.ts'],
    ['src/core/novel/thing.ts', 'src/core/bytes/text.ts'],
  ];
  for (const [from, to] of wrong) t.truthy(objection({ from, to }), `${from} -> ${to}`);
  const right: [string, string][] = [
    ['src/cli/run.ts', 'src/core/index.ts'],
    ['src/tui/screens/tree.tsx', 'src/tui/state/state.ts'],
    ['src/tui/run.tsx', 'ink'],
    ['src/core/image.ts', 'src/core/filesystem/walk.ts'],
    ['src/core/image.ts', 'src/native/index.ts'],
    ['src/core/bytes/text.ts', 'src/core/errors.ts'],
    ['src/core/format.ts', 'src/core/device/block-device.ts'],
    ['src/core/filesystem/ext/inode.ts', 'src/core/filesystem/filesystem.ts'],
    ['src/core/resize/fat32/plan.ts', 'src/core/filesystem/fat/boot-sector.ts'],
    ['src/main.ts', 'src/tui/run.tsx'],
  ];
  for (const [from, to] of right) t.is(objection({ from, to }), undefined, `${from} -> ${to}`);
});

test('relative imports lead to files that exist', (t) => {
  const known = new Set(files);
  t.deepEqual(
    imports.filter(({ to }) => isOurs(to) && !known.has(to)),
    [],
  );
});

/** Put together from halves, so that this file does not find itself. */
const word = (left: string, right: string): string => left + right;

function findings(pattern: RegExp, among: readonly { name: string; text: string }[]): string[] {
  return among.flatMap(({ name, text }) =>
    text
      .split('\n')
      .flatMap((line, index) => (pattern.test(line) ? [`${name}:${index + 1}: ${line.trim().slice(0, 100)}`] : [])),
  );
}

test('no test is switched off or preferred', (t) => {
  const among = texts.filter(({ name }) => name.startsWith('test/') || name.startsWith('bench/'));
  t.deepEqual(
    findings(
      new RegExp(`\\btest(?:\\.\\w+)*\\.(?:${word('on', 'ly')}|${word('sk', 'ip')}|${word('fail', 'ing')})\\b`),
      among,
    ),
    [],
  );
});

test('nothing is left over from work', (t) => {
  const notes = [word('TO', 'DO'), word('FIX', 'ME'), word('XX', 'X'), word('HA', 'CK')].join('|');
  const ours = texts.filter(({ name }) => name !== 'package-lock.json');
  t.deepEqual(findings(new RegExp(`\\b(?:${notes})\\b`), ours), []);
  const prints = [word('console', '\\.log'), word('console', '\\.debug')].join('|');
  t.deepEqual(findings(new RegExp(`\\b(?:${prints})\\b|\\b${word('debug', 'ger')};`), sources), []);
});

test('no path of a machine stands in a file', (t) => {
  const checkout = projectRoot.replace(/[/\\]$/, '');
  // Images hold such paths of their own: fixtures and tests name them below a partition or as facts.
  const machine = new RegExp(`(?<![\\w.:$}/])/(?:${word('wo', 'rk')}|${word('ro', 'ot')}|${word('ho', 'me')})/`);
  const isOfImages = (name: string): boolean => /^(?:fixtures|test|docs)\/|^(?:README|CHANGELOG)\.md$/.test(name);
  t.deepEqual(
    findings(
      machine,
      texts.filter(({ name }) => !isOfImages(name)),
    ),
    [],
  );
  const scratch = new RegExp(`(?<![\\w.])/${word('wo', 'rk')}/`);
  t.deepEqual(
    findings(
      scratch,
      texts.filter(({ name }) => isOfImages(name)),
    ),
    [],
  );
  t.deepEqual(
    texts.filter(({ text }) => text.includes(`${checkout}/`)).map(({ name }) => name),
    [],
  );
});

test('the lock file names no registry', (t) => {
  const lock = JSON.parse(read('package-lock.json')) as { packages: Record<string, Record<string, unknown>> };
  const entries = Object.entries(lock.packages);
  t.true(entries.length > 10);
  t.deepEqual(
    entries.filter(([, entry]) => 'resolved' in entry).map(([name]) => name),
    [],
  );
  // Addresses of people who ask for funding are all that may be left.
  const addresses = entries.flatMap(([name, { funding: _, ...rest }]) =>
    /https?:\/\//.test(JSON.stringify(rest)) ? [name] : [],
  );
  t.deepEqual(addresses, []);
});

test('the fixtures stay small', (t) => {
  const sizes = files
    .filter((name) => name.startsWith('fixtures/'))
    .map((name) => statSync(path.join(projectRoot, name)).size);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  t.true(total > 0 && total < MAX_FIXTURE_BYTES, `${total} bytes`);
});

test('no file of source is longer than a reader can hold', (t) => {
  const long = sources.filter(({ text }) => text.split('\n').length - 1 > MAX_SOURCE_LINES);
  t.deepEqual(
    long.map(({ name, text }) => `${name}: ${text.split('\n').length - 1}`),
    [],
  );
});
