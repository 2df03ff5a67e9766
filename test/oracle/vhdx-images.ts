import { createHash } from 'node:crypto';
import { copyFile, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import { roundDown } from '../../src/core/bytes/rounding.ts';
import { type Container, FileDevice, openImage, readBytes } from '../../src/core/index.ts';
import { collect } from '../helpers/collect.ts';
import { seededRandom } from '../helpers/seeded-random.ts';
import { tool, toolText } from '../helpers/tools.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
/** What is compared at once, in bytes. */
const WINDOW = 4 * MIB;

/** How qemu-img makes an image. */
export interface VhdxImageRecipe {
  /** Bytes of the disk. */
  readonly size: number;
  /** `-o` of qemu-img create. */
  readonly options: string;
}

export async function makeVhdx(folder: string, { size, options }: VhdxImageRecipe, seed: number): Promise<string> {
  const image = path.join(folder, 'image.vhdx');
  await tool('qemu-img', ['create', '-q', '-f', 'vhdx', '-o', options, image, String(size)]);
  await vhdxIo(image, vhdxCommands(seed, size));
  return image;
}

export async function vhdxIo(image: string, commands: readonly string[]): Promise<void> {
  await tool('qemu-io', ['-f', 'vhdx', ...commands.flatMap((command) => ['-c', command]), image]);
}

/** Random writes at odd offsets, some across bounds of blocks, and zeros. */
function vhdxCommands(seed: number, size: number): string[] {
  const random = seededRandom(seed);
  return Array.from({ length: 12 }, (_, index) => {
    const near = random() < 0.4 ? Math.floor(random() * Math.ceil(size / MIB)) * MIB - 1000 : random() * size;
    const offset = Math.min(size - 1, Math.max(0, Math.floor(near)));
    const length = 1 + Math.floor(random() * Math.min(size - offset, random() < 0.3 ? 300 * KIB : 9000));
    return index % 5 === 4
      ? `write -z ${offset} ${length}`
      : `write -P ${1 + Math.floor(random() * 255)} ${offset} ${length}`;
  });
}

/** The name of `image` in a raw copy that qemu-img makes, holes and all. */
export async function convertedRaw(image: string): Promise<string> {
  const raw = `${image}.raw`;
  await tool('qemu-img', ['convert', '-f', 'vhdx', '-O', 'raw', image, raw]);
  return raw;
}

/** Every byte of a disk against a raw file: read where either has data, known to be zeros elsewhere. */
export async function compareDisk(t: ExecutionContext, container: Container, raw: string): Promise<void> {
  await using expected = await FileDevice.open(raw);
  t.is(container.size, expected.size);
  const windows = new Set<number>();
  for (const source of [container, expected]) {
    for (const { kind, start, length } of await collect(source.extents({ start: 0, length: expected.size }))) {
      if (kind === 'zero') continue;
      for (let at = roundDown(start, WINDOW); at < start + length; at += WINDOW) windows.add(at);
    }
  }
  for (const at of windows) {
    const size = Math.min(WINDOW, expected.size - at);
    const same = Buffer.compare(await readBytes(container, at, size), await readBytes(expected, at, size)) === 0;
    if (!same) t.fail(`${size} bytes at ${at} differ`);
  }
  const random = seededRandom(expected.size % 1000);
  for (let read = 0; read < 40; read++) {
    const offset = Math.floor(random() * expected.size);
    const length = Math.floor(random() ** 3 * Math.min(expected.size - offset + 1, 2 * MIB));
    const same = Buffer.compare(await readBytes(container, offset, length), await readBytes(expected, offset, length));
    if (same !== 0) t.fail(`${length} bytes at ${offset} differ`);
  }
}

/** Everything that qemu-img and we must agree on about one image. */
export async function compareVhdx(t: ExecutionContext, image: string): Promise<void> {
  const before = await stat(image);
  const info = JSON.parse(await toolText('qemu-img', ['info', '--output=json', image])) as {
    readonly 'virtual-size': number;
    readonly 'cluster-size': number;
  };
  {
    await using opened = await openImage(image);
    const { container } = opened;
    t.is(container.format, 'vhdx');
    t.is(container.size, info['virtual-size']);
    const properties = Object.fromEntries(container.properties.map(({ key, value }) => [key, value]));
    t.is(properties['blockSize'], info['cluster-size']);
    t.deepEqual(opened.diagnostics, []);
    await compareDisk(t, container, await convertedRaw(image));
  }
  t.is((await stat(image)).mtimeMs, before.mtimeMs);
}

/** What an image with a pending log reads as to us, against a copy in which qemu-img has replayed it; the image stays as it is. */
export async function compareReplay(t: ExecutionContext, image: string, entryCount: number): Promise<void> {
  const digest = async (): Promise<string> =>
    createHash('sha256')
      .update(await readFile(image))
      .digest('hex');
  const before = await digest();
  const copy = `${image}.replayed`;
  await copyFile(image, copy);
  const refused = await t.throwsAsync(tool('qemu-img', ['info', '-f', 'vhdx', image]));
  t.regex(refused?.message ?? '', /log that needs to be replayed/);
  await tool('qemu-img', ['check', '-q', '-f', 'vhdx', '-r', 'all', copy]);
  {
    await using opened = await openImage(image);
    const words = entryCount === 1 ? '1 log entry' : `${entryCount} log entries`;
    t.deepEqual(
      opened.diagnostics.map(({ message }) => message),
      [`${words} replayed in memory`],
    );
    await compareDisk(t, opened.container, await convertedRaw(copy));
  }
  t.is(await digest(), before);
}
