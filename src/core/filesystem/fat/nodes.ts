import { hasBit } from '../../bytes/bits.ts';
import { clamp, roundDown, roundUp } from '../../bytes/rounding.ts';
import { type BlockDevice, type ByteRange, type ReadOptions, readBytes } from '../../device/block-device.ts';
import type { Extent, ExtentSource } from '../../device/extent.ts';
import type {
  Directory,
  DirectoryEntry,
  ExtendedAttribute,
  ListOptions,
  MapOptions,
  NodeTimes,
  RegularFile,
} from '../filesystem.ts';
import type { CodePage } from './code-page.ts';
import { type DecodedEntry, DirectoryDecoder, nodeIdOf } from './directory-decoder.ts';
import { ATTRIBUTE_BITS, SLOT_BYTES } from './directory-entry.ts';
import { foldCase } from './fold-case.ts';
import type { FatGeometry } from './geometry.ts';
import { isDirectoryStart } from './recover/directory-start.ts';
import { type ClusterStorage, endOfDevice, type Storage } from './storage.ts';

/** Bytes of a directory read at once. */
const READ_BYTES = 64 * 1024;

/** The filesystem that a directory lies in. */
interface DirectoryVolume {
  readonly device: BlockDevice;
  readonly geometry: FatGeometry;
  readonly codePage: CodePage;
}

/** What a node is made of. */
export interface NodeParts {
  readonly id: number;
  /** Bytes. */
  readonly size: number;
  readonly times: NodeTimes;
  readonly flags: readonly string[];
  readonly deleted: boolean;
  readonly location: ByteRange;
  readonly storage: Storage;
}

abstract class FatNode {
  readonly id: number;
  readonly size: number;
  readonly times: NodeTimes;
  readonly flags: readonly string[];
  readonly deleted: boolean;
  readonly location: ByteRange;
  protected readonly storage: Storage;

  constructor(parts: NodeParts) {
    this.id = parts.id;
    this.size = parts.size;
    this.times = parts.times;
    this.flags = parts.flags;
    this.deleted = parts.deleted;
    this.location = parts.location;
    this.storage = parts.storage;
  }

  /** The part of `range` below `size`. */
  extents(range: ByteRange, options?: MapOptions): AsyncGenerator<Extent, void> {
    const length = Math.max(0, Math.min(range.length, this.size - range.start));
    return this.storage.extents({ start: range.start, length }, options);
  }

  /** FAT has none. */
  async attributes(): Promise<readonly ExtendedAttribute[]> {
    return [];
  }
}

export class FatFile extends FatNode implements RegularFile {
  readonly kind = 'file';
  /** The clusters that the size needs; a chain may be longer. */
  readonly allocated: number;
  readonly #clusters: ClusterStorage;

  constructor(parts: NodeParts & { readonly storage: ClusterStorage }, clusterSize: number) {
    super(parts);
    this.allocated = roundUp(parts.size, clusterSize);
    this.#clusters = parts.storage;
  }

  /** To the end of the chain; where that is gone, to the end of the last cluster that the size needs. */
  async slack(options?: ReadOptions): Promise<ExtentSource> {
    const end = this.deleted ? this.allocated : await this.#clusters.measure(options);
    return tailOf(this.storage, this.size, Math.max(this.size, end));
  }
}

/** What a storage holds from `from` up to `end`. */
function tailOf(storage: Storage, from: number, end: number): ExtentSource {
  return {
    size: end - from,
    async *extents(range, options) {
      const place = { start: from + range.start, length: Math.min(range.length, end - from - range.start) };
      for await (const extent of storage.extents(place, options)) yield { ...extent, start: extent.start - from };
    },
  };
}

export class FatDirectory extends FatNode implements Directory {
  readonly kind = 'directory';
  readonly allocated: number;
  readonly #device: BlockDevice;
  readonly #codePage: CodePage;
  readonly #reportOrphan: (offset: number, message: string) => void;
  readonly #geometry: FatGeometry;
  readonly #formerStart: number | undefined;

  /**
   * `size` is what the clusters of the directory hold, `allocated` the same, or 0 for a fixed root. `formerStart`: the first cluster
   * of a deleted one, where other bytes may be by now.
   */
  constructor(
    parts: NodeParts & { readonly allocated: number; readonly formerStart?: number },
    { device, geometry, codePage }: DirectoryVolume,
    reportOrphan: (offset: number, message: string) => void,
  ) {
    super(parts);
    this.allocated = parts.allocated;
    this.#device = device;
    this.#geometry = geometry;
    this.#formerStart = parts.formerStart;
    this.#codePage = codePage;
    this.#reportOrphan = reportOrphan;
  }

  async *entries(options: ListOptions = {}): AsyncGenerator<DirectoryEntry, void> {
    for await (const batch of this.entryBatches(options)) for (const entry of batch) yield entry;
  }

  async *entryBatches(options: ListOptions = {}): AsyncGenerator<readonly DirectoryEntry[], void> {
    for await (const decoded of this.decode(options)) {
      const batch: DirectoryEntry[] = [];
      for (const entry of decoded) {
        if (entry.kind === 'label' || (entry.deleted && options.deleted !== true)) continue;
        batch.push(toDirectoryEntry(entry, entry.kind));
      }
      yield batch;
    }
  }

  /** Long and short names, in any case; the one that is written the same wins. */
  async lookup(name: string, options?: ReadOptions): Promise<DirectoryEntry | undefined> {
    const folded = foldCase(name);
    let similar: DirectoryEntry | undefined;
    for await (const batch of this.decode(options)) {
      for (const entry of batch) {
        if (entry.kind === 'label' || entry.deleted) continue;
        if (entry.name === name) return toDirectoryEntry(entry, entry.kind);
        if (similar !== undefined) continue;
        const { shortName } = entry;
        const isSimilar =
          foldCase(entry.name) === folded || (shortName !== undefined && foldCase(shortName) === folded);
        if (isSimilar) similar = toDirectoryEntry(entry, entry.kind);
      }
    }
    return similar;
  }

  /** Every entry, labels and deleted ones too, as many at once as one read gave. */
  async *decode(options?: ReadOptions): AsyncGenerator<readonly DecodedEntry[], void> {
    const decoder = new DirectoryDecoder(this.#codePage, this.#reportOrphan);
    for await (const { start, length } of this.storage.toEnd(options)) {
      // What a truncated image still has of the directory is read, then its end is the error.
      const held = roundDown(clamp(this.#device.size - start, 0, length), SLOT_BYTES);
      for (let done = 0; done < held; done += READ_BYTES) {
        options?.signal?.throwIfAborted();
        const bytes = await readBytes(this.#device, start + done, Math.min(READ_BYTES, held - done), options);
        yield decoder.push(bytes, start + done);
        if (decoder.ended) return;
      }
      if (held < length) throw endOfDevice(start + held, this.#device.size);
    }
    decoder.finish();
  }

  /** What is live, or has no cluster of its own, is. */
  async isStillThere(options?: ReadOptions): Promise<boolean> {
    const cluster = this.#formerStart;
    return cluster === undefined || (await isDirectoryStart(this.#device, this.#geometry, cluster, options));
  }
}

function toDirectoryEntry(entry: DecodedEntry, kind: 'directory' | 'file'): DirectoryEntry {
  const { name, deleted, shortName } = entry;
  const found = { name, nodeId: nodeIdOf(entry.offset), kind, deleted };
  return shortName === undefined ? found : { ...found, shortName };
}

/** Attribute bits in words; that of a directory is its kind. */
export function attributeWords(attributes: number): string[] {
  const words: string[] = [];
  if (hasBit(attributes, ATTRIBUTE_BITS.readOnly)) words.push('read-only');
  if (hasBit(attributes, ATTRIBUTE_BITS.hidden)) words.push('hidden');
  if (hasBit(attributes, ATTRIBUTE_BITS.system)) words.push('system');
  if (hasBit(attributes, ATTRIBUTE_BITS.archive)) words.push('archive');
  return words;
}
