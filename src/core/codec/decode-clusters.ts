import { constants, inflateRawSync, zstdDecompressSync } from 'node:zlib';
import type { DecodeAnswer, DecodeJob } from './decode-job.ts';
import { zstdFrame } from './zstd-frame.ts';

/** A zstd frame may ask for a window of up to 2 to this power bytes: four times the largest cluster, and a bound on memory. */
export const MAX_ZSTD_WINDOW_LOG = 23;

/**
 * Does a job in this thread. Takes the usual clusters only, those that give exactly their size: what is longer, damaged or
 * put together otherwise is left to `inflateCluster`, which knows every case and says what is wrong.
 */
export function decodeClusters(job: DecodeJob): DecodeAnswer {
  return job.encoding === 'zlib' ? inflateAll(job) : decompressAll(job);
}

function inflateAll({ source, parts, target, targetOffset, clusterSize }: DecodeJob): number[] {
  const input = new Uint8Array(source);
  const output = new Uint8Array(target, targetOffset);
  const failed: number[] = [];
  for (let index = 0; index < parts.length / 2; index++) {
    const start = parts[2 * index]!;
    try {
      const plain = inflateRawSync(input.subarray(start, start + parts[2 * index + 1]!), {
        finishFlush: constants.Z_SYNC_FLUSH,
        chunkSize: clusterSize,
        maxOutputLength: clusterSize,
      });
      if (plain.length !== clusterSize) throw new RangeError('another size');
      output.set(plain, index * clusterSize);
      release(plain);
    } catch {
      failed.push(index);
    }
  }
  return failed;
}

/**
 * Gives the memory of a buffer back at once: a thread's garbage would pile up to 64 MiB before anybody collects it. Small
 * buffers share their memory with others.
 */
function release({ buffer, length }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === length && length >= Buffer.poolSize) buffer.transfer(0);
}

/** Frames that stand one behind the other in the source: one call decompresses them all, at three quarters of the cost. */
interface FrameRun {
  readonly first: number;
  count: number;
  readonly start: number;
  end: number;
}

function decompressAll({ source, parts, target, targetOffset, clusterSize }: DecodeJob): number[] {
  const input = new Uint8Array(source);
  const output = new Uint8Array(target, targetOffset);
  const failed: number[] = [];
  for (const run of frameRuns(input, parts, clusterSize, failed)) {
    const length = run.count * clusterSize;
    try {
      const plain = zstdDecompressSync(input.subarray(run.start, run.end), {
        chunkSize: length,
        maxOutputLength: length,
        params: { [constants.ZSTD_d_windowLogMax]: MAX_ZSTD_WINDOW_LOG },
      });
      if (plain.length !== length) throw new RangeError('another size');
      output.set(plain, run.first * clusterSize);
      release(plain);
    } catch {
      for (let index = run.first; index < run.first + run.count; index++) failed.push(index);
    }
  }
  return failed;
}

/** Each frame's header promises exactly one cluster, and zstd holds it to that: so the places of all in the output are known. */
function frameRuns(input: Uint8Array, parts: Float64Array, clusterSize: number, failed: number[]): FrameRun[] {
  const runs: FrameRun[] = [];
  for (let index = 0; index < parts.length / 2; index++) {
    const start = parts[2 * index]!;
    const frame = zstdFrame(input.subarray(start, start + parts[2 * index + 1]!));
    if (frame?.contentSize !== clusterSize) {
      failed.push(index);
      continue;
    }
    const end = start + frame.length;
    const last = runs.at(-1);
    if (last !== undefined && last.end === start && last.first + last.count === index) {
      last.count++;
      last.end = end;
    } else runs.push({ first: index, count: 1, start, end });
  }
  return runs;
}
