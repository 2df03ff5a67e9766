import { rename, symlink } from 'node:fs/promises';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { DiskError, type Image, openImage, parseLocator, type View } from '../../src/core/index.ts';
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
  await t.throwsAsync(openImage(raw, { layer: 1 }), { code: 'NOT_FOUND', message: /no backing layer/ });
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

function messages(image: Image): string {
  return image.notices.map(({ message }) => message).join('\n');
}
