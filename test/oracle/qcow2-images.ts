import { createHash } from 'node:crypto';
import { readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import { openImage, readBytes } from '../../src/core/index.ts';
import { seededRandom } from '../conformance/device-conformance.ts';
import { ourRows, type QemuMapEntry, qemuRows } from '../core/container/qcow2/map-rows.ts';
import { sha256 } from '../helpers/sha256.ts';
import { tool, toolText } from '../helpers/tools.ts';

const KIB = 1024;

/** How an image is made, and what is done to it. */
export interface ImageRecipe {
  /** Bytes of the disk. */
  readonly size: number;
  /** `-o` of qemu-img create or convert. */
  readonly options: string;
  /** Made by `convert -c` from text, so that its clusters are compressed. */
  readonly compressed?: boolean;
  readonly zeros?: boolean;
}

/** Random writes at odd offsets (in sectors and bytes), zeros with and without unmapping, and discards. */
export function randomCommands(seed: number, size: number, options: { zeros: boolean; count: number }): string[] {
  const random = seededRandom(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  const commands: string[] = [];
  for (let count = 0; count < options.count; count++) {
    const offset = below(size - 1);
    const length = 1 + below(Math.min(size - offset, random() < 0.3 ? 300 * KIB : 9000));
    const pattern = 1 + below(255);
    const kind = random();
    if (!options.zeros || kind < 0.6) commands.push(`write -P ${pattern} ${offset} ${length}`);
    else if (kind < 0.75) commands.push(`write -z ${offset} ${length}`);
    else if (kind < 0.9) commands.push(`write -z -u ${offset} ${length}`);
    else commands.push(`discard ${offset} ${length}`);
  }
  return commands;
}

export async function qemuIo(image: string, commands: readonly string[]): Promise<void> {
  if (commands.length === 0) return;
  await tool('qemu-io', ['-f', 'qcow2', ...commands.flatMap((command) => ['-c', command]), image]);
}

const noiseRandom = seededRandom(1);
const noise = Uint8Array.from({ length: 200 * KIB }, () => noiseRandom() * 256);

/** Text, noise and zeros in turn: clusters that compress well, badly and to nothing. */
export function mixedContent(size: number, seed: number): Uint8Array {
  const random = seededRandom(seed);
  const content = Buffer.alloc(size);
  for (let at = 0; at < size; ) {
    const length = Math.min(size - at, 1 + Math.floor(random() * 200 * KIB));
    const kind = random();
    const part = content.subarray(at, at + length);
    if (kind < 0.5) part.fill(`line ${Math.floor(random() * 1e6)} of a text that compresses\n`);
    else if (kind < 0.8) part.set(noise.subarray(0, length));
    at += length;
  }
  return content;
}

/** Everything that qemu-img and we must agree on about one image. */
export async function compare(t: ExecutionContext, image: string, rawDepth?: number): Promise<void> {
  const folder = path.dirname(image);
  const raw = path.join(folder, 'expected.raw');
  await tool('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', image, raw]);
  const expected = await readFile(raw);
  const before = await stat(image);
  {
    await using opened = await openImage(image);
    const { container } = opened;
    t.is(container.format, 'qcow2');
    t.is(container.size, expected.length);
    t.is(await sha256(container), createHash('sha256').update(expected).digest('hex'));
    const random = seededRandom(expected.length);
    for (let read = 0; read < 60; read++) {
      const offset = Math.floor(random() * expected.length);
      const length = Math.floor(random() ** 3 * Math.min(expected.length - offset + 1, 2 * KIB * KIB));
      const bytes = await readBytes(container, offset, length);
      if (Buffer.compare(bytes, expected.subarray(offset, offset + length)) !== 0)
        t.fail(`${length} bytes at ${offset} differ`);
    }
    const map = JSON.parse(await toolText('qemu-img', ['map', '--output=json', image])) as QemuMapEntry[];
    t.deepEqual(await ourRows(container), qemuRows(map, rawDepth));
    const info = JSON.parse(await toolText('qemu-img', ['info', '--output=json', image]));
    const properties = Object.fromEntries(container.properties.map(({ key, value }) => [key, value]));
    t.is(properties['clusterSize'], info['cluster-size']);
    t.is(properties['refcountBits'], info['format-specific'].data['refcount-bits'] ?? 16);
  }
  t.is((await stat(image)).mtimeMs, before.mtimeMs);
}

export async function makeImage(folder: string, entry: ImageRecipe, seed: number): Promise<string> {
  const image = path.join(folder, 'image.qcow2');
  if (entry.compressed === true) {
    const source = path.join(folder, 'source.raw');
    await writeFile(source, mixedContent(entry.size, seed));
    await tool('qemu-img', ['convert', '-c', '-f', 'raw', '-O', 'qcow2', '-o', entry.options, source, image]);
  } else {
    await tool('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', entry.options, image, String(entry.size)]);
  }
  const count = entry.compressed === true ? 8 : 24;
  await qemuIo(image, randomCommands(seed, entry.size, { zeros: entry.zeros ?? true, count }));
  return image;
}
