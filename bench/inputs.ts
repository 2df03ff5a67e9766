import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, mkdirSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import path from 'node:path';

const run = (command: string, args: readonly string[]): void => {
  execFileSync(command, [...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` },
  });
};

/** A raw file of `size` bytes that does not compress: repeatable pseudo-random blocks. */
function writeNoise(file: string, size: number): void {
  const block = Buffer.alloc(1024 * 1024);
  const descriptor = openSync(file, 'w');
  for (let offset = 0; offset < size; offset += block.length) {
    let digest = createHash('sha512').update(String(offset)).digest();
    for (let at = 0; at < block.length; at += digest.length) {
      digest.copy(block, at);
      if (at % 65536 === 0) digest = createHash('sha512').update(digest).digest();
    }
    writeSync(descriptor, block);
  }
  closeSync(descriptor);
}

/** An uncompressed qcow2 with `size` bytes of data. */
export function fullQcow2(folder: string, size: number): string {
  const raw = path.join(folder, 'full.raw');
  const image = path.join(folder, 'full.qcow2');
  writeNoise(raw, size);
  run('qemu-img', ['convert', '-O', 'qcow2', raw, image]);
  rmSync(raw);
  return image;
}

/** A raw file of `size` bytes of half-compressible data. */
export function textRaw(folder: string, size: number): string {
  const raw = path.join(folder, 'text.raw');
  const descriptor = openSync(raw, 'w');
  let number = 0;
  for (let offset = 0; offset < size; offset += 1024 * 1024) {
    let text = '';
    while (text.length < 1024 * 1024) {
      number = (number * 1103515245 + 12345) % 2147483648;
      text += `${number.toString(36)} sector ${number % 977} of cylinder ${number % 89}\n`;
    }
    writeSync(descriptor, text.slice(0, 1024 * 1024));
  }
  closeSync(descriptor);
  return raw;
}

/** The same as a compressed qcow2 (zlib). */
export function compressedQcow2(folder: string, raw: string): string {
  const image = path.join(folder, 'text.qcow2');
  run('qemu-img', ['convert', '-c', '-O', 'qcow2', raw, image]);
  return image;
}

/** A raw ext4 image with `count` small files in directories of 500. */
export function ext4WithFiles(folder: string, count: number): string {
  const tree = path.join(folder, 'tree');
  for (let number = 0; number < count; number++) {
    const directory = path.join(tree, `directory-${Math.floor(number / 500)}`);
    if (number % 500 === 0) mkdirSync(directory, { recursive: true });
    writeFileSync(path.join(directory, `file-${number}.txt`), '');
  }
  const image = path.join(folder, 'files.ext4');
  run('mke2fs', ['-q', '-t', 'ext4', '-N', String(count + 5000), '-d', tree, image, '1G']);
  rmSync(tree, { recursive: true });
  return image;
}
