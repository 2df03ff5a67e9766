import test from 'ava';
import { DiskError, fileDevice, openFileSystem, resolvePath, walk } from '../../../../src/core/index.ts';
import { testContext } from '../../../helpers/context.ts';
import { fixtureDevice, fixtureFacts, fixtureNames } from '../../../helpers/fixtures.ts';
import { sha256 } from '../../../helpers/sha256.ts';

interface EntryFacts {
  readonly path: string;
  readonly kind: 'directory' | 'file';
  readonly modified: string;
  readonly shortName: string;
  readonly attributes: string;
  readonly size?: number;
  readonly sha256?: string;
}

interface VolumeFacts {
  readonly type: string;
  readonly label: string;
  readonly clusterSize: number;
  readonly sectorSize: number;
  readonly free: number;
  readonly serialNumber: string;
  readonly entries: readonly EntryFacts[];
  readonly deleted: readonly { readonly path: string; readonly size: number; readonly sha256: string | null }[];
}

const LETTERS: Record<string, string> = { 'read-only': 'R', hidden: 'H', system: 'S', archive: 'A' };

for (const name of await fixtureNames('fat')) {
  test.serial(`${name}: everything is as 7z, fls and icat say`, async (t) => {
    const facts = await fixtureFacts<VolumeFacts>(name);
    const context = testContext();
    const filesystem = await openFileSystem(await fixtureDevice(name), context);
    if (filesystem === undefined) return t.fail('no filesystem found');
    const property = (key: string) => filesystem.properties.find((found) => found.key === key)?.value;
    t.is(filesystem.type, facts.type as typeof filesystem.type);
    t.is(filesystem.label, facts.label);
    t.is(filesystem.blockSize, facts.clusterSize);
    t.is(filesystem.usage.free, facts.free);
    t.is(property('sectorSize'), facts.sectorSize);
    t.is(property('serialNumber'), facts.serialNumber);
    t.deepEqual(context.diagnostics, []);

    const seen: EntryFacts[] = [];
    for await (const { path, entry } of walk(filesystem, filesystem.rootId)) {
      const node = await filesystem.node(entry.nodeId);
      const isFile = node.kind === 'file';
      seen.push({
        path: path.slice(1),
        kind: isFile ? 'file' : 'directory',
        modified: new Date(node.times.modified!.seconds * 1000).toISOString().slice(0, 19).replace('T', ' '),
        shortName: entry.shortName ?? entry.name,
        attributes: [...node.flags.map((flag) => LETTERS[flag] ?? '?'), ...(isFile ? [] : ['D'])].sort().join(''),
        ...(isFile ? { size: node.size, sha256: await sha256(fileDevice(filesystem, node)) } : {}),
      });
    }
    t.deepEqual(
      seen.sort((left, right) => (left.path < right.path ? -1 : 1)),
      [...facts.entries].sort((left, right) => (left.path < right.path ? -1 : 1)),
    );
    await t.notThrowsAsync(resolvePath(filesystem, '/DOCS/emoji 😀.TXT'));

    const gone: VolumeFacts['deleted'][number][] = [];
    for await (const { path, entry } of walk(filesystem, filesystem.rootId, { deleted: true })) {
      const node = await filesystem.node(entry.nodeId);
      if (!entry.deleted || node.kind !== 'file') continue;
      const hash = await sha256(fileDevice(filesystem, node)).catch((error: unknown) => {
        t.true(error instanceof DiskError && error.code === 'CORRUPT', String(error));
        return null;
      });
      gone.push({ path: path.slice(1), size: node.size, sha256: hash });
    }
    t.deepEqual(
      gone.sort((left, right) => (left.path < right.path ? -1 : 1)),
      [...facts.deleted],
    );
    return undefined;
  });
}
