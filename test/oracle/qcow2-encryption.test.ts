import { copyFile, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { openImage } from '../../src/core/index.ts';
import { hasTools, temporaryFolder, tool } from '../helpers/tools.ts';
import {
  type Access,
  compare,
  compareBytes,
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
  const create = () =>
    tool('qemu-img', ['create', '-q', '-f', 'qcow2', ...key, '-o', all, ...more, image, String(size)]);
  // qemu-img measures the speed of PBKDF2 by the ticks of the processor's clock, and gives up when it sees none go by.
  for (let attempt = 0; attempt < 20; attempt++) {
    try {
      await create();
      return;
    } catch (error) {
      if (!String(error).includes('accurate CPU usage')) throw error;
    }
  }
  await create();
}

for (const [index, options] of [
  '',
  'cluster_size=512',
  'cluster_size=2M,encrypt.hash-alg=sha1',
  'encrypt.cipher-alg=aes-128,encrypt.hash-alg=sha512',
  'encrypt.cipher-mode=cbc,encrypt.ivgen-alg=essiv,encrypt.ivgen-hash-alg=sha256,encrypt.hash-alg=ripemd160',
  'encrypt.cipher-mode=cbc,encrypt.ivgen-alg=plain,cluster_size=4k',
  'encrypt.cipher-mode=ecb,encrypt.hash-alg=sha224',
  'encrypt.ivgen-alg=essiv,encrypt.ivgen-hash-alg=sha256,encrypt.hash-alg=sha384',
  'extended_l2=on,cluster_size=16k',
  'preallocation=metadata',
  'compat=0.10',
].entries()) {
  test(`qemu-img agrees: LUKS, ${options === '' ? 'as it is by default' : options}`, async (t) => {
    if (!hasTools(t, 'qemu-img', 'qemu-io')) return;
    const image = path.join(temporaryFolder(t), 'image.qcow2');
    const size = Math.max(2 * MIB, options.includes('2M') ? 6 * MIB : 0) + 37 * 512;
    const zeros = !options.includes('0.10');
    await makeEncrypted(image, LUKS, options, size);
    await qemuIo(image, randomCommands(1000 + index, size, { zeros, count: 16 }), LUKS);
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
    await tool('qemu-img', ['snapshot', '-c', 'before', ...imageOptions(image, access)]);
    await qemuIo(image, randomCommands(1201, size, { zeros: true, count: 10 }), access);
    await compare(t, image, { ...access, rawDepth: 1 });
    {
      await using opened = await openImage(image, { snapshot: 'before', passphrase: access.passphrase });
      await compareBytes(t, opened.container, before);
    }
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

/** `qemu-img snapshot` takes its image by options alone. */
function imageOptions(image: string, access: Access): string[] {
  return sourceArguments(image, access);
}

test('any key slot opens a LUKS image, a wrong passphrase none', async (t) => {
  if (!hasTools(t, 'qemu-img', 'qemu-io')) return;
  const image = path.join(temporaryFolder(t), 'image.qcow2');
  await makeEncrypted(image, LUKS, '', MIB);
  await qemuIo(image, ['write -P 77 0 1M'], LUKS);
  const secrets = ['--object', `secret,id=key,data=${LUKS.passphrase}`, '--object', 'secret,id=new,data=second'];
  const added = 'encrypt.state=active,encrypt.new-secret=new,encrypt.keyslot=5,encrypt.iter-time=10';
  const [, , ...opened] = sourceArguments(image, LUKS);
  await tool('qemu-img', ['amend', ...secrets, ...opened, '-o', added]);
  for (const passphrase of [LUKS.passphrase, 'second']) {
    await using found = await openImage(image, { passphrase });
    const target = new Uint8Array(MIB);
    await found.container.readInto(target, 0);
    t.true(target.every((byte) => byte === 77));
  }
  await t.throwsAsync(openImage(image, { passphrase: 'third' }), { code: 'DENIED', message: /none of the 2 in use/ });
  await t.throwsAsync(openImage(image), { code: 'UNSUPPORTED', message: /LUKS/ });
});

test('a cipher that we do not have is refused by its name', async (t) => {
  if (!hasTools(t, 'qemu-img')) return;
  const image = path.join(temporaryFolder(t), 'image.qcow2');
  await makeEncrypted(image, LUKS, 'encrypt.cipher-alg=serpent-256', MIB);
  await t.throwsAsync(openImage(image, { passphrase: LUKS.passphrase }), {
    code: 'UNSUPPORTED',
    message: /found serpent-xts-plain64 with a key of 512 bits/,
  });
});
