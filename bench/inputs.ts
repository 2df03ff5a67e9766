import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, ftruncateSync, mkdirSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
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
