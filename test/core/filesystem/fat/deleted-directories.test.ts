import test from 'ava';
import { resolvePath, walk } from '../../../../src/core/index.ts';
import { deletedSlots, FatBuilder, shortSlot } from './fat-builder.ts';
import { opened } from './open-fat.ts';

const DIRECTORY = 0x10;

/** A volume whose clusters 2 to 1 + `count` were directories; what stands in each behind the dots is told. */
function volumeWith(count: number, content: (cluster: number) => readonly Uint8Array[]): FatBuilder {
  const volume = new FatBuilder({ bits: 16, clusters: 4200 });
  for (let cluster = 2; cluster < 2 + count; cluster++) {
    const dots = [shortSlot('.', { attributes: DIRECTORY, cluster }), shortSlot('..', { attributes: DIRECTORY })];
    const stored = volume.store(Buffer.concat([...dots, ...content(cluster)]));
    if (stored !== cluster) throw new Error(`stored at ${stored}`);
  }
  for (let cluster = 2; cluster < 2 + count; cluster++) volume.set(cluster, 0);
  volume.setRoot(deletedSlots([shortSlot('TOP', { attributes: DIRECTORY, cluster: 2 })]));
  return volume;
}

async function listed(volume: FatBuilder): Promise<string[]> {
  const { filesystem } = await opened(volume.bytes);
  const found: string[] = [];
  for await (const { path, entry } of walk(filesystem, filesystem.rootId, { deleted: true })) {
    if (!entry.deleted) throw new Error(`${path} is not deleted`);
    found.push(path);
  }
  return found;
}

test('what lies below a deleted directory is deleted, whatever its own entries say', async (t) => {
  const volume = volumeWith(2, (cluster) =>
    cluster === 2
      ? [shortSlot('SUB', { attributes: DIRECTORY, cluster: 3 }), shortSlot('FILE', { size: 5, cluster: 9 })]
      : [shortSlot('LEAF', { size: 0 })],
  );
  t.deepEqual(await listed(volume), ['/_OP', '/_OP/SUB', '/_OP/FILE', '/_OP/SUB/LEAF']);
  const { filesystem } = await opened(volume.bytes);
  const { node, deleted } = await resolvePath(filesystem, '/_OP/FILE', { deleted: true });
  t.true(deleted && node.deleted);
  // As `FormerClusters` has it: a chain of a live file would be broken.
  if (node.kind === 'file') for await (const extent of node.extents({ start: 0, length: 5 })) t.is(extent.kind, 'data');
  await t.throwsAsync(resolvePath(filesystem, '/_OP/FILE'), { code: 'NOT_FOUND' });
});

test('a deleted directory whose place is something else by now is listed and not entered', async (t) => {
  const volume = volumeWith(1, () => [shortSlot('INSIDE')]);
  t.deepEqual(await listed(volume), ['/_OP', '/_OP/INSIDE']);
  volume.bytes[volume.clusterOffset(2)] = 0x41;
  t.deepEqual(await listed(volume), ['/_OP']);
});

test('deleted directories that lead to each other again and again are entered once each', async (t) => {
  const slots = (512 - 64) / 32;
  const volume = volumeWith(20, () =>
    Array.from({ length: slots }, (_, at) => shortSlot(`D${at}`, { attributes: DIRECTORY, cluster: 2 + at })),
  );
  t.is((await listed(volume)).length, 1 + slots * slots);
});
