import { copyFile, mkdir, readFile, realpath, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { headerV3 } from '../../../../src/core/container/qcow2/header.ts';
import { extensionHead } from '../../../../src/core/container/qcow2/header-extensions.ts';
import {
  type BlockDevice,
  DiskError,
  FileDevice,
  isContainer,
  leafExtents,
  type OpenOptions,
  openImage,
  readBytes,
} from '../../../../src/core/index.ts';
import { collect } from '../../../helpers/collect.ts';
import { fixtureBytes, fixtureFile } from '../../../helpers/fixtures.ts';
import { sha256 } from '../../../helpers/sha256.ts';
import { temporaryFolder } from '../../../helpers/tools.ts';
import { qcow2Facts } from './fixture-images.ts';

/** A qcow2 image in `folder` whose backing file is called `backingName`, declared as `format`. */
async function overlay(folder: string, name: string, backingName: string, format = 'qcow2'): Promise<string> {
  const bytes = (await fixtureBytes('qcow2/chain-top.qcow2')).slice();
  const { headerLength } = headerV3.parse(bytes);
  bytes.fill(0, headerLength, 65536);
  const encoded = Buffer.from(format);
  extensionHead.write(bytes, { type: 0xe2792aca, length: encoded.length }, headerLength);
  bytes.set(encoded, headerLength + 8);
  const place = Buffer.from(backingName);
  headerV3.write(bytes, { backingFileOffset: 0x400, backingFileSize: place.length });
  bytes.set(place, 0x400);
  const file = path.join(folder, name);
  await writeFile(file, bytes);
  return file;
}

async function chainFolder(t: ExecutionContext): Promise<string> {
  const folder = temporaryFolder(t);
  for (const name of ['chain-top.qcow2', 'chain-middle.qcow2', 'chain-base.raw'])
    await fixtureFile(`qcow2/${name}`, folder);
  return folder;
}

async function refusal(t: ExecutionContext, file: string, options?: OpenOptions): Promise<DiskError> {
  const error = await t.throwsAsync(openImage(file, options), { instanceOf: DiskError });
  return error!;
}

test('a chain of files opens, reads as qemu-img does, and is not changed', async (t) => {
  const folder = await chainFolder(t);
  const files = ['chain-top.qcow2', 'chain-middle.qcow2', 'chain-base.raw'].map((name) => path.join(folder, name));
  const state = () =>
    Promise.all(files.map(async (file) => [(await readFile(file)).toString('base64'), (await stat(file)).mtimeMs]));
  const before = await state();
  {
    await using image = await openImage(files[0]!);
    t.is(await sha256(image.container), (await qcow2Facts('chain-top.qcow2')).sha256);
    t.is(image.container.backing?.name, 'chain-middle.qcow2');
  }
  t.deepEqual(await state(), before);
});

test('an image that is its own backing file is CORRUPT', async (t) => {
  const folder = temporaryFolder(t);
  const error = await refusal(t, await overlay(folder, 'a.qcow2', 'a.qcow2'));
  t.is(error.code, 'CORRUPT');
  t.is(error.expected, 'a chain that ends');
  t.true(error.offset! >= 104, 'where the name stands in the image, behind the header');
});

test('two images that back each other, by whatever name, are CORRUPT', async (t) => {
  const folder = temporaryFolder(t);
  await overlay(folder, 'a.qcow2', './b.qcow2');
  const error = await refusal(t, await overlay(folder, 'b.qcow2', 'file:a.qcow2'));
  t.is(error.code, 'CORRUPT');
  t.is(error.expected, 'a chain that ends');
});

test('a chain of more than 200 images is refused', async (t) => {
  const folder = temporaryFolder(t);
  const first = await overlay(folder, '0.qcow2', '1.qcow2');
  const second = await overlay(folder, '1.qcow2', '2.qcow2');
  const bytes = await readFile(second);
  for (let number = 2; number <= 201; number++) {
    bytes.write(`${number + 1}.qcow2`.padEnd(16, '\0'), 0x400, 'latin1');
    bytes.writeUInt32BE(`${number + 1}.qcow2`.length, headerV3.fields.backingFileSize.offset);
    await writeFile(path.join(folder, `${number}.qcow2`), bytes.subarray(0, 0x60000));
  }
  const error = await refusal(t, first);
  t.is(error.code, 'CORRUPT');
  t.is(error.expected, 'a chain of at most 200 images');
});

test('the declared format decides: a base declared raw is not looked into; declared qcow2 it must be one; unknown is UNSUPPORTED', async (t) => {
  const folder = await chainFolder(t);
  await using image = await openImage(await overlay(folder, 'raw.qcow2', 'chain-middle.qcow2', 'raw'));
  const below = image.container.backing!.device;
  t.is(isContainer(below) ? below.format : undefined, 'raw');
  const wrong = await refusal(t, await overlay(folder, 'wrong.qcow2', 'chain-base.raw', 'qcow2'));
  t.is(wrong.code, 'CORRUPT');
  const unknown = await refusal(t, await overlay(folder, 'unknown.qcow2', 'chain-base.raw', 'vmdk'));
  t.is(unknown.code, 'UNSUPPORTED');
  t.is(unknown.found, 'vmdk');
});

test('the policy holds: outside the folder DENIED, missing NOT_FOUND, a protocol UNSUPPORTED, all opens when allowed', async (t) => {
  const folder = await chainFolder(t);
  const below = path.join(folder, 'below');
  await mkdir(below);
  const outside = await overlay(below, 'outside.qcow2', '../chain-middle.qcow2');
  t.is((await refusal(t, outside)).code, 'DENIED');
  t.is((await refusal(t, outside, { references: 'none' })).code, 'DENIED');
  await using image = await openImage(outside, { allowReferences: [folder] });
  t.is(image.container.backing?.name, '../chain-middle.qcow2');
  t.is((await refusal(t, await overlay(folder, 'gone.qcow2', 'gone.raw'))).code, 'NOT_FOUND');
  t.is((await refusal(t, await overlay(folder, 'net.qcow2', 'nbd://localhost/x'))).code, 'UNSUPPORTED');
  t.is((await refusal(t, await overlay(folder, 'json.qcow2', 'json:{"driver":"raw"}'))).code, 'UNSUPPORTED');
  t.is((await refusal(t, await overlay(folder, 'nul.qcow2', 'chain-middle.qcow2\0'))).code, 'UNSUPPORTED');
  await copyFile(path.join(folder, 'chain-middle.qcow2'), path.join(folder, 'ünï.qcow2'));
  await using unicode = await openImage(await overlay(folder, 'unicode.qcow2', 'ünï.qcow2'));
  t.is(unicode.container.backing?.name, 'ünï.qcow2');
});

/** A qcow2 image in `folder` whose external data file is called `dataName`. */
async function external(folder: string, name: string, dataName: string): Promise<string> {
  const bytes = (await fixtureBytes('qcow2/external.qcow2')).slice();
  const { headerLength } = headerV3.parse(bytes);
  bytes.fill(0, headerLength, 65536);
  const encoded = Buffer.from(dataName);
  extensionHead.write(bytes, { type: 0x44415441, length: encoded.length }, headerLength);
  bytes.set(encoded, headerLength + 8);
  const file = path.join(folder, name);
  await writeFile(file, bytes);
  return file;
}

test('protocols and pseudo-protocols are refused by name, for backing files and data files', async (t) => {
  const folder = await chainFolder(t);
  for (const name of [
    'json:{"driver":"qcow2","file":{"driver":"file","filename":"chain-base.raw"}}',
    'nbd://localhost/x',
    'nbd:localhost:10809',
    'http://localhost/base.qcow2',
    'https://localhost/base.qcow2',
    'fat:rw:.',
    'ssh://host/image',
    'host_device:/dev/sda',
  ]) {
    for (const [kind, image] of [
      ['backing file', await overlay(folder, 'protocol.qcow2', name)],
      ['data file', await external(folder, 'external.qcow2', name)],
    ] as const) {
      const error = await refusal(t, image);
      t.is(error.code, 'UNSUPPORTED', name);
      t.is(error.structure, `${kind} ${name}`);
      t.is(error.found, `the protocol ${name.split(':')[0]}`);
      t.true(error.offset! >= 104);
    }
  }
});

test('a data file: never probed, beside the image only, and not the image itself', async (t) => {
  const folder = await chainFolder(t);
  const data = await fixtureFile('qcow2/external.raw', folder);
  // A guest wrote the header of a qcow2 image with a backing file into its disk: it is data all the same.
  const evil = await readFile(data);
  (await readFile(await overlay(folder, 'evil.qcow2', '/etc/passwd', 'raw'))).copy(evil, 0, 0, 65536);
  await writeFile(path.join(folder, 'evil.raw'), evil);
  {
    await using image = await openImage(await external(folder, 'external.qcow2', 'evil.raw'));
    t.is(await bytesAt(image.container, 0, 4), 'QFI\xfb');
    t.is(image.container.backing, undefined);
    const [first] = await collect(leafExtents(image.container, { start: 0, length: 65536 }));
    if (first?.kind !== 'data' || !(first.source instanceof FileDevice)) return t.fail(first?.kind);
    t.is(first.source.path, path.join(await realpath(folder), 'evil.raw'));
    t.is(first.depth, 0, 'a data file is no layer of its own');
  }
  t.is((await refusal(t, await external(folder, 'self.qcow2', 'self.qcow2'))).expected, 'a chain that ends');
  t.is((await refusal(t, await external(folder, 'gone.qcow2', 'gone.raw'))).code, 'NOT_FOUND');
  t.is((await refusal(t, await external(folder, 'out.qcow2', '/etc/passwd'))).code, 'DENIED');
  const none = await refusal(t, await external(folder, 'none.qcow2', 'external.raw'), { references: 'none' });
  t.is(none.code, 'DENIED');
});

async function bytesAt(device: BlockDevice, offset: number, length: number): Promise<string> {
  return Buffer.from(await readBytes(device, offset, length)).toString('latin1');
}

test('a snapshot is one of the image that was asked for; a passphrase is offered to its backing file too', async (t) => {
  const folder = temporaryFolder(t);
  await fixtureFile('qcow2/snapshot.qcow2', folder);
  await fixtureFile('qcow2/luks.qcow2', folder);
  const top = await overlay(folder, 'top.qcow2', 'snapshot.qcow2');
  t.is((await refusal(t, top, { snapshot: '1' })).code, 'NOT_FOUND');
  const locked = await overlay(folder, 'locked.qcow2', 'luks.qcow2');
  t.is((await refusal(t, locked)).found, 'LUKS encryption');
  t.is((await refusal(t, locked, { passphrase: 'wrong' })).code, 'DENIED');
  await using over = await openImage(locked, { passphrase: 'swordfish', layer: 1 });
  t.is(await bytesAt(over.disk, 0, 1), '1');
  await using image = await openImage(path.join(folder, 'snapshot.qcow2'), { snapshot: 'before the change' });
  t.is(await bytesAt(image.disk, 0, 1), '\xcc');
  await using opened = await openImage(path.join(folder, 'luks.qcow2'), { passphrase: 'swordfish' });
  t.is(await bytesAt(opened.disk, 0, 1), '1');
});

test('an error of a layer says which file it is about, when it opens and when it is read', async (t) => {
  const folder = await chainFolder(t);
  const middle = path.join(await realpath(folder), 'chain-middle.qcow2');
  const sound = await readFile(middle);
  const { l1TableOffset } = headerV3.parse(sound);
  const l2TableOffset = Number(sound.readBigUInt64BE(l1TableOffset) % 2n ** 56n);
  const damaged = Buffer.from(sound);
  // Every entry of the first L2 table points into the middle of a cluster.
  for (let at = l2TableOffset; at < l2TableOffset + 4096; at += 8) damaged.writeBigUInt64BE(2n ** 63n + 512n, at);
  await writeFile(middle, damaged);
  await using image = await openImage(path.join(folder, 'chain-top.qcow2'));
  const range = { start: 0, length: image.disk.size };
  for (const read of [readBytes(image.disk, 0, image.disk.size), collect(leafExtents(image.container, range))]) {
    const error = await t.throwsAsync(read as Promise<unknown>, { instanceOf: DiskError, code: 'CORRUPT' });
    t.is(error?.file, middle);
    t.true(error?.message.startsWith(`${middle}: qcow2: L2 table entry`), error?.message);
    t.like(error?.toJSON(), { layer: 'qcow2', file: middle });
  }
  await writeFile(middle, Buffer.alloc(65536, 1));
  const error = await refusal(t, path.join(folder, 'chain-top.qcow2'));
  t.is(error.file, middle);
  t.deepEqual(error.remedies, ['leaveBackingOut']);
});
