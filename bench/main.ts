/** `npm run bench [-- SCALE [NAME]]`: Sectorscope against its peers, in one run on the same input; prints ratios of wall time. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { compare, type Job, type Result } from './compare.ts';
import {
  chain,
  converted,
  ext4WithFiles,
  fat32WithFiles,
  fullQcow2,
  rawHaystack,
  rawText,
  sparseQcow2,
} from './inputs.ts';

const GIB = 1024 ** 3;
/** 1 is the size that the figures in the README are for; smaller is quicker. */
const scale = Number(process.argv[2] ?? 1);
/** Only the jobs that have this in their name. */
const only = process.argv[3] ?? '';
const sectorscope = fileURLToPath(new URL('../../bin/sectorscope.js', import.meta.url));

interface Folders {
  readonly inputs: string;
  /** In memory where the system has such a place: the disk is not what is measured. */
  readonly outputs: string;
}

/** Bytes in whole MiB: containers round their sizes. */
function mebibytes(bytes: number): number {
  return Math.round(bytes / 1024 ** 2) * 1024 ** 2;
}

function readToNothing(name: string, image: string, size: number): Job {
  return {
    name: `${name} to nothing`,
    ours: [process.execPath, sectorscope, 'export', image, '-'],
    peer: ['qemu-img', 'convert', '-n', '--target-image-opts', image, `driver=null-co,size=${size}`],
  };
}

function exportToFile(name: string, image: string, outputs: string): Job {
  return {
    name: `${name} to a raw file`,
    ours: [process.execPath, sectorscope, 'export', image, path.join(outputs, 'ours.raw')],
    peer: ['qemu-img', 'convert', '-O', 'raw', image, path.join(outputs, 'peer.raw')],
  };
}

function convertTo(
  name: string,
  image: string,
  outputs: string,
  ours: readonly string[],
  peer: readonly string[],
): Job {
  return {
    name: `${name} to ${ours.filter((word) => !word.startsWith('-')).join(' ')}`,
    ours: [process.execPath, sectorscope, 'convert', ...ours, image, path.join(outputs, 'ours.image')],
    peer: ['qemu-img', 'convert', ...peer, image, path.join(outputs, 'peer.image')],
  };
}

/** Each makes its input when its turn comes. */
const groups: Readonly<Record<string, (folders: Folders) => Job[]>> = {
  qcow2: ({ inputs, outputs }) => {
    const size = mebibytes(scale * GIB);
    const image = fullQcow2(inputs, size);
    const name = `qcow2, ${scale} GiB,`;
    return [readToNothing(name, image, size), exportToFile(name, image, outputs)];
  },
  vhdx: ({ inputs, outputs }) => {
    const size = mebibytes(scale * GIB);
    const image = converted(fullQcow2(inputs, size), path.join(inputs, 'full.vhdx'), '-O', 'vhdx');
    const name = `vhdx, ${scale} GiB,`;
    return [readToNothing(name, image, size), exportToFile(name, image, outputs)];
  },
  compressed: ({ inputs, outputs }) => {
    const raw = rawText(inputs, mebibytes(scale * GIB), mebibytes(scale * 4 * GIB));
    return ['zlib', 'zstd'].map((type) => {
      const image = path.join(inputs, `${type}.qcow2`);
      converted(raw, image, '-c', '-O', 'qcow2', '-o', `compression_type=${type}`);
      return exportToFile(`qcow2 ${type}, ${scale} GiB of ${scale * 4},`, image, outputs);
    });
  },
  convert: ({ inputs, outputs }) => {
    const size = mebibytes(scale * GIB);
    const raw = rawText(inputs, size, size);
    const name = `raw, ${scale} GiB,`;
    return [
      ...['zlib', 'zstd'].map((type) => {
        const peer = ['-c', '-O', 'qcow2', '-o', `compression_type=${type}`];
        return convertTo(name, raw, outputs, ['--format', 'qcow2', '--compress', type], peer);
      }),
      convertTo(name, raw, outputs, ['--format', 'qcow2'], ['-O', 'qcow2']),
      convertTo(name, raw, outputs, ['--format', 'vhdx'], ['-O', 'vhdx']),
    ];
  },
  chain: ({ inputs }) => {
    const size = mebibytes(scale * GIB);
    return [readToNothing(`chain of 3 qcow2, ${scale} GiB,`, chain(inputs, size), size)];
  },
  map: ({ inputs }) => {
    const image = sparseQcow2(inputs, 1024 * GIB, 1000);
    return [
      {
        name: 'open and map 1 TiB, 1000 extents',
        ours: [process.execPath, sectorscope, 'map', '--json', image],
        peer: ['qemu-img', 'map', '--output=json', image],
      },
    ];
  },
  ext4: ({ inputs }) => {
    const count = Math.round(scale * 100_000);
    const image = ext4WithFiles(inputs, count);
    return [
      {
        name: `ext4, ${count} files, ls -R against fls -r -p`,
        ours: [process.execPath, sectorscope, 'ls', '-R', image],
        peer: ['fls', '-r', '-p', image],
      },
      {
        name: `ext4, ${count} files, timeline against fls -r -m`,
        ours: [process.execPath, sectorscope, 'timeline', image],
        peer: ['fls', '-r', '-m', '/', image],
      },
    ];
  },
  fat32: ({ inputs }) => {
    const count = Math.round(scale * 50_000);
    const image = fat32WithFiles(inputs, count);
    const ours = [process.execPath, sectorscope, 'ls', '-R', image];
    return [
      { name: `fat32, ${count} files, ls -R against fls -r -p`, ours, peer: ['fls', '-r', '-p', image] },
      { name: `fat32, ${count} files, ls -R against mdir -/ -b`, ours, peer: ['mdir', '-/', '-b', '-i', image] },
    ];
  },
  extract: ({ inputs, outputs }) => {
    const count = Math.round(scale * 50_000);
    const [theirs, mine] = [path.join(outputs, 'peer'), path.join(outputs, 'ours')];
    return [ext4WithFiles(inputs, count, 200), fat32WithFiles(inputs, count, 200)].flatMap((image) => {
      const ours = [process.execPath, sectorscope, 'extract', image, ':/', mine];
      const name = `${path.extname(image).slice(1)}, ${count} files, extract against`;
      return [
        { name: `${name} tsk_recover`, ours, peer: ['tsk_recover', '-a', image, theirs] },
        { name: `${name} 7z x`, ours, peer: ['7z', 'x', '-bd', '-y', `-o${theirs}`, image] },
      ];
    });
  },
  grep: ({ inputs }) => {
    const size = mebibytes(scale * 2 * GIB);
    const image = rawHaystack(inputs, size, 'needle-in-haystack');
    return [
      {
        name: `raw, ${scale * 2} GiB, grep against grep -c -a`,
        ours: [process.execPath, sectorscope, 'grep', '-c', image, 'needle-in-haystack'],
        // Where its output goes to nothing grep stops at the first match.
        peer: ['sh', '-c', 'grep -c -a needle-in-haystack "$0" | cat', image],
      },
    ];
  },
};

function print({ name, ours, peer, ratio }: Result): void {
  const figures = (run: Result['ours']): string =>
    `${run.time.toFixed(0).padStart(5)} ms ${run.memory.toFixed(0).padStart(4)} MiB`;
  process.stdout.write(`${name.padEnd(46)} ours ${figures(ours)}  peer ${figures(peer)}  ratio ${ratio.toFixed(2)}\n`);
}

/** What is there already would cost the one that replaces it and not the one that writes over it. */
function empty(folder: string): void {
  for (const name of readdirSync(folder)) rmSync(path.join(folder, name), { recursive: true });
}

const shared = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
for (const [group, jobs] of Object.entries(groups)) {
  if (!group.includes(only)) continue;
  const folders = {
    inputs: mkdtempSync(path.join(tmpdir(), 'sectorscope-bench-')),
    outputs: mkdtempSync(path.join(shared, 'sectorscope-bench-')),
  };
  try {
    for (const job of jobs(folders)) print(await compare(job, () => empty(folders.outputs)));
  } finally {
    for (const folder of Object.values(folders)) rmSync(folder, { recursive: true });
  }
}
