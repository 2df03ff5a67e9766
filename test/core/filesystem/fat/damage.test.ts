import test from 'ava';
import { openFat } from '../../../../src/core/filesystem/fat/fat-format.ts';
import { DiskError, type Finding, fileDevice, MemoryDevice, walk } from '../../../../src/core/index.ts';
import { testContext } from '../../../helpers/context.ts';
import { fixtureBytes, fixtureFacts, fixtureNames } from '../../../helpers/fixtures.ts';
import { sha256 } from '../../../helpers/sha256.ts';

interface Facts {
  /** Of `fsck.fat -n`. */
  readonly exit: 0 | 1;
  readonly says: string;
  /** As icat gives them. */
  readonly files: readonly { readonly path: string; readonly sha256: string | null }[];
}

/** What the check must find, by the fixture's name: its codes, then the owners of its errors. */
const FOUND: Readonly<Record<string, readonly [codes: string, owners?: string]>> = {
  // fsck.fat knows of no FAT that alone is kept, and compares; what it says is not so.
  'active-second-32': ['fat-copy-stale'],
  'after-end-16': ['entry-after-end'],
  'backup-differs-32': ['backup-differs'],
  'backup-none-32': ['no-backup'],
  'bad-clusters-12': ['bad-clusters'],
  'bad-clusters-32': ['bad-clusters'],
  'bad-directory-cluster-16': ['chain-to-free-cluster', '/sub'],
  'clean-12': [''],
  'clean-16': [''],
  'clean-32': [''],
  'copies-differ-12': ['fat-copies-differ'],
  'copies-differ-16': ['fat-copies-differ'],
  'copies-differ-unused-16': ['fat-copies-differ'],
  'cross-link-16': ['chain-too-short cross-link lost-chain', '/two.txt; /one.txt & /two.txt'],
  'cross-link-32': ['chain-too-short cross-link lost-chain', '/two.txt; /one.txt & /two.txt'],
  'cross-link-directory-16': [
    'chain-too-short cross-link lost-chain lost-chain lost-chain lost-chain',
    '/two.txt; /two.txt & /sub',
  ],
  'cut-data-16': ['device-too-short directory-unreadable lost-chain lost-chain lost-chain', '/sub'],
  'cut-data-32': ['device-too-short directory-unreadable lost-chain lost-chain lost-chain', '/sub'],
  'cut-fat-16': ['device-too-short fat-cut directory-unreadable unreadable lost-chain', '/'],
  'cut-root-12': [
    'device-too-short directory-unreadable unreadable lost-chain lost-chain lost-chain lost-chain lost-chain lost-chain',
    '/',
  ],
  'directory-loop-16': ['chain-loop', '/sub'],
  'directory-no-start-16': ['directory-start lost-chain lost-chain lost-chain lost-chain', '/sub'],
  'directory-parent-16': ['directory-start lost-chain lost-chain', '/sub/deep'],
  'directory-size-16': ['directory-size', '/sub'],
  'dirty-boot-12': ['dirty'],
  'dirty-boot-32': ['backup-differs dirty'],
  'dirty-fat-16': ['dirty'],
  'dirty-fat-32': ['dirty'],
  'disk-errors-16': ['disk-errors'],
  'disk-errors-32': ['disk-errors'],
  'dots-missing-16': ['dot-entry-wrong', '/sub'],
  'dots-wrong-16': ['dot-entry-wrong', '/sub'],
  'first-entry-12': ['fat-damaged fat-copies-differ'],
  'first-entry-both-12': ['fat-damaged'],
  'fsinfo-count-32': ['fsinfo-count'],
  'fsinfo-none-32': ['backup-differs no-fsinfo'],
  'fsinfo-signature-32': ['fsinfo-signature'],
  'fsinfo-unknown-32': ['fsinfo-unknown'],
  'label-bad-16': ['label-bad'],
  'label-boot-only-16': ['label-only-in-boot-sector'],
  'label-differs-12': ['label-differs'],
  'label-differs-32': ['backup-differs label-differs'],
  'label-lower-16': [''],
  'label-root-only-16': ['label-differs'],
  'link-bad-16': ['bad-clusters chain-to-bad-cluster chain-too-short lost-chain', '/one.txt; /one.txt'],
  'link-free-16': ['chain-to-free-cluster chain-too-short lost-chain', '/one.txt; /one.txt'],
  'link-free-32': ['chain-to-free-cluster chain-too-short lost-chain', '/one.txt; /one.txt'],
  'link-one-16': ['link-outside chain-to-outside chain-too-short lost-chain', '/one.txt; /one.txt'],
  'link-outside-12': ['link-outside chain-to-outside chain-too-short lost-chain', '/one.txt; /one.txt'],
  'link-outside-16': ['link-outside chain-to-outside chain-too-short lost-chain', '/one.txt; /one.txt'],
  'link-outside-32': ['link-outside chain-to-outside chain-too-short lost-chain', '/one.txt; /one.txt'],
  'long-checksum-16': ['long-name-broken'],
  'long-in-long-16': ['long-name-broken'],
  'long-order-16': ['long-name-broken'],
  'long-orphan-16': ['long-name-orphaned lost-chain', '/'],
  'long-replaced-16': ['long-name-broken'],
  'long-reserved-16': ['long-name-reserved-field', '/'],
  'long-unfinished-16': ['long-name-orphaned', '/'],
  'loop-12': ['chain-loop chain-too-short lost-chain', '/one.txt; /one.txt'],
  'lost-directory-16': ['lost-chain lost-chain lost-chain lost-chain'],
  'lost-file-12': ['lost-chain'],
  'lost-file-32': ['lost-chain'],
  'lost-loop-16': ['lost-chain'],
  'media-entry-16': ['media-differs'],
  'name-05-12': [''],
  'name-bad-16': ['short-name-bad', '/o?e.txt'],
  'name-space-16': ['short-name-bad', '/ ne.txt'],
  'name-twice-16': ['short-name-twice', '/one.txt'],
  'no-extension-16': ['label-differs'],
  'no-start-16': ['chain-too-short lost-chain', '/one.txt'],
  'root-cluster-32': [`backup-differs first-cluster-outside unreadable ${Array(8).fill('lost-chain').join(' ')}`, '/'],
  'root-free-32': [
    `backup-differs chain-to-free-cluster label-only-in-boot-sector ${Array(8).fill('lost-chain').join(' ')}`,
    '/',
  ],
  'serial-only-16': ['label-differs'],
  'serial-only-32': ['backup-differs label-differs'],
  'start-outside-16': ['first-cluster-outside chain-too-short lost-chain', '/one.txt; /one.txt'],
  'surface-test-16': ['surface-test'],
  'too-long-16': ['chain-too-long', '/one.txt'],
  'too-short-16': ['chain-too-short', '/one.txt'],
};

/** Names that icat's siblings show otherwise: a long name whose checksum is wrong, the character of 0xE5, what stands behind the end. */
const OTHER_NAMES = new Set([
  'after-end-16',
  'long-checksum-16',
  'long-order-16',
  'long-replaced-16',
  'long-unfinished-16',
  'name-05-12',
]);
/** What icat gives though it cannot be: a file whose chain comes back to itself; two files of one name. */
const OTHER_CONTENTS = new Set(['loop-12', 'name-twice-16', 'active-second-32']);

const names = await fixtureNames('fat-damage');

test('every damage has its expectation', (t) => {
  t.deepEqual(names.map((name) => name.replace(/^fat-damage\/|\.img$/g, '')).sort(), Object.keys(FOUND).sort());
});

for (const name of names) {
  const short = name.replace(/^fat-damage\/|\.img$/g, '');
  test.serial(`${short}: the verdict of fsck.fat, what it is about, and every file that icat reads`, async (t) => {
    const facts = await fixtureFacts<Facts>(name);
    const bytes = await fixtureBytes(name);
    const filesystem = await openFat(new MemoryDevice(bytes), testContext());
    const findings: Finding[] = [];
    for await (const finding of filesystem.check()) findings.push(finding);
    const errors = findings.filter(({ severity }) => severity === 'error');
    if (short === 'active-second-32') t.is(errors.length, 0);
    else t.is(Math.min(errors.length, 1), facts.exit, facts.says);
    t.deepEqual(
      [
        findings.map(({ code }) => code).join(' '),
        errors.flatMap(({ owners }) => (owners === undefined ? [] : [owners.join(' & ')])).join('; '),
      ],
      [FOUND[short]![0], FOUND[short]![1] ?? ''],
    );
    const contents = await contentsOf(filesystem);
    for (const { path, sha256: wanted } of facts.files) {
      if (OTHER_NAMES.has(short) && contents.get(path) === undefined) continue;
      if (!OTHER_CONTENTS.has(short)) t.is(contents.get(path), wanted, path);
    }
  });
}

/** The SHA-256 of every file, `null` for one that cannot be read whole; what cannot be listed is left out. */
async function contentsOf(filesystem: Awaited<ReturnType<typeof openFat>>): Promise<Map<string, string | null>> {
  const contents = new Map<string, string | null>();
  for await (const { path, entry } of walk(filesystem, filesystem.rootId, { onError: () => undefined })) {
    const node = await filesystem.node(entry.nodeId);
    if (node.kind !== 'file') continue;
    const hash = await sha256(fileDevice(filesystem, node)).catch((error: unknown) => {
      if (!(error instanceof DiskError)) throw error;
      return null;
    });
    contents.set(path.slice(1), hash);
  }
  return contents;
}

test('an active FAT that is the second one: files are read by it', async (t) => {
  const filesystem = await openFat(
    new MemoryDevice(await fixtureBytes('fat-damage/active-second-32.img')),
    testContext(),
  );
  const clean = await openFat(new MemoryDevice(await fixtureBytes('fat-damage/clean-32.img')), testContext());
  t.is(filesystem.geometry.activeFat, 1);
  t.deepEqual(await contentsOf(filesystem), await contentsOf(clean));
});

test('copies of the FAT that differ are told while opening, with the first place and how many', async (t) => {
  const context = testContext();
  const bytes = await fixtureBytes('fat-damage/copies-differ-16.img');
  const { geometry } = await openFat(new MemoryDevice(bytes), context);
  const [told] = context.diagnostics;
  t.is(told?.structure, 'FAT 2');
  t.regex(told?.message ?? '', /^FAT 2 differs from FAT 1 in one entry, the first that of cluster \d+$/);
  const cluster = Number(/\d+$/.exec(told!.message)![0]);
  t.is(told!.offset, geometry.fatOffset + geometry.fatBytes + cluster * 2);
});
