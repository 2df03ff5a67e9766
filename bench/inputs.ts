import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
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

/** `qemu-img convert` of an image, with its options: `-O vhdx`. */
export function converted(source: string, target: string, ...options: string[]): string {
  run('qemu-img', ['convert', ...options, source, target]);
  return target;
}

/** A raw file of `virtualSize` bytes, the first `size` of them text that compresses to a quarter. */
export function rawText(folder: string, size: number, virtualSize: number): string {
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
  ftruncateSync(descriptor, virtualSize);
  closeSync(descriptor);
  return raw;
}

/** A chain of three qcow2 images, each with a part of `size` bytes of data. */
export function chain(folder: string, size: number): string {
  let below: string | undefined;
  for (const [index, step] of [1, 37, 53].entries()) {
    const image = path.join(folder, `chain-${index}.qcow2`);
    const backing = below === undefined ? [] : ['-b', below, '-F', 'qcow2'];
    run('qemu-img', ['create', '-q', '-f', 'qcow2', ...backing, image, String(size)]);
    const writes: string[] = [];
    const length = index === 0 ? size : Math.floor(size / (step * 2));
    for (let offset = 0; offset + length <= size; offset += index === 0 ? size : Math.floor(size / step))
      writes.push('-c', `write -q -P ${index + 1} ${roundedDown(offset)} ${roundedDown(length)}`);
    run('qemu-io', [...writes, image]);
    below = image;
  }
  return below!;
}

/** A qcow2 of `size` bytes with 64 KiB of data at each of `places` places. */
export function sparseQcow2(folder: string, size: number, places: number): string {
  const image = path.join(folder, 'sparse.qcow2');
  run('qemu-img', ['create', '-q', '-f', 'qcow2', image, String(size)]);
  const step = Math.floor(size / places);
  const writes = Array.from({ length: places }, (_, at) => ['-c', `write -q -P 7 ${roundedDown(at * step)} 64k`]);
  run('qemu-io', [...writes.flat(), image]);
  return image;
}

function roundedDown(offset: number): number {
  return offset - (offset % 65536);
}

/** A raw file of `size` bytes, noise and text in turns, and a word at some places. */
export function rawHaystack(folder: string, size: number, word: string): string {
  const raw = path.join(folder, 'haystack.raw');
  const text = rawText(folder, size / 2, size / 2);
  writeNoise(raw, size);
  const target = openSync(raw, 'r+');
  const source = openSync(text, 'r');
  const piece = Buffer.alloc(1024 * 1024);
  for (let offset = 0; offset < size / 2; offset += piece.length) {
    readSync(source, piece, 0, piece.length, offset);
    if (offset % (16 * piece.length) === 0) piece.write(word, 12_345);
    writeSync(target, piece, 0, piece.length, offset * 2);
  }
  closeSync(source);
  closeSync(target);
  rmSync(text);
  return raw;
}

/** `count` files in directories of 500; `lines` of text in each, or at most so many. */
function fillTree(folder: string, count: number, lines: number): string {
  const tree = path.join(folder, 'tree');
  for (let number = 0; number < count; number++) {
    const directory = path.join(tree, `directory-${Math.floor(number / 500)}`);
    if (number % 500 === 0) mkdirSync(directory, { recursive: true });
    const text = `content of file ${number}\n`.repeat(lines === 0 ? 0 : 1 + ((number * 7919) % lines));
    writeFileSync(path.join(directory, `file-${number}.txt`), text);
  }
  return tree;
}

/** A raw ext4 image with `count` small files in directories of 500, empty unless they are to have up to so many lines. */
export function ext4WithFiles(folder: string, count: number, lines = 0): string {
  const tree = fillTree(folder, count, lines);
  const image = path.join(folder, 'files.ext4');
  run('mke2fs', ['-q', '-t', 'ext4', '-N', String(count + 5000), '-d', tree, image, '1G']);
  rmSync(tree, { recursive: true });
  return image;
}

/** The same as FAT32. */
export function fat32WithFiles(folder: string, count: number, lines = 0): string {
  const tree = fillTree(folder, count, lines);
  const image = path.join(folder, 'files.fat32');
  run('mkfs.vfat', ['-C', '-F', '32', '-s', '8', image, String(1024 * 1024)]);
  for (const name of readdirSync(tree)) run('mcopy', ['-s', '-i', image, path.join(tree, name), '::']);
  rmSync(tree, { recursive: true });
  return image;
}
