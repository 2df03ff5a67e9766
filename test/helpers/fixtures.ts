import { createReadStream, createWriteStream } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { createZstdDecompress, zstdDecompressSync } from 'node:zlib';
import { MemoryDevice } from '../../src/core/index.ts';

/** dist/test/helpers -> the project's root. */
export const projectRoot: string = fileURLToPath(new URL('../../../', import.meta.url));
const fixturesFolder = path.join(projectRoot, 'fixtures');
/** What a fixture may decompress to in memory, in bytes. */
const MAX_FIXTURE_BYTES = 512 * 1024 * 1024;

/** The names of the committed fixtures below a folder of fixtures/ (`ext`), without `.zst`: `ext/basic-1k.img`. */
export async function fixtureNames(folder: string): Promise<string[]> {
  const names = await readdir(path.join(fixturesFolder, folder));
  return names
    .filter((name) => name.endsWith('.zst'))
    .map((name) => `${folder}/${name.slice(0, -'.zst'.length)}`)
    .sort();
}

/** A fixture in memory, decompressed. */
export async function fixtureBytes(name: string): Promise<Uint8Array> {
  const packed = await readFile(path.join(fixturesFolder, `${name}.zst`));
  const plain = zstdDecompressSync(packed, { maxOutputLength: MAX_FIXTURE_BYTES });
  // A Buffer's slice() shares memory where a Uint8Array's copies: a test that damages its copy must not damage the fixture.
  return new Uint8Array(plain.buffer, plain.byteOffset, plain.length);
}

export async function fixtureDevice(name: string, sectorSize?: number): Promise<MemoryDevice> {
  return new MemoryDevice(await fixtureBytes(name), sectorSize);
}

/** A fixture as a file in `folder`; returns its path. */
export async function fixtureFile(name: string, folder: string): Promise<string> {
  const target = path.join(folder, path.basename(name));
  await pipeline(
    createReadStream(path.join(fixturesFolder, `${name}.zst`)),
    createZstdDecompress(),
    createWriteStream(target),
  );
  return target;
}

/** The facts beside a fixture, taken from an independent tool by its build script. */
export async function fixtureFacts<Facts>(name: string): Promise<Facts> {
  return JSON.parse(await readFile(path.join(fixturesFolder, `${name}.json`), 'utf8')) as Facts;
}
