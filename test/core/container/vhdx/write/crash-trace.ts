import { vhdxFormat } from '../../../../../src/core/container/vhdx/vhdx-format.ts';
import { MemoryDevice } from '../../../../../src/core/device/memory-device.ts';
import type { OpenContext } from '../../../../../src/core/index.ts';
import { RecordedFile } from '../../../../helpers/recorded-file.ts';
import { type Call, contents, type DiskRecipe, makeDisk, perform } from './vhdx-model.ts';

const SECTOR = 512;

/** A file that was written to by a list of calls, and what the disk held before and after each. */
export interface CrashTrace {
  readonly file: RecordedFile;
  readonly context: OpenContext;
  /** How many operations the file had seen when call `index` began; the last entry is all of them. */
  readonly starts: readonly number[];
  /** The disk before each call, and after the last. */
  readonly states: readonly Uint8Array[];
}

/** What the disk holds before a recorded session: its first two blocks in parts. */
export const PREPARED: readonly Call[] = [
  { kind: 'write', offset: 100, length: 700_000, seed: 5 },
  { kind: 'write', offset: 900_777, length: 600_000, seed: 6 },
];

/** Every way in which blocks change their states, on a disk of three blocks and a little. */
export function changingCalls({ virtualSize, blockSize }: DiskRecipe): Call[] {
  const grown = virtualSize + 5 * 4096;
  return [
    { kind: 'write', offset: 2 * blockSize + 300, length: 5000, seed: 11 },
    { kind: 'writeZeros', offset: 3000, length: 300_000 },
    { kind: 'discard', offset: 0, length: 2 * blockSize + 512 },
    { kind: 'write', offset: blockSize - 2000, length: 700_000, seed: 12 },
    { kind: 'writeZeros', offset: 2 * blockSize, length: blockSize + 100 },
    { kind: 'flush' },
    { kind: 'write', offset: 3 * blockSize - 700, length: 1500, seed: 13 },
    { kind: 'resize', size: grown },
    { kind: 'resize', size: 5 * blockSize + 4096 },
    { kind: 'write', offset: 3 * blockSize + 1, length: 2 * blockSize, seed: 14 },
    { kind: 'discard', offset: 0, length: 5 * blockSize + 4096 },
    { kind: 'write', offset: 0, length: 10, seed: 15 },
  ];
}

/** Makes a disk, does `prepared` to it in a session of its own, and records `calls`; the last call is the closing. */
export async function recordCalls(
  recipe: DiskRecipe,
  prepared: readonly Call[],
  calls: readonly Call[],
): Promise<CrashTrace> {
  const before = new MemoryDevice(new Uint8Array(0));
  const { context, model } = await makeDisk(before, recipe);
  const first = await vhdxFormat.openWritable!(before, context);
  for (const call of prepared) {
    await perform(first, call);
    model.apply(call);
  }
  await first[Symbol.asyncDispose]();
  const file = new RecordedFile(before.bytes);
  const disk = await vhdxFormat.openWritable!(file, context);
  const starts: number[] = [];
  const states: Uint8Array[] = [];
  for (const call of calls) {
    starts.push(file.operations.length);
    states.push(model.bytes.slice());
    await perform(disk, call);
    model.apply(call);
  }
  starts.push(file.operations.length);
  states.push(model.bytes.slice());
  await disk[Symbol.asyncDispose]();
  return { file, context, starts: [...starts, file.operations.length], states: [...states, model.bytes.slice()] };
}

/** Cuts after which the file differs from the one before, the last included. */
export function cuts({ file }: CrashTrace): number[] {
  return Array.from({ length: file.operations.length + 1 }, (_, count) => count).filter(
    (count) => count === 0 || count === file.operations.length || file.operations[count - 1]!.kind !== 'flush',
  );
}

/**
 * Why the disk is not what a crash after `count` operations may leave; undefined when it is. Each sector must be as before or
 * after the call that was interrupted; when writes since the last flush may be lost, as in any state since then.
 */
export function wrongState(
  { file, starts, states }: CrashTrace,
  count: number,
  found: Uint8Array,
  mayLose: boolean,
): string | undefined {
  const callAt = (operation: number): number => starts.findLastIndex((start) => start <= operation);
  const last = Math.min(callAt(Math.max(0, count - 1)) + 1, states.length - 1);
  const flushed = mayLose ? file.operations.slice(0, count).findLastIndex(({ kind }) => kind === 'flush') : count - 1;
  const first = callAt(Math.max(0, flushed));
  const allowed = states.slice(first, last + 1);
  const at = foreignSector(found, allowed, mayLose);
  return at === undefined ? undefined : `${at} is of none of the states ${first} to ${last}`;
}

/**
 * The first sector that is of none of the states, or the size that is; with `mayMix`, each byte of a sector may be of another
 * state: of several writes inside one sector a recording may lose any.
 */
export function foreignSector(found: Uint8Array, states: readonly Uint8Array[], mayMix: boolean): string | undefined {
  if (states.some((state) => Buffer.compare(state, found) === 0)) return undefined;
  if (!states.some((state) => state.length === found.length)) return `a disk of ${found.length} bytes`;
  for (let at = 0; at < found.length; at += SECTOR) {
    const sector = found.subarray(at, at + SECTOR);
    const parts = states.map((state) => state.subarray(at, at + SECTOR));
    if (!parts.some((part) => isSame(part, sector)) && !(mayMix && isMixed(parts, sector))) return `sector at ${at}`;
  }
  return undefined;
}

/** Behind the end of a state that is not grown yet there are zeros to come. */
function isSame(state: Uint8Array, sector: Uint8Array): boolean {
  if (state.length > 0 || sector.length === 0) return Buffer.compare(state, sector) === 0;
  return sector.every((byte) => byte === 0);
}

function isMixed(parts: readonly Uint8Array[], sector: Uint8Array): boolean {
  return sector.every((byte, index) => parts.some((part) => (part[index] ?? 0) === byte));
}

/** The disk of an image in memory, its log replayed in memory. */
export async function readInMemory(bytes: Uint8Array, context: OpenContext): Promise<Uint8Array> {
  return contents(await vhdxFormat.open(new MemoryDevice(bytes), context));
}

/** The disk of an image in memory, its log replayed in memory; and again after it was opened for writing, which replays for real. */
export async function readBothWays(
  bytes: Uint8Array,
  context: OpenContext,
): Promise<{ inMemory: Uint8Array; forReal: Uint8Array }> {
  const device = new MemoryDevice(bytes.slice());
  const inMemory = await readInMemory(bytes, context);
  const writable = await vhdxFormat.openWritable!(device, context);
  await writable[Symbol.asyncDispose]();
  const said: string[] = [];
  const report: OpenContext['report'] = ({ structure, message }) => {
    // A header that was being written is mended with the next write, not when nothing is.
    if (!structure?.startsWith('header ')) said.push(message);
  };
  const openReference = context.openReference.bind(context);
  const forReal = await contents(await vhdxFormat.open(device, { openReference, report }));
  if (said.length > 0) throw new Error(`after the replay: ${said.join('; ')}`);
  return { inMemory, forReal };
}
