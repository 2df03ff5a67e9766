import { divideDown, divideUp } from '../../bytes/rounding.ts';
import type { BlockDevice, ByteRange, ReadOptions } from '../../device/block-device.ts';
import { clipExtent, type Extent } from '../../device/extent.ts';
import { assert, corrupt, DiskError, outOfRange } from '../../errors.ts';
import type { LostRange, MapOptions } from '../filesystem.ts';
import type { ClusterChain } from './cluster-chain.ts';
import type { FormerClusters } from './former-clusters.ts';
import { clusterOffset, type FatGeometry } from './geometry.ts';

/** Where the bytes of a node lie in the device. */
export interface Storage {
  /** Bytes of `range` as runs; what the FAT does not give is CORRUPT, what the device does not hold OUT_OF_RANGE, or lost as the options say. */
  extents(range: ByteRange, options?: MapOptions): AsyncGenerator<Extent, void>;
  /** Everything to its end, wherever that is: the places in the device, in order. */
  toEnd(options?: ReadOptions): AsyncGenerator<ByteRange, void>;
}

/** A directory longer than this is hostile: the specification allows 2 MiB, nobody writes much more. In bytes. */
const MAX_DIRECTORY_BYTES = 64 * 1024 * 1024;

/** The fixed root directory of FAT12 and FAT16. */
export class FixedStorage implements Storage {
  readonly #device: BlockDevice;
  readonly #place: ByteRange;

  constructor(device: BlockDevice, place: ByteRange) {
    this.#device = device;
    this.#place = place;
  }

  async *extents(range: ByteRange, options?: MapOptions): AsyncGenerator<Extent, void> {
    const { start, length } = this.#place;
    if (range.start >= length || range.length === 0) return;
    yield* insideDevice(
      clipExtent({ kind: 'data', start: 0, length, source: this.#device, sourceOffset: start }, range),
      this.#device,
      options?.onLost,
    );
  }

  async *toEnd(): AsyncGenerator<ByteRange, void> {
    yield this.#place;
  }
}

/** A file or directory in clusters. */
export class ClusterStorage implements Storage {
  readonly #device: BlockDevice;
  readonly #geometry: FatGeometry;
  readonly #clusters: ClusterChain | FormerClusters;
  readonly #own: number;

  /** `own`: after how many clusters a chain goes on in those of another file. */
  constructor(
    device: BlockDevice,
    geometry: FatGeometry,
    clusters: ClusterChain | FormerClusters,
    own: number = Number.POSITIVE_INFINITY,
  ) {
    this.#own = own;
    this.#device = device;
    this.#geometry = geometry;
    this.#clusters = clusters;
  }

  extents(range: ByteRange, options?: MapOptions): AsyncGenerator<Extent, void> {
    const onLost = options?.onLost;
    return onLost === undefined ? this.#runs(range, options) : this.#readableRuns(range, { ...options, onLost });
  }

  /** Where a chain breaks nothing tells where the rest is: it is lost. */
  async *#readableRuns(
    range: ByteRange,
    options: MapOptions & { readonly onLost: (lost: LostRange) => void },
  ): AsyncGenerator<Extent, void> {
    let at = range.start;
    try {
      for await (const extent of this.#runs(range, options)) {
        at = extent.start + extent.length;
        yield extent;
      }
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      const lost = { start: at, length: range.start + range.length - at };
      options.onLost({ ...lost, reason: error });
      yield { ...lost, kind: 'zero', explicit: false };
    }
  }

  async *#runs(range: ByteRange, options?: MapOptions): AsyncGenerator<Extent, void> {
    if (range.length === 0) return;
    const { clusterSize } = this.#geometry;
    const from = divideDown(range.start, clusterSize);
    const count = divideUp(range.start + range.length, clusterSize) - from;
    let start = from * clusterSize;
    for await (const { cluster, count: clusters } of this.#clusters.runs(from, count, options)) {
      const length = clusters * clusterSize;
      const sourceOffset = clusterOffset(this.#geometry, cluster);
      const extent: Extent = { kind: 'data', start, length, source: this.#device, sourceOffset };
      yield* insideDevice(clipExtent(extent, range), this.#device, options?.onLost);
      start += length;
    }
  }

  async *toEnd(options?: ReadOptions): AsyncGenerator<ByteRange, void> {
    const { clusterSize } = this.#geometry;
    const most = divideUp(MAX_DIRECTORY_BYTES, clusterSize);
    const limit = Math.min(most, this.#own);
    let clusters = 0;
    for await (const { cluster, count } of this.#clusters.runs(0, limit, { ...options, toEnd: true })) {
      clusters += count;
      yield { start: clusterOffset(this.#geometry, cluster), length: count * clusterSize };
      if (clusters < most) continue;
      throw corrupt({
        layer: 'fat',
        structure: 'directory',
        offset: clusterOffset(this.#geometry, cluster),
        expected: `at most ${MAX_DIRECTORY_BYTES} bytes`,
        found: 'more',
      });
    }
  }

  /** Bytes of a directory as far as its clusters can be followed; a broken chain counts up to the break. */
  async measureDirectory(options?: ReadOptions): Promise<number> {
    return asFarAsReadable(this.toEnd(options), ({ length }) => length);
  }

  /** The same of a file, however long. */
  async measure(options?: ReadOptions): Promise<number> {
    const { clusterSize, clusterCount } = this.#geometry;
    const runs = this.#clusters.runs(0, clusterCount, { ...options, toEnd: true });
    return asFarAsReadable(runs, ({ count }) => count * clusterSize);
  }
}

async function asFarAsReadable<Part>(parts: AsyncIterable<Part>, length: (part: Part) => number): Promise<number> {
  let bytes = 0;
  try {
    for await (const part of parts) bytes += length(part);
  } catch (error) {
    if (!(error instanceof DiskError) || error.code === 'IO') throw error;
  }
  return bytes;
}

/** The part of an extent that the device holds; then, if any is missing, where it ends: as lost, or as an error. */
function* insideDevice(
  extent: Extent,
  device: BlockDevice,
  onLost: ((lost: LostRange) => void) | undefined,
): Generator<Extent, void> {
  assert(extent.kind === 'data', 'FAT has no holes');
  const held = device.size - extent.sourceOffset;
  if (held >= extent.length) {
    yield extent;
    return;
  }
  if (held > 0) yield { ...extent, length: held };
  const reason = endOfDevice(Math.max(extent.sourceOffset, device.size), device.size);
  if (onLost === undefined) throw reason;
  const start = extent.start + Math.max(held, 0);
  const length = extent.start + extent.length - start;
  onLost({ start, length, reason });
  yield { start, length, kind: 'zero', explicit: false };
}

/** For what the FAT places beyond the end of a truncated image. */
export function endOfDevice(offset: number, size: number): DiskError {
  return outOfRange({
    layer: 'fat',
    structure: 'cluster',
    offset,
    expected: `a place inside the ${size} bytes of the device`,
    found: 'the end of the device',
  });
}
