import { createHash } from 'node:crypto';
import { readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import { type BlockDevice, openImage, readBytes } from '../../src/core/index.ts';
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

/** How the tools open an image that needs a passphrase, or nothing more than its name. */
export interface Access {
  readonly encryption?: 'luks' | 'aes';
  readonly passphrase?: string | undefined;
}

/** The arguments by which qemu-img and qemu-io open an image. */
export function sourceArguments(image: string, { encryption, passphrase }: Access = {}): string[] {
  if (encryption === undefined) return ['-f', 'qcow2', image];
  const opened = `driver=qcow2,file.filename=${image},encrypt.format=${encryption},encrypt.key-secret=key`;
  return ['--object', `secret,id=key,data=${passphrase}`, '--image-opts', opened];
}

export async function qemuIo(image: string, commands: readonly string[], access?: Access): Promise<void> {
  if (commands.length === 0) return;
  await tool('qemu-io', [...commands.flatMap((command) => ['-c', command]), ...sourceArguments(image, access)]);
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

export interface CompareOptions extends Access {
  /** The depth of a raw layer, of which qemu-img tells the holes. */
  readonly rawDepth?: number | undefined;
}

/** Everything that qemu-img and we must agree on about one image. */
export async function compare(t: ExecutionContext, image: string, options: CompareOptions = {}): Promise<void> {
  const folder = path.dirname(image);
  const raw = path.join(folder, 'expected.raw');
  const source = sourceArguments(image, options);
  await tool('qemu-img', ['convert', '-O', 'raw', ...source, raw]);
  const expected = await readFile(raw);
  const before = await stat(image);
  {
    const { passphrase } = options;
    await using opened = await openImage(image, { passphrase });
    const { container } = opened;
    t.is(container.format, 'qcow2');
    await compareBytes(t, container, expected);
    const map = JSON.parse(await toolText('qemu-img', ['map', '--output=json', ...source])) as QemuMapEntry[];
    t.deepEqual(await ourRows(container), qemuRows(map, options.rawDepth));
    const info = JSON.parse(await toolText('qemu-img', ['info', '--output=json', image]));
    const properties = Object.fromEntries(container.properties.map(({ key, value }) => [key, value]));
    t.is(properties['clusterSize'], info['cluster-size']);
    t.is(properties['refcountBits'], info['format-specific'].data['refcount-bits'] ?? 16);
  }
  t.is((await stat(image)).mtimeMs, before.mtimeMs);
}

/** The whole by its hash, and reads of any length at any place. */
export async function compareBytes(t: ExecutionContext, device: BlockDevice, expected: Uint8Array): Promise<void> {
  t.is(device.size, expected.length);
  t.is(await sha256(device), createHash('sha256').update(expected).digest('hex'));
  const random = seededRandom(expected.length);
  for (let read = 0; read < 60; read++) {
    const offset = Math.floor(random() * expected.length);
    const length = Math.floor(random() ** 3 * Math.min(expected.length - offset + 1, 2 * KIB * KIB));
    const bytes = await readBytes(device, offset, length);
    if (Buffer.compare(bytes, expected.subarray(offset, offset + length)) !== 0)
      t.fail(`${length} bytes at ${offset} differ`);
  }
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
