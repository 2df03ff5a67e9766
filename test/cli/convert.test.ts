import { copyFileSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { openImage } from '../../src/core/index.ts';
import { demoImage, sectorscope, sectorscopeJson } from '../helpers/cli.ts';
import { hasTools, temporaryFolder, tool } from '../helpers/tools.ts';
import { mixedContent } from '../oracle/qcow2-images.ts';

const MIB = 1024 * 1024;

test('convert writes the disk or a partition, says how much, and replaces only when told', async (t) => {
  const folder = temporaryFolder(t);
  const out = path.join(folder, 'out.qcow2');
  const args = ['convert', demoImage, out, '--format', 'qcow2', '--compress', 'zstd', '--cluster-size', '32KiB'];
  const facts = await sectorscopeJson<Record<string, unknown>>([...args, '--verify']);
  t.like(facts, { out, format: 'qcow2', virtualSize: 256 * MIB, fileSize: statSync(out).size, verified: true });
  const same = await sectorscope(['diff', demoImage, out]);
  t.is(same.code, 0);
  t.regex(same.stdout.toString(), /^the same: 256 MiB/);
  {
    await using image = await openImage(out);
    const properties = Object.fromEntries(image.container.properties.map(({ key, value }) => [key, value]));
    t.like(properties, { clusterSize: 32768, compressionType: 'zstd', backingFile: null });
  }
  t.is((await sectorscope(args)).code, 7);
  const forced = await sectorscope(['convert', demoImage, 'p1', out, '--format', 'raw', '--force']);
  t.is(forced.code, 0);
  t.regex(forced.stderr, /p1: 64 MiB written to/);
  const pair = ['diff', demoImage, out, 'p1', '--other-format', 'raw', '--other-locator', ''];
  t.is((await sectorscope(pair)).stdout.toString(), 'the same: 64 MiB (67,108,864 bytes)\n');
  t.deepEqual(readdirSync(folder), ['out.qcow2']);
});

test('convert takes standard input and a format for it, and writes no standard output', async (t) => {
  const folder = temporaryFolder(t);
  const out = path.join(folder, 'out');
  const input = readFileSync(demoImage);
  const converted = await sectorscope(['convert', '-', out, '--format', 'raw', '--input-format', 'raw'], { input });
  t.is(converted.code, 0, converted.stderr);
  t.is(Buffer.compare(readFileSync(out), input), 0);
  t.is((await sectorscope(['convert', demoImage, '-', '--format', 'raw'])).code, 7);
  for (const wrong of [[], ['--format', 'vdi'], ['--format', 'qcow2', '--cluster-size', 'x']])
    t.is((await sectorscope(['convert', demoImage, path.join(folder, 'no'), ...wrong])).code, 2, wrong.join(' '));
  const refused = await sectorscope([
    'convert',
    demoImage,
    path.join(folder, 'no'),
    '--format',
    'raw',
    '--compress',
    'zlib',
  ]);
  t.is(refused.code, 4);
  t.deepEqual(readdirSync(folder), ['out']);
});

test('no file of the image is replaced, of any layer, not even by force', async (t) => {
  if (!hasTools(t, 'qemu-img')) return;
  const folder = temporaryFolder(t);
  const [base, overlay] = [path.join(folder, 'base.qcow2'), path.join(folder, 'overlay.qcow2')];
  copyFileSync(demoImage, base);
  await tool('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', base, '-F', 'qcow2', overlay]);
  for (const out of [base, overlay]) {
    const before = readFileSync(out);
    const { code, stderr } = await sectorscope(['convert', overlay, out, '--format', 'qcow2', '--force']);
    t.is(code, 7);
    t.regex(stderr, /a file of the image itself/);
    t.is(Buffer.compare(readFileSync(out), before), 0);
  }
});

test('an interrupt during the conversion or the verification leaves nothing', async (t) => {
  const folder = temporaryFolder(t);
  const source = path.join(folder, 'source');
  writeFileSync(source, mixedContent(96 * MIB, 1));
  for (const format of ['raw', 'qcow2']) {
    const compress = format === 'raw' ? [] : ['--compress', 'zlib', '--cluster-size', '4KiB'];
    const out = path.join(folder, 'out');
    const { code, stderr } = await sectorscope(['convert', source, out, '--format', format, '--verify', ...compress], {
      onStart: (child) => {
        const timer = setInterval(() => {
          if (readdirSync(folder).some((name) => name.endsWith('.part'))) child.kill('SIGINT');
        }, 2);
        child.on('exit', () => clearInterval(timer));
      },
    });
    // A disk that is faster than the signal has finished: both are right, but nothing is half done.
    if (code === 0) t.true(existsSync(out));
    else {
      t.is(code, 130, stderr);
      t.deepEqual(readdirSync(folder), ['source']);
    }
  }
});

test('diff prints ranges, tells by its exit code, and stops when told', async (t) => {
  const folder = temporaryFolder(t);
  const [one, other] = [path.join(folder, 'one'), path.join(folder, 'other')];
  const bytes = new Uint8Array(MIB).fill(1);
  writeFileSync(one, bytes);
  bytes[700] = 2;
  bytes.fill(2, 10_000, 12_000);
  writeFileSync(other, bytes);
  const { code, stdout } = await sectorscope(['diff', one, other]);
  t.is(code, 1);
  t.deepEqual(stdout.toString().split('\n'), [
    ' start  length  first LBA  last LBA',
    ' 0x200     512          1         1',
    '0x2600    2560         19        23',
    '2 ranges, 3 KiB (3,072 bytes) of 1 MiB (1,048,576 bytes) differ',
    '',
  ]);
  const json = await sectorscope(['diff', '--json', one, other]);
  t.is(json.code, 1);
  t.deepEqual(JSON.parse(json.stdout.toString()), [
    { start: 512, length: 512, startSector: 1, sectorCount: 1 },
    { start: 9728, length: 2560, startSector: 19, sectorCount: 5 },
  ]);
  const large = await sectorscope(['diff', '--json', one, other, '--sector-size', '4096']);
  t.deepEqual(JSON.parse(large.stdout.toString()), [
    { start: 0, length: 4096, startSector: 0, sectorCount: 1 },
    { start: 8192, length: 4096, startSector: 2, sectorCount: 1 },
  ]);
  const limited = await sectorscope(['diff', one, other, '--limit', '1']);
  t.is(limited.code, 1);
  t.regex(limited.stdout.toString(), /at least 1 range, 512 bytes of .* differ \(stopped there\)/);
  const quiet = await sectorscope(['diff', '--quiet', one, other]);
  t.is(quiet.code, 1);
  t.is(quiet.stdout.length + quiet.stderr.length, 0);
  t.is((await sectorscope(['diff', one, path.join(folder, 'missing')])).code, 5);
  t.is((await sectorscope(['diff', one, other, '--limit', '0'])).code, 2);
});

test('diff of disks of different sizes: zeros are the same, unless strict', async (t) => {
  const folder = temporaryFolder(t);
  const [one, other] = [path.join(folder, 'one'), path.join(folder, 'other')];
  writeFileSync(one, new Uint8Array(1024).fill(1));
  writeFileSync(other, Buffer.concat([new Uint8Array(1024).fill(1), new Uint8Array(512)]));
  const loose = await sectorscope(['diff', one, other]);
  t.is(loose.code, 0);
  t.regex(loose.stderr, /the sizes differ/);
  const strict = await sectorscope(['diff', '--strict', one, other]);
  t.is(strict.code, 1);
  t.regex(strict.stdout.toString(), /0x400 +512 +2 +2/);
});
