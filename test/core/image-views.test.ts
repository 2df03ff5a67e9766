import { rename, symlink } from 'node:fs/promises';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { ImageViews } from '../../src/core/image-views.ts';
import {
  type Container,
  DiskError,
  formatView,
  type Image,
  openImage,
  parseLocator,
  type Snapshot,
  type View,
} from '../../src/core/index.ts';
import { fixtureFacts, fixtureFile } from '../helpers/fixtures.ts';
import { sha256 } from '../helpers/sha256.ts';
import { temporaryFolder } from '../helpers/tools.ts';

const CHAIN = ['chain-top.qcow2', 'chain-middle.qcow2', 'chain-base.raw'];

async function chain(t: ExecutionContext): Promise<{ readonly folder: string; readonly top: string }> {
  const folder = temporaryFolder(t);
  for (const name of CHAIN) await fixtureFile(`qcow2/${name}`, folder);
  return { folder, top: path.join(folder, CHAIN[0]!) };
}

async function hashOf(name: string): Promise<string> {
  return (await fixtureFacts<{ readonly sha256: string }>(`qcow2/${name}`)).sha256;
}

const layer = (number: number): View => ({ kind: 'layer', layer: number });

test('each layer of a chain is an image of its own, from outside and from the open image', async (t) => {
  const { top } = await chain(t);
  await using image = await openImage(top);
  t.deepEqual(
    image.views.map(({ view }) => view),
    [layer(1), layer(2)],
  );
  t.is(await image.openView(layer(0)), image);
  for (const [number, name] of CHAIN.entries()) {
    const expected = await hashOf(name);
    const view = await image.openView(layer(number));
    t.is(await sha256(view.disk), expected, name);
    await using direct = await openImage(top, { layer: number });
    t.is(await sha256(direct.disk), expected, name);
    t.is(direct.layers.length, CHAIN.length - number);
  }
  t.is(await image.openView(layer(2)), await image.openView(layer(2)));
});

test('a layer that is not there is NOT_FOUND and says how many there are', async (t) => {
  const { top, folder } = await chain(t);
  const message = /expected layers 0 to 2, found layer 3/;
  await t.throwsAsync(openImage(top, { layer: 3 }), { instanceOf: DiskError, code: 'NOT_FOUND', message });
  const raw = path.join(folder, CHAIN[2]!);
  await t.throwsAsync(openImage(raw, { layer: 1 }), {
    code: 'NOT_FOUND',
    message: /a backing layer, which this image does not have/,
  });
  await using image = await openImage(top);
  await t.throwsAsync(image.openView(layer(3)), { code: 'NOT_FOUND', message });
  const view = await image.openView(layer(1));
  await t.throwsAsync(view.openView(layer(1)), { code: 'NOT_FOUND', message: /layer=1/ });
  t.is(await view.openView(layer(0)), view);
});

test('a locator leads into a view, and what it finds knows where it lies', async (t) => {
  const { top } = await chain(t);
  await using image = await openImage(top);
  const target = await image.resolve(parseLocator('layer=2'));
  t.is(target.image, await image.openView(layer(2)));
  t.is(target.image.volumes[0]?.name, 'layer=2/');
  const error = await t.throwsAsync(image.resolve(parseLocator('layer=2/p1')), { instanceOf: DiskError });
  t.regex(String(error?.message), /layer=2\/p1/);
});

test('what was opened for a name in the image is told with the rule that allowed it', async (t) => {
  const { top, folder } = await chain(t);
  {
    await using image = await openImage(top);
    const facts = image.references.map(({ kind, name, path: found, format, rule, opened }) => ({
      kind,
      name,
      found,
      format,
      rule,
      opened,
    }));
    const common = { kind: 'backing file' as const, rule: 'beside the image', opened: true };
    t.deepEqual(facts, [
      { ...common, name: CHAIN[1]!, found: path.join(folder, CHAIN[1]!), format: 'qcow2' },
      { ...common, name: CHAIN[2]!, found: path.join(folder, CHAIN[2]!), format: 'raw' },
    ]);
  }
  const apart = temporaryFolder(t);
  await rename(path.join(folder, CHAIN[2]!), path.join(apart, CHAIN[2]!));
  await symlink(path.join(apart, CHAIN[2]!), path.join(folder, CHAIN[2]!));
  await t.throwsAsync(openImage(top), { code: 'DENIED' });
  await using image = await openImage(top, { allowReferences: [apart] });
  t.like(image.references[1], { path: path.join(apart, CHAIN[2]!), rule: `allowed by name: ${apart}` });
});

test('without its backing file an image opens when asked to, and says what that means', async (t) => {
  const folder = temporaryFolder(t);
  const top = await fixtureFile(`qcow2/${CHAIN[0]!}`, folder);
  await t.throwsAsync(openImage(top), { code: 'NOT_FOUND' });
  await using image = await openImage(top, { backing: 'none' });
  t.like(image.references[0], { name: CHAIN[1], opened: false, rule: 'left out, as asked' });
  t.regex(messages(image), /chain-middle\.qcow2 was left out: .* reads as zeros/);
  const bytes = new Uint8Array(0x6000);
  await image.disk.readInto(bytes, 0x10000);
  t.true(bytes.every((byte) => byte === 0));
});

test('each snapshot is an image of its own, by its name and by its ID, opened once', async (t) => {
  const file = await fixtureFile('qcow2/snapshot.qcow2', temporaryFolder(t));
  await using image = await openImage(file);
  t.deepEqual(
    image.views.map(({ view }) => formatView(view)),
    ['snapshot=before the change', 'snapshot=after it'],
  );
  const present = await sha256(image.disk);
  const hashes = [];
  for (const [id, name] of [
    ['1', 'before the change'],
    ['2', 'after it'],
  ] as const) {
    const view = await image.openView({ kind: 'snapshot', snapshot: name });
    t.is(await image.openView({ kind: 'snapshot', snapshot: id }), view);
    t.deepEqual(view.view, { kind: 'snapshot', snapshot: name });
    await using direct = await openImage(file, { snapshot: id });
    hashes.push(await sha256(view.disk));
    t.is(hashes.at(-1), await sha256(direct.disk));
  }
  t.deepEqual([hashes[0] === present, hashes[1] === present], [false, true]);
  const message = /one of snapshot=before the change, snapshot=after it, found none/;
  await t.throwsAsync(image.openView({ kind: 'snapshot', snapshot: 'none' }), { code: 'NOT_FOUND', message });
  await t.throwsAsync(openImage(file, { snapshot: '1', layer: 1 }), { code: 'UNSUPPORTED' });
});

/** Views over a container that says it has these snapshots; a view that is opened is a name. */
function viewsOver(snapshots: readonly Partial<Snapshot>[]) {
  const opened: string[] = [];
  const open = async (view: View): Promise<Image> => {
    opened.push(formatView(view));
    return { view } as Image;
  };
  const container = { snapshots, properties: [] } as Partial<Container> as Container;
  const views = new ImageViews({ container, openState: open, openLayer: open });
  return { views, opened };
}

test('snapshots that share a name, or have none, are told by their IDs', async (t) => {
  const { views } = viewsOver([
    { id: '1', name: 'same' },
    { id: '2', name: 'same' },
    { id: '3', name: '' },
    { id: '4', name: '1' },
    { id: '5', name: '5' },
    { id: '6', name: 'own' },
  ]);
  const names = views.list().map(({ view }) => formatView(view));
  t.deepEqual(
    names.map((name) => name.slice('snapshot='.length)),
    ['1', '2', '3', '4', '5', 'own'],
  );
  const open = async (snapshot: string) => (await views.open({ kind: 'snapshot', snapshot })).view;
  t.deepEqual(await open('1'), { kind: 'snapshot', snapshot: '1' });
  const message = /expected one ID, such as snapshot=1, snapshot=2.*found \d snapshots named same/;
  await t.throwsAsync(open('same'), { code: 'NOT_FOUND', message });
  t.deepEqual(await open('6'), { kind: 'snapshot', snapshot: 'own' });
});

test('a layer that is opened as the disk has its layers as views, and not the snapshots of the image above', async (t) => {
  const { top, folder } = await chain(t);
  const middle = path.join(folder, CHAIN[1]!);
  const snapshots = await fixtureFile('qcow2/snapshot.qcow2', folder);
  await rename(snapshots, middle);
  await using image = await openImage(top, { layer: 1 });
  t.is(image.container.snapshots?.length, 2);
  t.deepEqual(image.views, []);
  await t.throwsAsync(image.openView({ kind: 'snapshot', snapshot: '1' }), { code: 'NOT_FOUND' });
  await t.throwsAsync(image.openView({ kind: 'log', log: 'ignore' }), { code: 'NOT_FOUND' });
});

test('so many views are open at once and no more; one that fails is tried again', async (t) => {
  const { views, opened } = viewsOver(
    Array.from({ length: 40 }, (_, index) => ({ id: `${index}`, name: `n${index}` })),
  );
  for (let index = 0; index < 32; index++) await views.open({ kind: 'snapshot', snapshot: `n${index}` });
  await views.open({ kind: 'snapshot', snapshot: 'n0' });
  t.is(opened.length, 32);
  await t.throwsAsync(views.open({ kind: 'snapshot', snapshot: 'n33' }), {
    code: 'OUT_OF_RANGE',
    message: /at most 32/,
  });
  await t.throwsAsync(views.open({ kind: 'snapshot', snapshot: 'n99' }), { code: 'NOT_FOUND', message: /and 30 more/ });
});

test('the files that an image is made of are known, whatever path leads to them', async (t) => {
  const { top, folder } = await chain(t);
  await using image = await openImage(top);
  const link = path.join(folder, 'link');
  await symlink(path.join(folder, CHAIN[2]!), link);
  for (const file of [top, link, path.join(folder, CHAIN[1]!)]) t.true(await image.hasFile(file), file);
  for (const file of [folder, path.join(folder, 'missing')]) t.false(await image.hasFile(file), file);
});

function messages(image: Image): string {
  return image.notices.map(({ message }) => message).join('\n');
}
