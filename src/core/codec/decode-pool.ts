import { availableParallelism } from 'node:os';
import type { Worker } from 'node:worker_threads';
import type { DecodeAnswer, DecodeJob } from './decode-job.ts';

/** A thread keeps nothing between its jobs: a small young generation saves some 10 MiB for each. In MiB. */
const YOUNG_GENERATION_MIB = 2;
/** More threads than this would not be fed by one reader. */
const MAX_WORKERS = 8;

interface Waiting {
  resolve(answer: DecodeAnswer): void;
  reject(error: Error): void;
}

/** One thread; its answers come in the order of its jobs. It keeps the process alive only while it has any. */
class DecodeWorker {
  readonly #thread: Worker;
  readonly #waiting: Waiting[] = [];
  isBroken = false;

  constructor() {
    // Loaded when wanted: most commands decode nothing in bulk.
    const { Worker } = process.getBuiltinModule('node:worker_threads');
    this.#thread = new Worker(new URL('./decode-worker.js', import.meta.url), {
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MIB },
    });
    this.#thread.on('message', (answer: DecodeAnswer) => this.#next()?.resolve(answer));
    this.#thread.on('error', (error) => this.#break(error));
    this.#thread.on('exit', () => this.#break(new Error('the decoding thread ended')));
    // After the listeners: a new one for messages keeps the process alive again.
    this.#thread.unref();
  }

  get jobCount(): number {
    return this.#waiting.length;
  }

  run(job: DecodeJob): Promise<DecodeAnswer> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#thread.ref();
      this.#thread.postMessage(job);
    });
  }

  #next(): Waiting | undefined {
    const waiting = this.#waiting.shift();
    if (this.#waiting.length === 0) this.#thread.unref();
    return waiting;
  }

  #break(error: unknown): void {
    this.isBroken = true;
    for (let waiting = this.#next(); waiting !== undefined; waiting = this.#next()) waiting.reject(error as Error);
  }
}

/** The threads of this process, started at the first job: decoding with the synchronous calls costs half of what the others do. */
const workers: DecodeWorker[] = [];

/** Does a job in another thread. Rejects only when threads cannot be had; the caller then decodes by itself. */
export function decodeInWorker(job: DecodeJob): Promise<DecodeAnswer> {
  while (workers.length < Math.min(availableParallelism(), MAX_WORKERS)) workers.push(new DecodeWorker());
  const usable = workers.filter((worker) => !worker.isBroken);
  if (usable.length === 0) return Promise.reject(new Error('no decoding thread'));
  return usable.reduce((least, worker) => (worker.jobCount < least.jobCount ? worker : least)).run(job);
}
