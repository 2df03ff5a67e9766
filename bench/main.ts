/** `npm run bench [-- SCALE]`: Sectorscope against its peers, in one run on the same input; prints ratios of wall time. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { compare, type Job, type Result } from './compare.ts';
import { compressedQcow2, ext4WithFiles, fullQcow2 } from './inputs.ts';

const GIB = 1024 ** 3;
/** 1 is the size that the figures in the README are for; smaller is quicker. */
const scale = Number(process.argv[2] ?? 1);
const readAll = fileURLToPath(new URL('./read-all.js', import.meta.url));
const sectorscope = fileURLToPath(new URL('../../bin/sectorscope.js', import.meta.url));

function convertToNothing(image: string, size: number): string[] {
  return ['qemu-img', 'convert', '-n', '--target-image-opts', image, `driver=null-co,size=${size}`];
}

function jobs(folder: string): Job[] {
  const fullSize = Math.round(scale * GIB);
  const full = fullQcow2(folder, fullSize);
  const compressed = compressedQcow2(folder, fullSize);
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
try {
  for (const job of jobs(folder)) print(compare(job));
} finally {
  rmSync(folder, { recursive: true });
}
