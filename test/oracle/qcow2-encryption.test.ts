import { copyFile, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { headerV3 } from '../../src/core/container/qcow2/header.ts';
import { openImage } from '../../src/core/index.ts';
import { hasTools, temporaryFolder, tool } from '../helpers/tools.ts';
import {
  type Access,
  compare,
  compareBytes,
  makeImage,
  mixedContent,
  qemuIo,
  randomCommands,
  sourceArguments,
} from './qcow2-images.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const LUKS: Access = { encryption: 'luks', passphrase: 'ein Paßwort mit Umlaut' };
const AES: Access = { encryption: 'aes', passphrase: 'old key' };

/** An encrypted image; `options` are those of its encryption and the others. */
async function makeEncrypted(
  image: string,
  access: Access,
  options: string,
  size: number,
  ...more: string[]
): Promise<void> {
  const { encryption, passphrase } = access;
  const quick = encryption === 'luks' ? ',encrypt.iter-time=10' : '';
  const all = `encrypt.format=${encryption},encrypt.key-secret=key${quick}${options === '' ? '' : `,${options}`}`;
  const key = ['--object', `secret,id=key,data=${passphrase}`];
  const create = ['create', '-q', '-f', 'qcow2', ...key, '-o', all, ...more, image, String(size)];
  await retried(() => tool('qemu-img', create));
}

/** qemu-img measures the speed of PBKDF2 by the ticks of the processor's clock, and gives up when it sees none go by. */
async function retried(action: () => Promise<unknown>): Promise<void> {
  for (let attempt = 0; attempt < 20; attempt++) {
    try {
      await action();
      return;
    } catch (error) {
      if (!String(error).includes('accurate CPU usage')) throw error;
    }
  }
  await action();
}

// To make one takes qemu-img two seconds and more, whatever iterations are asked for: few images, each with much that differs.
for (const [index, options] of [
  'encrypt.cipher-alg=aes-128,encrypt.hash-alg=sha512,extended_l2=on,cluster_size=16k',
  'encrypt.cipher-mode=cbc,encrypt.ivgen-alg=essiv,encrypt.ivgen-hash-alg=sha256,encrypt.hash-alg=sha1,cluster_size=512',
  'encrypt.cipher-mode=ecb,encrypt.hash-alg=ripemd160,cluster_size=2M,preallocation=metadata,data_file=DATA',
].entries()) {
  test(`qemu-img agrees: LUKS, ${options}`, async (t) => {
    if (!hasTools(t, 'qemu-img', 'qemu-io')) return;
    const image = path.join(temporaryFolder(t), 'image.qcow2');
    const size = (options.includes('2M') ? 6 : 2) * MIB + 37 * 512;
    await makeEncrypted(image, LUKS, options.replace('DATA', `${image}.data`), size);
    await qemuIo(image, randomCommands(1000 + index, size, { zeros: true, count: 16 }), LUKS);
    await compare(t, image, LUKS);
  });
}

for (const [index, options] of ['', 'cluster_size=512', 'compat=0.10,cluster_size=4k', 'extended_l2=on'].entries()) {
  test(`qemu-img agrees: the old AES, ${options === '' ? 'as it is by default' : options}`, async (t) => {
    if (!hasTools(t, 'qemu-img', 'qemu-io')) return;
    const image = path.join(temporaryFolder(t), 'image.qcow2');
    const size = 2 * MIB + 37 * 512;
    // Shorter than a key, as long and longer: filled up or cut.
    const access: Access = {
      encryption: 'aes',
      passphrase: ['a', '0123456789abcdef', 'longer than sixteen', 'é'][index]!,
    };
    await makeEncrypted(image, access, options, size);
    const zeros = !options.includes('0.10');
    await qemuIo(image, randomCommands(1100 + index, size, { zeros, count: 16 }), access);
    await compare(t, image, access);
  });
}

test('qemu-img agrees: compressed clusters of an encrypted image are not encrypted', async (t) => {
  if (!hasTools(t, 'qemu-img', 'qemu-io')) return;
  const size = 2 * MIB;
  // qemu-img does not make such an image: the header's encryption method is written into a compressed one.
  const recipe = { size, options: 'compat=1.1', compressed: true, zeros: false };
  const image = await makeImage(temporaryFolder(t), recipe, 1300);
  const bytes = await readFile(image);
  headerV3.write(bytes, { cryptMethod: 1 });
  await writeFile(image, bytes);
  await qemuIo(image, randomCommands(1301, size, { zeros: true, count: 6 }), AES);
  await compare(t, image, AES);
});

/** Any key slot opens a LUKS image, a wrong passphrase none. */
async function compareKeySlots(t: ExecutionContext, image: string): Promise<void> {
  const [, , ...opened] = sourceArguments(image, LUKS);
  const secrets = ['--object', `secret,id=key,data=${LUKS.passphrase}`, '--object', 'secret,id=new,data=second'];
  const added = 'encrypt.state=active,encrypt.new-secret=new,encrypt.keyslot=5,encrypt.iter-time=10';
  await retried(() => tool('qemu-img', ['amend', ...secrets, ...opened, '-o', added]));
  for (const passphrase of [LUKS.passphrase, 'second'])
    await compare(t, image, { encryption: 'luks', passphrase, rawDepth: 1 });
  await t.throwsAsync(openImage(image, { passphrase: 'third' }), { code: 'DENIED', message: /none of the 2 in use/ });
  await t.throwsAsync(openImage(image), { code: 'UNSUPPORTED', message: /LUKS/ });
}

for (const access of [LUKS, AES]) {
  test(`qemu-img agrees: ${access.encryption} over a plain backing file, with snapshots, and cut at its end`, async (t) => {
    if (!hasTools(t, 'qemu-img', 'qemu-io')) return;
    const folder = temporaryFolder(t);
    await writeFile(path.join(folder, 'base.raw'), mixedContent(MIB + 512, 5));
    const image = path.join(folder, 'image.qcow2');
    const size = 2 * MIB;
    await makeEncrypted(image, access, 'cluster_size=4k', size, '-b', 'base.raw', '-F', 'raw');
    await qemuIo(image, randomCommands(1200, size, { zeros: true, count: 10 }), access);
    const raw = path.join(folder, 'before.raw');
    await tool('qemu-img', ['convert', '-O', 'raw', ...sourceArguments(image, access), raw]);
    const before = await readFile(raw);
    await tool('qemu-img', ['snapshot', '-c', 'before', ...sourceArguments(image, access)]);
    await qemuIo(image, randomCommands(1201, size, { zeros: true, count: 10 }), access);
    await compare(t, image, { ...access, rawDepth: 1 });
    {
      await using opened = await openImage(image, { snapshot: 'before', passphrase: access.passphrase });
      await compareBytes(t, opened.container, before);
    }
    if (access === LUKS) await compareKeySlots(t, image);
    // The last cluster of the file, cut inside a sector: what is missing counts as zeros before it is decrypted.
    const cut = path.join(folder, 'cut.qcow2');
    await copyFile(image, cut);
    await qemuIo(cut, ['write -P 5 1900k 4k'], access);
    const { size: fileSize } = await stat(cut);
    await truncate(cut, fileSize - 1300);
    await tool('qemu-img', ['convert', '-O', 'raw', ...sourceArguments(cut, access), raw]);
    await using opened = await openImage(cut, { passphrase: access.passphrase });
    await compareBytes(t, opened.container, await readFile(raw));
    t.true(opened.diagnostics.some(({ message }) => message.includes('ends inside a data cluster')));
  });
}
