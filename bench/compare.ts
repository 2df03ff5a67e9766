import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** One job, done by us and by a peer on the same input. */
export interface Job {
  readonly name: string;
  readonly ours: readonly string[];
  readonly peer: readonly string[];
}

/** One run of a program: wall time in milliseconds, process start included, and the most memory it had in MiB. */
interface Run {
  readonly time: number;
  readonly memory: number;
}

export interface Result {
  readonly name: string;
  /** Medians. */
  readonly ours: Run;
  readonly peer: Run;
  /** Of the times. */
  readonly ratio: number;
}

const MEMORY_POLL_MS = 10;

/**
 * Runs both sides in turn, `prepare` before each, so that both meet the same state of the machine; the first round warms the
 * cache and does not count.
 */
export async function compare(job: Job, prepare: () => void, rounds = 7): Promise<Result> {
  const ours: Run[] = [];
  const peer: Run[] = [];
  for (let round = 0; round <= rounds; round++) {
    for (const [command, runs] of [
      [job.ours, ours],
      [job.peer, peer],
    ] as const) {
      prepare();
      const result = await run(command);
      if (round > 0) runs.push(result);
    }
  }
  const ratio = middle(ours).time / middle(peer).time;
  return { name: job.name, ours: middle(ours), peer: middle(peer), ratio };
}

function run([command, ...args]: readonly string[]): Promise<Run> {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const child = spawn(command!, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let memory = 0;
    let complaint = '';
    const poll = setInterval(() => {
      memory = Math.max(memory, peakMemory(child.pid));
    }, MEMORY_POLL_MS);
    child.stderr.on('data', (chunk: Buffer) => {
      complaint += chunk.toString();
    });
    child.on('error', reject);
    child.on('exit', (code) => {
      const time = performance.now() - started;
      clearInterval(poll);
      if (code === 0) resolve({ time, memory });
      else reject(new Error(`${command} ended with ${code}: ${complaint}`));
    });
  });
}

/** What Linux tells; 0 elsewhere, and for a process that has ended. */
function peakMemory(pid: number | undefined): number {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

/** The medians of both figures. */
function middle(runs: readonly Run[]): Run {
  const median = (values: number[]): number => values.sort((left, right) => left - right)[Math.floor(runs.length / 2)]!;
  return { time: median(runs.map(({ time }) => time)), memory: median(runs.map(({ memory }) => memory)) };
}
