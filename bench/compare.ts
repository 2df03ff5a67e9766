import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';

/** One job, done by us and by a peer on the same input. */
export interface Job {
  readonly name: string;
  readonly ours: readonly string[];
  readonly peer: readonly string[];
  /** What both write: removed before each run, outside the time. */
  readonly output?: string;
}

export interface Result {
  readonly name: string;
  /** Medians of wall time, process start included, in milliseconds. */
  readonly ours: number;
  readonly peer: number;
  readonly ratio: number;
}

/** Runs both sides in turn, so that both meet the same state of the machine; the first round warms the cache and does not count. */
export function compare(job: Job, rounds = 5): Result {
  const ours: number[] = [];
  const peer: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const times = [timed(job.ours, job.output), timed(job.peer, job.output)] as const;
    if (round === 0) continue;
    ours.push(times[0]);
    peer.push(times[1]);
  }
  return { name: job.name, ours: median(ours), peer: median(peer), ratio: median(ours) / median(peer) };
}

function timed([command, ...args]: readonly string[], output: string | undefined): number {
  if (output !== undefined) rmSync(output, { force: true });
  const started = performance.now();
  const { status, stderr, error } = spawnSync(command!, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    maxBuffer: 2 ** 30,
  });
  const took = performance.now() - started;
  if (status !== 0) throw new Error(`${command} ended with ${status}: ${error?.message ?? stderr.toString()}`);
  return took;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)]!;
}
