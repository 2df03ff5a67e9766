/** The entry of a decoding thread: a job comes, an answer goes. */
import { parentPort } from 'node:worker_threads';
import { decodeClusters } from './decode-clusters.ts';
import type { DecodeJob } from './decode-job.ts';

parentPort?.on('message', (job: DecodeJob) => parentPort?.postMessage(decodeClusters(job)));
