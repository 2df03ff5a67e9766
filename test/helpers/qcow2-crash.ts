import type { WritableContainer } from '../../src/core/container/container.ts';
import type { ResizableBlockDevice } from '../../src/core/device/block-device.ts';
import { type DiskOperation, modelAfter, perform } from './disk-operations.ts';
import { RecordedFile } from './recorded-file.ts';

const SECTOR = 512;

/** What was done to an image, and what its file saw of it. */
export interface Trace {
  readonly file: RecordedFile;
  /** What the disk held before the first operation, and after each. */
  readonly states: readonly Uint8Array[];
  /** How many operations the file had seen by then. */
  readonly marks: readonly number[];
  /** Which states a flush or a resize made durable. */
  readonly durable: readonly boolean[];
}

/** What is left of an image after a crash, and what its disk may hold. */
export interface Crash {
  readonly name: string;
  readonly image: Uint8Array;
  /** The states of which each sector must hold one's. */
  readonly states: readonly Uint8Array[];
}

/** Opens `image`, performs the operations and closes it, with a record of every write. `unit`: the image's cluster size. */
export async function trace(
  image: Uint8Array,
  disk: Uint8Array,
  operations: readonly DiskOperation[],
  unit: number,
  open: (file: ResizableBlockDevice) => Promise<WritableContainer>,
): Promise<Trace> {
  const file = new RecordedFile(image);
  const states = [disk];
  const marks = [0];
  const durable = [true];
  const container = await open(file);
  for (const operation of operations) {
    await perform(container, operation);
    states.push(modelAfter(states.at(-1)!, operation, unit));
    marks.push(file.operations.length);
    durable.push(operation.kind === 'flush' || operation.kind === 'resize');
  }
  await container[Symbol.asyncDispose]();
  states.push(states.at(-1)!);
  marks.push(file.operations.length);
  durable.push(true);
  return { file, states, marks, durable };
}

/** The image cut after each of its writes, in order, without those that changed nothing. */
export function* cuts(recorded: Trace): Generator<Crash, void> {
  const { operations } = recorded.file;
  for (let count = 0; count <= operations.length; count++) {
    if (count > 0 && operations[count - 1]!.kind === 'flush') continue;
    yield { name: `cut after ${count}`, image: recorded.file.after(count), states: statesAt(recorded, count) };
  }
}

/** The same where any part of what was not flushed is missing or torn, `seeds` times for each cut. */
export function* tornCuts(recorded: Trace, seeds: number): Generator<Crash, void> {
  for (let count = 1; count <= recorded.file.operations.length; count++) {
    for (let seed = 0; seed < seeds; seed++) {
      const image = recorded.file.afterReordered(count, count * 1000 + seed);
      yield { name: `torn after ${count}, seed ${seed}`, image, states: statesAt(recorded, count) };
    }
  }
}

/** From the last durable state to the one that was being reached. */
function statesAt({ states, marks, durable }: Trace, count: number): Uint8Array[] {
  const first = marks.findLastIndex((mark, index) => mark <= count && durable[index] === true);
  const last = marks.findIndex((mark) => mark >= count);
  return states.slice(first, last + 1);
}

/**
 * What no state explains about a disk that was read after a crash; undefined when all is well. Of several writes into one sector
 * since the last flush any may be missing, so that then each byte is looked at for itself.
 */
export function unexplained({ states }: Crash, disk: Uint8Array): string | undefined {
  if (!states.some((state) => state.length === disk.length)) return `${disk.length} bytes`;
  for (let at = 0; at < disk.length; at += SECTOR) {
    const sector = disk.subarray(at, at + SECTOR);
    const parts = states.map((state) => state.subarray(at, at + SECTOR));
    if (parts.some((part) => isSame(sector, part))) continue;
    const isMixed =
      states.length > 2 && sector.every((byte, index) => parts.some((part) => byte === (part[index] ?? 0)));
    if (!isMixed) return `sector at ${at}`;
  }
  return undefined;
}

/** What a state does not have was zeros in it. */
function isSame(sector: Uint8Array, state: Uint8Array): boolean {
  if (state.length === sector.length) return Buffer.compare(sector, state) === 0;
  return sector.every((byte, index) => byte === (state[index] ?? 0));
}
