import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { RefcountStream } from '../../../src/core/container/qcow2/write/refcount-stream.ts';
import {
  type ConvertOptions,
  convertImage,
  DiskError,
  type DiskErrorCode,
  MemoryDevice,
  openImage,
  type Progress,
  readBytes,
} from '../../../src/core/index.ts';
import { writeContainer } from '../../../src/core/output/convert/write-container.ts';
import { FaultyDevice, isInjectedFault } from '../../helpers/devices.ts';
import { RecordedFile } from '../../helpers/recorded-file.ts';
import { temporaryFolder } from '../../helpers/tools.ts';
import { mixedContent } from '../../oracle/qcow2-images.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

const targets: readonly Omit<ConvertOptions, 'overwrite'>[] = [
  { format: 'raw' },
  { format: 'qcow2' },
  { format: 'qcow2', clusterSize: 512, compression: 'zlib' },
  { format: 'qcow2', compression: 'zlib' },
  { format: 'qcow2', compression: 'zstd', clusterSize: 4096 },
  { format: 'vhdx', blockSize: MIB },
];
const nameOf = ({ format, compression, clusterSize }: Omit<ConvertOptions, 'overwrite'>) =>
  [format, compression, clusterSize].filter((part) => part !== undefined).join(' ');

test('a converted disk reads the same, sectors are filled up, progress ends at the end', async (t) => {
  const folder = temporaryFolder(t);
  for (const [index, target] of targets.entries()) {
    for (const size of [1, 512, 65537, 3 * MIB + 77]) {
      const content = mixedContent(size, index + 1);
      const out = path.join(folder, `${index}-${size}`);
      const seen: Progress[] = [];
      const verified: Progress[] = [];
      await convertImage(new MemoryDevice(content), out, {
        ...target,
        verify: true,
        onProgress: (progress) => seen.push(progress),
        onVerifyProgress: (progress) => verified.push(progress),
      });
      await using image = await openImage(out);
      t.is(image.container.format, target.format);
      t.is(image.container.size, target.format === 'raw' ? size : Math.ceil(size / 512) * 512);
      const expected = Buffer.alloc(image.container.size);
      expected.set(content);
      t.is(Buffer.compare(await readBytes(image.container, 0, image.container.size), expected), 0, nameOf(target));
      t.deepEqual(seen.at(-1), { done: size, total: size });
      t.is(verified.at(-1)!.done, verified.at(-1)!.total);
    }
  }
});

test('a disk of 4 KiB sectors keeps them in vhdx, which can say so', async (t) => {
  const out = path.join(temporaryFolder(t), 'out.vhdx');
  const content = mixedContent(MIB + 4096 + 1000, 6);
  await convertImage(new MemoryDevice(content, 4096), out, { format: 'vhdx', verify: true });
  await using image = await openImage(out);
  t.is(image.container.sectorSize, 4096);
  t.is(image.container.size, MIB + 2 * 4096);
  t.is(Buffer.compare(await readBytes(image.container, 0, content.length), content), 0);
});

test('a fault of the source at any request leaves no file', async (t) => {
  const folder = temporaryFolder(t);
  const content = mixedContent(1300 * KIB, 5);
  for (const target of targets) {
    for (let failAt = 0; ; failAt++) {
      const source = new FaultyDevice(new MemoryDevice(content), failAt);
      const error = await convertImage(source, path.join(folder, 'out'), { ...target, overwrite: true }).catch(
        (cause) => cause,
      );
      if (error === undefined) {
        t.true(failAt > 0);
        break;
      }
      t.true(isInjectedFault(error), String(error));
      t.deepEqual(
        readdirSync(folder).filter((name) => name !== 'out'),
        [],
      );
    }
  }
});

/** Fails the write or resize with number `failAt`. */
class FullDisk extends RecordedFile {
  readonly failAt: number;

  constructor(failAt: number) {
    super(new Uint8Array(0));
    this.failAt = failAt;
  }

  #check(): void {
    if (this.operations.length >= this.failAt) throw new DiskError('IO', { layer: 'test', found: 'ENOSPC' });
  }

  override async writeFrom(source: Uint8Array, offset: number): Promise<void> {
    // As of a real file, the bytes are taken some time after the call.
    await new Promise((resolve) => setImmediate(resolve));
    this.#check();
    return super.writeFrom(source, offset);
  }

  override async resize(size: number): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#check();
    return super.resize(size);
  }
}

test('a disk that is full at any write is an error, and what is there is no image', async (t) => {
  const source = new MemoryDevice(mixedContent(2500 * KIB, 3));
  for (const target of targets) {
    const { format } = target;
    if (format === 'raw') continue;
    let failures = 0;
    for (let failAt = 0; ; failAt++) {
      const file = new FullDisk(failAt);
      const error = await writeContainer(source, file, { ...target, format }).catch((cause) => cause);
      if (error === undefined) break;
      failures += 1;
      t.is(error.code, 'IO');
      const magic = Buffer.from(await readBytes(file, 0, Math.min(8, file.size))).toString('latin1');
      t.false(magic.startsWith('QFI') || magic === 'vhdxfile');
    }
    t.true(failures > 3, nameOf(target));
  }
});

test('an abort leaves no file and does not replace the one that is there', async (t) => {
  const folder = temporaryFolder(t);
  const out = path.join(folder, 'out');
  writeFileSync(out, 'mine');
  const source = new MemoryDevice(mixedContent(12 * MIB, 4));
  for (const target of targets) {
    const controller = new AbortController();
    const onProgress = () => controller.abort();
    const options = { ...target, signal: controller.signal, onProgress, overwrite: true };
    await t.throwsAsync(convertImage(source, out, options), { name: 'AbortError' }, nameOf(target));
    t.deepEqual(readdirSync(folder), ['out']);
    t.is(readFileSync(out, 'utf8'), 'mine');
  }
});

/** Gives one byte another value from its `after`-th read on. */
class FickleDevice extends MemoryDevice {
  readonly at: number;
  #reads = 0;

  constructor(bytes: Uint8Array, at: number) {
    super(bytes);
    this.at = at;
  }

  override async readInto(target: Uint8Array, offset: number): Promise<void> {
    await super.readInto(target, offset);
    if (this.at < offset || this.at >= offset + target.length) return;
    this.#reads += 1;
    if (this.#reads === 1) target[this.at - offset] = target[this.at - offset]! + 1;
  }
}

test('the verification finds one wrong byte anywhere, and nothing is left', async (t) => {
  const folder = temporaryFolder(t);
  for (const target of targets) {
    if (target.clusterSize === 512) continue;
    for (const at of [0, 65536, 2 * MIB - 1]) {
      const source = new FickleDevice(new Uint8Array(2 * MIB).fill(1), at);
      const error = await t.throwsAsync<DiskError>(
        convertImage(source, path.join(folder, 'out'), { ...target, verify: true }),
        { instanceOf: DiskError },
      );
      t.is(error?.code, 'IO');
      t.is(error?.offset, at - (at % 512));
      t.deepEqual(readdirSync(folder), []);
    }
  }
});

test('an option that a format does not have, and a size that it cannot be, are refused before anything is written', async (t) => {
  const folder = temporaryFolder(t);
  const source = new MemoryDevice(new Uint8Array(4096));
  const refused: [Omit<ConvertOptions, 'overwrite'>, DiskErrorCode][] = [
    [{ format: 'raw', compression: 'zlib' }, 'UNSUPPORTED'],
    [{ format: 'vhdx', compression: 'zstd' }, 'UNSUPPORTED'],
    [{ format: 'raw', clusterSize: 65536 }, 'UNSUPPORTED'],
    [{ format: 'qcow2', blockSize: MIB }, 'UNSUPPORTED'],
    [{ format: 'qcow2', clusterSize: 1000 }, 'OUT_OF_RANGE'],
    [{ format: 'qcow2', clusterSize: 4 * MIB }, 'OUT_OF_RANGE'],
    [{ format: 'vhdx', blockSize: 512 * KIB }, 'OUT_OF_RANGE'],
  ];
  for (const [options, code] of refused) {
    const error = await t.throwsAsync<DiskError>(convertImage(source, path.join(folder, 'out'), options));
    t.is(error?.code, code, JSON.stringify(options));
  }
  mkdirSync(path.join(folder, 'folder'));
  await t.throwsAsync(convertImage(source, path.join(folder, 'folder'), { format: 'raw', overwrite: true }), {
    code: 'DENIED',
  });
  t.deepEqual(readdirSync(folder), ['folder']);
});

test('a cluster that many compressed ones share gets no more references than a count can say', (t) => {
  const counts = new RefcountStream(65536);
  for (let reference = 0; reference < 65535; reference++) {
    t.false(counts.isFull(65536), String(reference));
    counts.add(65536 + reference, 1);
  }
  t.true(counts.isFull(65536));
  t.false(counts.isFull(131072));
  const [block] = counts.takeBelow(65536 * 32768);
  t.is(block?.index, 0);
  t.is(new DataView(block!.bytes.buffer).getUint16(2), 65535);
});
