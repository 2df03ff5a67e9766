/** `npm run bench [-- SCALE]`: Sectorscope against its peers, in one run on the same input; prints ratios of wall time. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { compare, type Job, type Result } from './compare.ts';
import { compressedQcow2, ext4WithFiles, fullQcow2, textRaw } from './inputs.ts';

const GIB = 1024 ** 3;
/** 1 is the size that the figures in the README are for; smaller is quicker. */
const scale = Number(process.argv[2] ?? 1);
const readAll = fileURLToPath(new URL('./read-all.js', import.meta.url));
const sectorscope = fileURLToPath(new URL('../../bin/sectorscope.js', import.meta.url));

function convertToNothing(image: string, size: number): string[] {
  return ['qemu-img', 'convert', '-n', '--target-image-opts', image, `driver=null-co,size=${size}`];
}

/** `sectorscope convert` and `qemu-img convert` to the same file. */
function conversion(
  name: string,
  source: string,
  output: string,
  ours: readonly string[],
  peer: readonly string[],
): Job {
  return {
    name,
    ours: [process.execPath, sectorscope, 'convert', source, output, ...ours],
    peer: ['qemu-img', 'convert', ...peer, source, output],
    output,
  };
}

function jobs(folder: string, memory: string): Job[] {
  const fullSize = Math.round(scale * GIB);
  const full = fullQcow2(folder, fullSize);
  const text = textRaw(folder, fullSize);
  const compressed = compressedQcow2(folder, text);
  const output = path.join(memory, 'output');
  const count = Math.round(scale * 100_000);
  const ext4 = ext4WithFiles(folder, count);
  const gib = `${scale} GiB`;
  return [
    {
      name: `qcow2, ${gib}, full read`,
      ours: [process.execPath, readAll, full],
      peer: convertToNothing(full, fullSize),
    },
    {
      name: `qcow2 zlib, ${gib}, full read`,
      ours: [process.execPath, readAll, compressed],
      peer: convertToNothing(compressed, fullSize),
    },
    conversion(`qcow2, ${gib}, to raw`, full, output, ['--format', 'raw'], ['-O', 'raw']),
    ...(['zlib', 'zstd'] as const).map((type) =>
      conversion(
        `raw, ${gib}, to qcow2 ${type}`,
        text,
        output,
        ['--format', 'qcow2', '--compress', type],
        ['-c', '-O', 'qcow2', '-o', `compression_type=${type}`],
      ),
    ),
    conversion(`raw, ${gib}, to vhdx`, text, output, ['--format', 'vhdx'], ['-O', 'vhdx']),
    {
      name: `ext4, ${count} files, ls -R against fls -r -p`,
      ours: [process.execPath, sectorscope, 'ls', '-R', ext4],
      peer: ['fls', '-r', '-p', ext4],
    },
  ];
}

function print({ name, ours, peer, ratio }: Result): void {
  const milliseconds = (value: number): string => `${value.toFixed(0).padStart(6)} ms`;
  process.stdout.write(
    `${name.padEnd(48)} ours ${milliseconds(ours)}  peer ${milliseconds(peer)}  ratio ${ratio.toFixed(2)}\n`,
  );
}

const folder = mkdtempSync(path.join(tmpdir(), 'sectorscope-bench-'));
// Files that are written stand in memory where the system has such a place, so that no disk is measured.
const memory = mkdtempSync(path.join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'sectorscope-bench-'));
try {
  for (const job of jobs(folder, memory)) print(compare(job));
} finally {
  for (const each of [folder, memory]) rmSync(each, { recursive: true });
}
