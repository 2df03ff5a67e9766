import { mkdir, realpath, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { createImage, DiskError, openImage, type ReferencePolicy } from '../../src/core/index.ts';
import { isNetworkName, referenceError, resolveReference } from '../../src/core/references.ts';
import { temporaryFolder } from '../helpers/tools.ts';

/** images/top.qcow2 with a file beside, one below, one in another folder, and links between them. */
async function layout(t: ExecutionContext) {
  const root = await realpath(temporaryFolder(t));
  const at = (...parts: string[]) => path.join(root, ...parts);
  for (const folder of ['images', 'images/below', 'images-other', 'outside']) await mkdir(at(folder));
  for (const file of [
    'images/top.qcow2',
    'images/base.img',
    'images/below/deep.img',
    'images-other/base.img',
    'outside/secret',
  ])
    await writeFile(at(file), 'x');
  await symlink(at('outside/secret'), at('images/escape'));
  await symlink(at('outside'), at('images/escape-folder'));
  await symlink('below/deep.img', at('images/inner-link'));
  await symlink(at('images/top.qcow2'), at('outside/top-link'));
  return at;
}

async function resolve(name: string, image: string | undefined, policy: ReferencePolicy = {}): Promise<string> {
  return (await resolveReference({ kind: 'backing file', name, format: undefined }, image, policy)).path;
}

async function codeOf(promise: Promise<string>): Promise<string> {
  try {
    return `opened ${await promise}`;
  } catch (error) {
    return error instanceof DiskError ? error.code : String(error);
  }
}

test('by default: regular names beside the image and below, links resolved', async (t) => {
  const at = await layout(t);
  const image = at('images/top.qcow2');
  for (const [name, target] of [
    ['base.img', 'images/base.img'],
    ['./below/../base.img', 'images/base.img'],
    ['below/deep.img', 'images/below/deep.img'],
    ['inner-link', 'images/below/deep.img'],
    ['file:base.img', 'images/base.img'],
    ['../images/base.img', 'images/base.img'],
    ['top.qcow2', 'images/top.qcow2'],
  ] as const) {
    t.is(await codeOf(resolve(name, image)), `opened ${at(target)}`, name);
  }
  t.is(await resolve(at('images/base.img'), image), at('images/base.img'));
  t.is(
    await resolve('base.img', at('outside/top-link')),
    at('images/base.img'),
    'beside the image itself, not the link to it',
  );
});

test('outside, by any way out, is DENIED and says so', async (t) => {
  const at = await layout(t);
  const image = at('images/top.qcow2');
  for (const name of [
    '../outside/secret',
    at('outside/secret'),
    'escape',
    'escape-folder/secret',
    '../images-other/base.img',
    'below/../../outside/secret',
    '/',
    '..',
  ]) {
    t.is(await codeOf(resolve(name, image)), 'DENIED', name);
  }
  const error = await t.throwsAsync(resolve('escape', image), { instanceOf: DiskError });
  t.regex(error?.message ?? '', /backing file escape: expected a file in .*images or below/);
});

test('a missing file is NOT_FOUND', async (t) => {
  const at = await layout(t);
  t.is(await codeOf(resolve('missing.img', at('images/top.qcow2'))), 'NOT_FOUND');
});

test('files and folders that are allowed by name open; their neighbours do not', async (t) => {
  const at = await layout(t);
  const image = at('images/top.qcow2');
  const file = { allowReferences: [at('outside/secret')] };
  t.is(await resolve('escape', image, file), at('outside/secret'));
  t.is(await codeOf(resolve('../images-other/base.img', image, file)), 'DENIED');
  t.is(await resolve('escape', image, { allowReferences: [at('outside')] }), at('outside/secret'));
  t.is(await codeOf(resolve('../images-other/base.img', image, { allowReferences: [at('images')] })), 'DENIED');
});

test('an allowed name that is not there is told as such, not as the file that the image names', async (t) => {
  const at = await layout(t);
  const reference = { kind: 'backing file', name: '../elsewhere.img', format: undefined, offset: 0 } as const;
  await writeFile(at('elsewhere.img'), 'x');
  const policy = { allowReferences: [at('nowhere')] };
  const error = await t.throwsAsync(resolveReference(reference, at('images/top.qcow2'), policy));
  t.is(referenceError(error, reference), error);
  t.regex(String(error), /reference: allowed by name: .*nowhere: found no such file/);
});

test('none refuses everything, allowed or not, without looking', async (t) => {
  const at = await layout(t);
  const policy: ReferencePolicy = { references: 'none', allowReferences: [at('images')] };
  for (const name of ['base.img', 'missing.img', 'nbd://host']) {
    t.is(await codeOf(resolve(name, at('images/top.qcow2'), policy)), 'DENIED', name);
  }
});

test('protocols and NUL are refused by name', async (t) => {
  const at = await layout(t);
  const image = at('images/top.qcow2');
  for (const name of [
    'nbd://localhost/x',
    'json:{"driver":"file"}',
    'https://host/base.img',
    'file:///etc/passwd',
    'fat:rw:.',
    'base.img\0',
    'host_device:/dev/sda',
  ]) {
    t.is(await codeOf(resolve(name, image)), 'UNSUPPORTED', name);
  }
  const error = await t.throwsAsync(resolve('nbd://h', image), { instanceOf: DiskError });
  t.regex(error?.message ?? '', /found the protocol nbd/);
  await writeFile(at('images/a'), 'x');
  t.is(await codeOf(resolve('./a:b', image)), 'NOT_FOUND', 'a colon after a slash is part of a name');
});

test('a name in the error is escaped', async (t) => {
  const at = await layout(t);
  const error = await t.throwsAsync(resolve('\u001b[2J', at('images/top.qcow2')), { instanceOf: DiskError });
  t.notRegex(error?.message ?? '', /\p{Cc}/u);
  const told = referenceError(error, { kind: 'backing file', name: '\u001b[2J', format: undefined, offset: 0 });
  t.regex(String(told), /backing file \\x1b\[2J .*expected the file .*\/\\x1b\[2J, /, 'once, not twice');
});

test('an image in no folder has nothing beside it: only an absolute name that is allowed opens', async (t) => {
  const at = await layout(t);
  const policy = { allowReferences: [at('images')] };
  t.is(await codeOf(resolve('base.img', undefined, policy)), 'DENIED');
  t.is(await codeOf(resolve(at('images/base.img'), undefined)), 'DENIED');
  t.is(await codeOf(resolve(at('outside/secret'), undefined, policy)), 'DENIED');
  t.is(await codeOf(resolve(at('images/base.img'), undefined, policy)), `opened ${at('images/base.img')}`);
});

test('the names of other machines and of devices are known on Windows, where looking them up has an effect', (t) => {
  for (const name of ['\\\\host\\share\\a', '//host/share/a', '\\\\?\\C:\\a', '\\\\.\\PhysicalDrive0', '\\/host/a']) {
    t.true(isNetworkName(name, 'win32'), name);
    t.false(isNetworkName(name, 'linux'), name);
  }
  for (const name of ['C:\\a', 'a\\b', '\\a', '/a', '.\\a', 'a//b']) t.false(isNetworkName(name, 'win32'), name);
});

test('an image opened by a link in another folder says which file QEMU would take instead', async (t) => {
  const at = await layout(t);
  const [here, there] = [at('images/named.qcow2'), at('outside/named.qcow2')];
  await createImage(at('images/below.raw'), { format: 'raw', size: 4096 });
  await createImage(here, { format: 'qcow2', backing: { name: 'below.raw', format: 'raw' } });
  await symlink(here, there);
  const diagnosticsOf = async (name: string) => {
    await using image = await openImage(name);
    return image.diagnostics.map(({ message }) => message);
  };
  t.deepEqual(await diagnosticsOf(there), [], 'nothing lies beside the link');
  await createImage(at('outside/below.raw'), { format: 'raw', size: 8192 });
  t.deepEqual(await diagnosticsOf(here), []);
  t.regex((await diagnosticsOf(there)).join(), /^QEMU would take .*outside\/below\.raw, beside the link/);
});
