import { hasBit64 } from '../../../bytes/bits.ts';
import { divideUp, roundUp } from '../../../bytes/rounding.ts';
import {
  type BlockDevice,
  type ByteRange,
  checkRange,
  type ReadOptions,
  type ResizableBlockDevice,
} from '../../../device/block-device.ts';
import type { Extent } from '../../../device/extent.ts';
import { outOfRange } from '../../../errors.ts';
import type { Property } from '../../../format.ts';
import type { BackingLayer, Snapshot, WritableContainer } from '../../container.ts';
import { ReadWriteQueue } from '../../read-write-queue.ts';
import { INCOMPATIBLE } from '../features.ts';
import { headerV3, notSupported, type Qcow2Header } from '../header.ts';
import { Qcow2Container, type Qcow2Parts } from '../qcow2-container.ts';
import { l2TableSpan } from '../table-entries.ts';
import { ClusterWriter } from './cluster-writer.ts';
import { checkVirtualSize } from './create.ts';
import { Metadata } from './metadata.ts';

/**
 * The virtual disk of a QCOW2 image, to be written to. Calls may overlap: they take effect in the order in which they were made.
 * Writes are durable after `flush`. What `extents` gave holds until the next write. A failed write leaves its range undefined and
 * the image whole; after a failed flush or change of the header every further write is refused with IO.
 */
export class WritableQcow2Container implements WritableContainer {
  readonly format = 'qcow2';
  readonly file: BlockDevice;
  readonly #parts: Qcow2Parts;
  readonly #metadata: Metadata;
  readonly #writer: ClusterWriter;
  readonly #queue = new ReadWriteQueue();
  #disk: Qcow2Container;
  #hasBegun = false;
  #isDisposed = false;

  private constructor(parts: Qcow2Parts, metadata: Metadata) {
    this.file = parts.file;
    this.#parts = parts;
    this.#metadata = metadata;
    this.#disk = this.#diskOf(parts.header.virtualSize);
    this.#writer = new ClusterWriter(metadata, this.#disk);
  }

  /** Opens an image that was read as `parts` for writing to `file`, its own. Writes nothing yet. */
  static async open(file: ResizableBlockDevice, parts: Qcow2Parts): Promise<WritableQcow2Container> {
    refuseUnwritable(parts.header);
    return new WritableQcow2Container(parts, await Metadata.open(file, parts.header));
  }

  get size(): number {
    return this.#disk.size;
  }

  get sectorSize(): number {
    return this.#disk.sectorSize;
  }

  get backing(): BackingLayer | undefined {
    return this.#parts.backing;
  }

  get snapshots(): readonly Snapshot[] {
    return this.#parts.snapshots;
  }

  get properties(): readonly Property[] {
    return this.#parts.properties;
  }

  readInto(target: Uint8Array, offset: number, options?: ReadOptions): Promise<void> {
    return this.#queue.read(() => this.#disk.readInto(target, offset, options));
  }

  async *extents(range: ByteRange, options?: ReadOptions): AsyncGenerator<Extent, void> {
    const extents = this.#disk.extents(range, options);
    for (;;) {
      const step = await this.#queue.read(() => extents.next());
      if (step.done === true) return;
      yield step.value;
    }
  }

  writeFrom(source: Uint8Array, offset: number, options?: ReadOptions): Promise<void> {
    return this.#change(async () => {
      checkRange(this, 'qcow2', offset, source.length);
      if (source.length > 0) await this.#writer.write(source, offset, options);
    });
  }

  /** Whole clusters are given up for it, so that zeros take no space. */
  writeZeros(range: ByteRange, options?: ReadOptions): Promise<void> {
    return this.#change(async () => {
      checkRange(this, 'qcow2', range.start, range.length);
      await this.#writer.zero(range, false, options);
    });
  }

  /** What whole clusters held is never seen again, nor is the backing file behind them; parts of clusters stay as they are. */
  discard(range: ByteRange, options?: ReadOptions): Promise<void> {
    return this.#change(async () => {
      checkRange(this, 'qcow2', range.start, range.length);
      await this.#writer.zero(range, true, options);
    });
  }

  /**
   * `size` in bytes, a multiple of 512. The header says so last, after all of it is durable. OUT_OF_RANGE for a smaller size;
   * UNSUPPORTED for a version 2 image with snapshots, whose own sizes it does not keep.
   */
  resize(size: number): Promise<void> {
    return this.#change(async () => {
      this.#checkResize(size);
      if (size !== this.size) await this.#grow(size);
    });
  }

  flush(): Promise<void> {
    return this.#queue.write(async () => {
      this.#metadata.refuseAfterFailure();
      await this.#metadata.commit();
      await this.#metadata.flush();
    });
  }

  #change(task: () => Promise<void>): Promise<void> {
    return this.#queue.write(async () => {
      this.#metadata.refuseAfterFailure();
      if (!this.#hasBegun) await this.#begin();
      await task();
    });
  }

  /** Before anything is changed: the features that say "valid as long as nobody changes the image" go (section "Header", byte 88). */
  async #begin(): Promise<void> {
    const { file, header } = this.#metadata;
    if (header.autoclearFeatures !== 0n) {
      const { offset, length } = headerV3.fields.autoclearFeatures;
      await this.#metadata.writeHeader(new Uint8Array(length), offset);
      this.#parts.report({
        layer: 'qcow2',
        structure: 'header autoclearFeatures',
        offset,
        message: 'cleared by the first write: persistent bitmaps hold no longer, and what they take is leaked space',
      });
    }
    // A file may end inside its last cluster; clusters are written whole from now on.
    const whole = roundUp(file.size, header.clusterSize);
    if (whole !== file.size) await file.resize(whole);
    this.#hasBegun = true;
  }

  #checkResize(size: number): void {
    const { header } = this.#metadata;
    checkVirtualSize(size, header);
    if (size < this.size) {
      const expected = `at least the ${this.size} bytes that the disk has`;
      throw outOfRange({ layer: 'qcow2', structure: 'virtual size', expected, found: size });
    }
    if (header.version === 2 && header.snapshotCount > 0) {
      throw notSupported('nbSnapshots', 'no snapshots in a version 2 image to be resized', header.snapshotCount);
    }
  }

  async #grow(size: number): Promise<void> {
    const { header } = this.#metadata;
    await this.#metadata.growL1Table(divideUp(size, l2TableSpan(header)));
    // The L1 table may be another one now, whatever becomes of the size.
    const before = this.#diskOf(this.size);
    this.#disk = before;
    this.#writer.disk = before;
    const grown = this.#diskOf(size);
    this.#writer.disk = grown;
    try {
      // What lies behind the old end may be of a longer backing file, or left over from a larger disk.
      await this.#writer.zero({ start: before.size, length: size - before.size }, false);
      await this.#metadata.commit();
      await this.#metadata.flush();
      const { offset, length } = headerV3.fields.size;
      const fields = headerV3.build({ size });
      await this.#metadata.writeHeader(fields.subarray(offset, offset + length), offset);
    } catch (error) {
      this.#writer.disk = before;
      throw error;
    }
    this.#disk = grown;
  }

  /** The disk as the tables in memory have it. */
  #diskOf(virtualSize: number): Qcow2Container {
    const { entries } = this.#metadata.l1Table;
    const l1EntriesUsed = entries.entryCount;
    const header = { ...this.#parts.header, virtualSize, l1EntriesUsed, l1TableOffset: entries.hostOffset };
    const { l2Tables } = this.#metadata;
    return new Qcow2Container({ ...this.#parts, header, virtualSize, l1Table: entries, l2Tables });
  }

  /** Flushes, unless writing has failed for good; the image file and the backing file belong to whoever opened them. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    if (this.#hasBegun && !this.#metadata.hasFailed) await this.flush();
    await this.#queue.write(() => this.#disk[Symbol.asyncDispose]());
  }
}

/** What QEMU refuses as well, or what is not written yet. */
function refuseUnwritable({ incompatibleFeatures, cryptMethod }: Qcow2Header): void {
  const refuse = (bit: number, found: string) => {
    if (!hasBit64(incompatibleFeatures, bit)) return;
    throw notSupported('incompatibleFeatures', 'an image that can be written safely', found);
  };
  refuse(INCOMPATIBLE.corrupt, 'the corrupt bit: the image must be repaired first (qemu-img check -r all)');
  refuse(INCOMPATIBLE.dirty, 'the dirty bit: its reference counts are stale (qemu-img check -r all renews them)');
  refuse(INCOMPATIBLE.dataFile, 'an external data file, which is only read');
  if (cryptMethod !== 0) throw notSupported('cryptMethod', 'no encryption', 'an encrypted image, which is only read');
}
