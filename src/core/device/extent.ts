import { assert, errorInFile } from '../errors.ts';
import type { BlockDevice, ByteRange, ReadOptions } from './block-device.ts';
import { FileDevice } from './file-device.ts';

/** Where the bytes of a contiguous range live. `start` and `length` are in the device that answers. */
export type Extent = ByteRange &
  (
    | { readonly kind: 'data'; readonly source: BlockDevice; readonly sourceOffset: number }
    | {
        readonly kind: 'encoded';
        readonly source: BlockDevice;
        readonly sourceOffset: number;
        readonly sourceLength: number;
        /** The encoding's name: `zlib`, `zstd` when compressed, `luks`, `aes` when encrypted. */
        readonly encoding: string;
        /** Reads decoded bytes; `offset` counts from the extent's `start`. */
        decodeInto(target: Uint8Array, offset: number, options?: ReadOptions): Promise<void>;
        /** Who decodes several whole extents at less cost than one by one. */
        readonly decoder?: RunDecoder | undefined;
      }
    /** The next layer of a chain has the bytes, from its byte `layerOffset` on. */
    | { readonly kind: 'inherited'; readonly layer: BlockDevice; readonly layerOffset: number }
    /** `explicit`: the image says zero here; otherwise nothing was ever written. */
    | { readonly kind: 'zero'; readonly explicit: boolean }
  );

export type EncodedExtent = Extent & { readonly kind: 'encoded' };

/** Decodes extents that follow one another in the device. */
export interface RunDecoder {
  /** Bytes of the device that each of its extents covers when it is whole. */
  readonly unitBytes: number;
  /** Fills `target` with the bytes of `extents`, all of them whole. */
  decodeRun(extents: readonly EncodedExtent[], target: Uint8Array, options?: ReadOptions): Promise<void>;
}

/** Something that tells where its bytes live: a container, a regular file. */
export interface ExtentSource {
  /** Bytes. */
  readonly size: number;
  /** The extents of `range` in ascending order, without gaps, clipped to the range. */
  extents(range: ByteRange, options?: ReadOptions): AsyncIterable<Extent>;
}

/** The part of an extent inside `range`; the two must overlap. An encoded extent keeps its whole source. */
export function clipExtent(extent: Extent, range: ByteRange): Extent {
  const start = Math.max(extent.start, range.start);
  const end = Math.min(extent.start + extent.length, range.start + range.length);
  const length = end - start;
  assert(length > 0, 'clipExtent needs an overlap');
  if (start === extent.start && length === extent.length) return extent;
  const skipped = start - extent.start;
  switch (extent.kind) {
    case 'data':
      return { ...extent, start, length, sourceOffset: extent.sourceOffset + skipped };
    case 'encoded':
      return {
        ...extent,
        start,
        length,
        decodeInto: (target, offset, options) => extent.decodeInto(target, offset + skipped, options),
      };
    case 'inherited':
      return { ...extent, start, length, layerOffset: extent.layerOffset + skipped };
    case 'zero':
      return { ...extent, start, length };
  }
}

/** Joins `next` to `last` when one extent can say both; otherwise undefined. */
export function joinExtents(last: Extent, next: Extent): Extent | undefined {
  if (last.start + last.length !== next.start) return undefined;
  const length = last.length + next.length;
  if (last.kind === 'data' && next.kind === 'data') {
    const adjacent = last.source === next.source && last.sourceOffset + last.length === next.sourceOffset;
    return adjacent ? { ...last, length } : undefined;
  }
  if (last.kind === 'zero' && next.kind === 'zero')
    return last.explicit === next.explicit ? { ...last, length } : undefined;
  if (last.kind === 'inherited' && next.kind === 'inherited') {
    const adjacent = last.layer === next.layer && last.layerOffset + last.length === next.layerOffset;
    return adjacent ? { ...last, length } : undefined;
  }
  return undefined;
}

/** The same extents with neighbours joined; when the source fails, what came before the failure is still given. */
export async function* mergeExtents(extents: AsyncIterable<Extent> | Iterable<Extent>): AsyncGenerator<Extent, void> {
  let last: Extent | undefined;
  try {
    for await (const extent of extents) {
      const joined = last === undefined ? undefined : joinExtents(last, extent);
      if (last !== undefined && joined === undefined) yield last;
      last = joined ?? extent;
    }
  } catch (error) {
    if (last !== undefined) yield last;
    throw error;
  }
  if (last !== undefined) yield last;
}

/** How many extents, or runs of encoded ones, one call of `readExtents` reads at once: enough to keep several processors busy. */
const MAX_PARALLEL_READS = 8;
/** The most that one run of encoded extents decodes to, in bytes: small enough that a chunk is several runs. */
const MAX_RUN_BYTES = 1024 * 1024;

/** An extent, or several encoded ones that are decoded together, and its place in the device. */
interface ReadStep {
  readonly start: number;
  readonly length: number;
  read(target: Uint8Array, options?: ReadOptions): Promise<void>;
}

/** Neighbouring encoded extents of one decoder as one step, every other extent as its own. */
async function* readSteps(extents: AsyncIterable<Extent>): AsyncGenerator<ReadStep, void> {
  let run: EncodedExtent[] = [];
  for await (const extent of extents) {
    const last = run.at(-1);
    const decoder = extent.kind === 'encoded' ? extent.decoder : undefined;
    const isWhole = decoder !== undefined && extent.length === decoder.unitBytes;
    if (
      last !== undefined &&
      (!isWhole || decoder !== last.decoder || (run.length + 1) * last.length > MAX_RUN_BYTES)
    ) {
      yield runStep(run);
      run = [];
    }
    if (isWhole) run.push(extent as EncodedExtent);
    else
      yield {
        start: extent.start,
        length: extent.length,
        read: (target, options) => readExtent(extent, target, options),
      };
  }
  if (run.length > 0) yield runStep(run);
}

function runStep(run: readonly EncodedExtent[]): ReadStep {
  const first = run[0]!;
  const length = run.length * first.length;
  return { start: first.start, length, read: (target, options) => first.decoder!.decodeRun(run, target, options) };
}

/**
 * Fills `target` from byte `offset` of whatever the extents describe: the read path of every mapped device. Extents are read a
 * few at a time; nothing is left running when the call ends, and of several failures the one at the lowest offset is thrown.
 */
export async function readExtents(
  mapped: ExtentSource,
  target: Uint8Array,
  offset: number,
  options?: ReadOptions,
): Promise<void> {
  const extents = mapped.extents({ start: offset, length: target.length }, options)[Symbol.asyncIterator]();
  const first = await extents.next();
  // A small file is one extent more often than not, and there may be a hundred thousand of them.
  if (first.done !== true && first.value.kind !== 'encoded' && first.value.length === target.length) {
    await extents.return?.();
    return readExtent(first.value, target, options);
  }
  return readSeveral(resumed(first, extents), target, offset, options);
}

async function* resumed(
  first: IteratorResult<Extent, unknown>,
  rest: AsyncIterator<Extent>,
): AsyncGenerator<Extent, void> {
  try {
    for (let next = first; next.done !== true; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}

async function readSeveral(
  extents: AsyncIterable<Extent>,
  target: Uint8Array,
  offset: number,
  options?: ReadOptions,
): Promise<void> {
  const running = new Set<Promise<void>>();
  let failure: { readonly start: number; readonly error: unknown } | undefined;
  const fail = (start: number, error: unknown): void => {
    if (failure === undefined || start < failure.start) failure = { start, error };
  };
  let done = 0;
  try {
    for await (const step of readSteps(extents)) {
      assert(step.start === offset + done, 'extents are ascending and without gaps');
      const part = target.subarray(done, done + step.length);
      assert(part.length === step.length, 'extents are clipped to the range');
      const reading: Promise<void> = step
        .read(part, options)
        .catch((error: unknown) => fail(step.start, error))
        .finally(() => running.delete(reading));
      running.add(reading);
      done += step.length;
      if (running.size >= MAX_PARALLEL_READS) await Promise.race(running);
      if (failure !== undefined) break;
    }
  } catch (error) {
    fail(offset + done, error);
  }
  await Promise.all(running);
  if (failure !== undefined) throw failure.error;
  assert(done === target.length, 'extents cover the range');
}

async function readExtent(extent: Extent, target: Uint8Array, options?: ReadOptions): Promise<void> {
  switch (extent.kind) {
    case 'data':
      return extent.source.readInto(target, extent.sourceOffset, options);
    case 'encoded':
      return extent.decodeInto(target, 0, options);
    case 'inherited':
      return extent.layer.readInto(target, extent.layerOffset, options).catch((error: unknown) => {
        throw errorInLayer(error, extent.layer);
      });
    case 'zero':
      target.fill(0);
  }
}

/** An error of the next layer of a chain: it says which file it is about. */
export function errorInLayer(error: unknown, layer: BlockDevice): unknown {
  return 'file' in layer && layer.file instanceof FileDevice ? errorInFile(error, layer.file.path) : error;
}

/** A device's extents as far as it can tell them: a plain device is one run of data. Clipped to `range`. */
export async function* extentsOf(
  device: BlockDevice,
  range: ByteRange,
  options?: ReadOptions,
): AsyncGenerator<Extent, void> {
  if (range.length === 0) return;
  if ('extents' in device) yield* (device as BlockDevice & ExtentSource).extents(range, options);
  else yield { kind: 'data', ...range, source: device, sourceOffset: range.start };
}
