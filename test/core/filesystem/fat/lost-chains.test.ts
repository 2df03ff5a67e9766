import test from 'ava';
import type { FatFileSystem } from '../../../../src/core/filesystem/fat/fat-file-system.ts';
import { fileDevice, type RecoverableFile, readBytes, walk } from '../../../../src/core/index.ts';
import { fixtureBytes } from '../../../helpers/fixtures.ts';
import { sha256 } from '../../../helpers/sha256.ts';
import { FatBuilder, shortSlot } from './fat-builder.ts';
import { opened } from './open-fat.ts';

async function recovered(filesystem: FatFileSystem): Promise<RecoverableFile[]> {
  const found: RecoverableFile[] = [];
  for await (const one of filesystem.recoverable()) found.push(one);
  return found;
}

async function cleanHashes(bits: 12 | 16 | 32): Promise<Map<string, string>> {
  const { filesystem } = await opened(await fixtureBytes(`fat-damage/clean-${bits}.img`));
  const hashes = new Map<string, string>();
  for await (const { path, entry } of walk(filesystem, filesystem.rootId)) {
    const node = await filesystem.node(entry.nodeId);
    if (node.kind === 'file') hashes.set(path, await sha256(fileDevice(filesystem, node)));
  }
  return hashes;
}

test('a lost directory is found by its dot entries, with all that lies below it and every byte', async (t) => {
  const { filesystem } = await opened(await fixtureBytes('fat-damage/lost-directory-16.img'));
  const clean = await cleanHashes(16);
  const found = await recovered(filesystem);
  const lost = found.filter(({ source }) => source === 'lost chain');
  t.deepEqual(
    lost.map(({ path, node, certainty }) => [path, node.kind, certainty]),
    [
      [undefined, 'directory', 'intact'],
      ['below.txt', 'file', 'intact'],
      ['deep', 'directory', 'intact'],
      ['deep/leaf.txt', 'file', 'intact'],
    ],
  );
  for (const { path, node } of lost)
    if (node.kind === 'file') t.is(await sha256(fileDevice(filesystem, node)), clean.get(`/sub/${path}`) ?? 'nothing');
  // The node is found by its number again, and can be walked.
  const root = lost[0]!.node;
  t.true(root.id < 0);
  const paths: string[] = [];
  for await (const { path } of walk(filesystem, root.id)) paths.push(path);
  t.deepEqual(paths, ['/below.txt', '/deep', '/deep/leaf.txt']);
  // The entry of the directory says that it was deleted, and its cluster is in use.
  const entry = found.find(({ source }) => source === 'directory entry');
  t.is(entry?.certainty, 'lost');
});

test('a lost chain is a file of whole clusters, whose content is the chain', async (t) => {
  for (const bits of [12, 32] as const) {
    const { filesystem } = await opened(await fixtureBytes(`fat-damage/lost-file-${bits}.img`));
    const chains = (await recovered(filesystem)).filter(({ source }) => source === 'lost chain');
    t.is(chains.length, 1);
    const [{ node, key, certainty }] = chains as [RecoverableFile];
    t.is(certainty, 'intact');
    t.is(key, `chain-${-node.id}`);
    t.is(node.size, 4096);
    if (node.kind !== 'file') return t.fail();
    const content = await readBytes(fileDevice(filesystem, node), 0, node.size);
    const wanted = Array.from({ length: 1000 }, (_, at) => `${at + 1}\n`).join('');
    t.is(Buffer.from(content).toString().slice(0, wanted.length), wanted);
    const again = await filesystem.node(node.id);
    t.deepEqual([again.kind, again.size], ['file', 4096]);
  }
  return undefined;
});

test('a lost chain that goes round is given once, and its damage told', async (t) => {
  const { filesystem } = await opened(await fixtureBytes('fat-damage/lost-loop-16.img'));
  const [chain] = (await recovered(filesystem)).filter(({ source }) => source === 'lost chain');
  t.is(chain?.certainty, 'damaged');
  t.is(chain?.node.size, 4096);
});

test('lost directories that name each other are listed once', async (t) => {
  const volume = new FatBuilder({ bits: 16, clusters: 5000 });
  const directory = (self: number, other: number): Uint8Array =>
    Buffer.concat([
      shortSlot('.', { attributes: 0x10, cluster: self }),
      shortSlot('..', { attributes: 0x10, cluster: other }),
      shortSlot('OTHER', { attributes: 0x10, cluster: other }),
    ]);
  volume.store(directory(2, 3));
  volume.store(directory(3, 2));
  const { filesystem } = await opened(volume.bytes);
  const found = await recovered(filesystem);
  t.deepEqual(
    found.map(({ key, path }) => [key.split('-')[0], path]),
    [
      ['chain', undefined],
      ['entry', 'OTHER'],
      ['entry', 'OTHER/OTHER'],
    ],
  );
});

test('a lost chain that runs into a file ends before it', async (t) => {
  const volume = new FatBuilder({ bits: 16, clusters: 5000 });
  const cluster = volume.store(Buffer.alloc(1024, 'f'));
  volume.setRoot([shortSlot('FILE', { cluster, size: 1024 })]);
  volume.store(Buffer.alloc(1024, 'x'));
  volume.set(cluster + 3, cluster);
  const { filesystem } = await opened(volume.bytes);
  const [chain] = await recovered(filesystem);
  t.like(chain, { key: `chain-${cluster + 2}`, certainty: 'damaged', source: 'lost chain' });
  t.is(chain?.node.size, 1024);
  const node = chain!.node;
  if (node.kind !== 'file') return t.fail();
  t.is(Buffer.from(await readBytes(fileDevice(filesystem, node), 0, 1024)).toString(), 'x'.repeat(1024));
  return undefined;
});
