import { DiskError, MemoryDevice } from '../../src/core/index.ts';
import { CountingDevice } from '../helpers/devices.ts';
import { fixtureBytes, fixtureNames } from '../helpers/fixtures.ts';
import { seededRandom } from '../helpers/seeded-random.ts';
import { exercise } from './exercise.ts';
import { mutate } from './mutate.ts';
import { repairChecksums } from './repair-checksums.ts';

/** What one damaged image may cost: far more than a sound one does. */
const MAX_REQUESTS = 200_000;
const MAX_BYTES_READ = 1024 ** 3;
const MAX_MILLISECONDS = 20_000;
/** The whole process: no image may make it hold more, in bytes. */
const MAX_RESIDENT_BYTES = 1.5 * 1024 ** 3;
/** Larger fixtures take longer to unpack than to read. */
const MAX_IMAGE_BYTES = 80 * 1024 * 1024;
/** What is unpacked once and kept; of larger ones there are few, and they would fill the memory that is looked at. */
const MAX_KEPT_IMAGE_BYTES = 4 * 1024 * 1024;

export interface FuzzOptions {
  readonly seed: number;
  /** The number of the first run, to play one again. */
  readonly firstRun?: number;
  readonly runs: number;
  /** Ends the runs after this long, in milliseconds. */
  readonly timeLimit?: number;
  /** Only fixtures whose name has this in it. */
  readonly only?: string | undefined;
}

export interface FuzzReport {
  readonly runs: number;
  /** DiskErrors that were met, by their code. */
  readonly refused: ReadonlyMap<string, number>;
  /** What must not be: each names its seed, run and image. */
  readonly failures: readonly string[];
}

/** Folders of fixtures, each as often as its formats deserve: the containers' images are small and have much to damage. */
const FOLDERS = ['qcow2', 'qcow2', 'qcow2', 'vhdx', 'vhdx', 'vhdx', 'partition', 'fat', 'fat-damage', 'ext', 'ext'];

async function corpus(only = ''): Promise<string[][]> {
  const names = await Promise.all(FOLDERS.map((folder) => fixtureNames(folder).catch(() => [])));
  return names.map((some) => some.filter((name) => name.includes(only))).filter((some) => some.length > 0);
}

/** Damages real images and does with each what the faces do. Run N of a seed is always the same. */
export async function fuzz({ seed, firstRun = 0, runs, timeLimit, only }: FuzzOptions): Promise<FuzzReport> {
  const folders = await corpus(only);
  const image = imageStore();
  const refused = new Map<string, number>();
  const failures: string[] = [];
  const start = performance.now();
  let run = firstRun;
  for (; run < firstRun + runs; run++) {
    if (timeLimit !== undefined && performance.now() - start > timeLimit) break;
    const random = seededRandom(seed * 1_000_003 + run);
    const names = folders[Math.floor(random() * folders.length)]!;
    const name = names[Math.floor(random() * names.length)]!;
    const original = await image(name);
    if (original === undefined) continue;
    const bytes = mutate(original, random);
    if (random() < 0.8) repairChecksums(bytes);
    const fail = (what: string): void => void failures.push(`--seed ${seed} --run ${run} (${name}): ${what}`);
    await exerciseOne(bytes, random, fail, (code) => refused.set(code, (refused.get(code) ?? 0) + 1));
  }
  return { runs: run - firstRun, refused, failures };
}

/** Gives a fixture's bytes to damage: memory of its own each time, undefined for one that is too large. */
function imageStore(): (name: string) => Promise<Uint8Array | undefined> {
  const kept = new Map<string, Uint8Array | undefined>();
  return async (name) => {
    if (kept.has(name)) return kept.get(name)?.slice();
    const bytes = await fixtureBytes(name);
    if (bytes.length > MAX_IMAGE_BYTES) {
      kept.set(name, undefined);
      return undefined;
    }
    if (bytes.length > MAX_KEPT_IMAGE_BYTES) return bytes;
    kept.set(name, bytes);
    return bytes.slice();
  };
}

async function exerciseOne(
  bytes: Uint8Array,
  random: () => number,
  fail: (what: string) => void,
  refuse: (code: string) => void,
): Promise<void> {
  const device = new CountingDevice(new MemoryDevice(bytes));
  const started = performance.now();
  const onError = (error: unknown): void => {
    if (!(error instanceof DiskError)) fail(error instanceof Error ? (error.stack ?? error.message) : String(error));
    else if (/\p{Cc}/u.test(error.message)) fail(`control characters in ${JSON.stringify(error.message)}`);
    else refuse(error.code);
  };
  await exercise(device, random, onError).catch(onError);
  const took = performance.now() - started;
  if (took > MAX_MILLISECONDS) fail(`took ${took.toFixed(0)} ms`);
  if (device.requestCount > MAX_REQUESTS) fail(`${device.requestCount} requests`);
  if (device.bytesRead > MAX_BYTES_READ) fail(`${device.bytesRead} bytes read`);
  const resident = process.memoryUsage.rss();
  if (resident > MAX_RESIDENT_BYTES) fail(`${resident} bytes of memory`);
}
