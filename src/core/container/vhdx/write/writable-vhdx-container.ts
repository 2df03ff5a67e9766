import { randomGuid } from '../../../bytes/guid.ts';
import { divideDown } from '../../../bytes/rounding.ts';
import {
  type ByteRange,
  checkRange,
  type ReadOptions,
  type ResizableBlockDevice,
} from '../../../device/block-device.ts';
import { type Extent, mergeExtents } from '../../../device/extent.ts';
import { DiskError, ioError, unsupported } from '../../../errors.ts';
import type { Property } from '../../../format.ts';
import type { BackingLayer, WritableContainer } from '../../container.ts';
import { ReadWriteQueue } from '../../read-write-queue.ts';
import { PAYLOAD_BLOCK } from '../block-allocation-table.ts';
import { VhdxContainer, type VhdxParts } from '../vhdx-container.ts';
import type { VhdxImage } from '../vhdx-format.ts';
import { BlockMap } from './block-map.ts';
import { BlockSpace } from './block-space.ts';
import { type BlockPart, BlockWriter } from './block-writer.ts';
import { type Grown, growDisk } from './grow-disk.ts';
import type { HeaderUpdater } from './header-updater.ts';
import { LogWriter } from './log-writer.ts';
import { MetadataPages } from './metadata-pages.ts';
import { checkVirtualSize } from './vhdx-layout.ts';

/** Edited pages of structures after which they are committed: with those that one block more can edit, they are bounded. */
const MAX_EDITED_PAGES = 8;
/** Extents that are gathered while writers wait. */
const MAX_EXTENTS_AT_ONCE = 256;

/**
 * The virtual disk of a VHDX image that is written to. Each call is durable in what it says of blocks when it returns (data
 * written into blocks that were there already are only after `flush`), calls do not overlap, and a read sees whole calls.
 * After a failure while structures were changed, reads go on and writes are refused: the file is valid, its log may hold
 * something to replay.
 */
export class WritableVhdxContainer implements WritableContainer {
  readonly format = 'vhdx';
  readonly file: ResizableBlockDevice;
  readonly sectorSize: number;
  readonly #queue = new ReadWriteQueue();
  readonly #image: VhdxImage;
  readonly #headers: HeaderUpdater;
  readonly #log: LogWriter;
  readonly #pages: MetadataPages;
  readonly #map: BlockMap;
  readonly #space: BlockSpace;
  readonly #blocks: BlockWriter;
  /** How large the file must be before anything is added to it, in bytes. */
  readonly #fileEnd: number;
  #parts: VhdxParts;
  #regions: VhdxImage['regions'];
  #reader: VhdxContainer;
  #isStarted = false;
  #failure: { readonly cause: unknown } | undefined;

  constructor(image: VhdxImage, file: ResizableBlockDevice, headers: HeaderUpdater, fileEnd: number) {
    const { parts, metadata } = image;
    this.file = file;
    this.sectorSize = parts.sectorSize;
    this.#image = image;
    this.#parts = parts;
    this.#regions = image.regions;
    this.#fileEnd = fileEnd;
    this.#reader = new VhdxContainer(parts);
    this.#headers = headers;
    this.#log = new LogWriter(file, headers);
    this.#pages = new MetadataPages(file, this.#log);
    this.#map = new BlockMap(this.#pages, parts.geometry, parts.batOffset);
    this.#space = new BlockSpace(file, parts.geometry.blockSize);
    this.#blocks = new BlockWriter({
      file,
      pages: this.#pages,
      map: this.#map,
      space: this.#space,
      logicalSectorSize: metadata.logicalSectorSize,
      hasParent: metadata.hasParent,
      leaveBlockAllocated: this.#isFixed,
      readDisk: (target, offset, options) => this.#reader.readInto(target, offset, options),
    });
  }

  get size(): number {
    return this.#reader.size;
  }

  get backing(): BackingLayer | undefined {
    return this.#parts.parent;
  }

  get dataWriteGuid(): string {
    return this.#headers.fields.dataWriteGuid;
  }

  get properties(): readonly Property[] {
    const { sequenceNumber, fileWriteGuid, dataWriteGuid } = this.#headers.fields;
    const now: Readonly<Record<string, string | number>> = {
      currentHeader: this.#headers.currentNumber,
      headerSequenceNumber: String(sequenceNumber),
      fileWriteGuid,
      dataWriteGuid,
    };
    return this.#parts.properties.map((property) => ({ ...property, value: now[property.key] ?? property.value }));
  }

  readInto(target: Uint8Array, offset: number, options?: ReadOptions): Promise<void> {
    return this.#queue.read(() => this.#reader.readInto(target, offset, options));
  }

  /** A writer may come between any two extents. */
  extents(range: ByteRange, options?: ReadOptions): AsyncGenerator<Extent, void> {
    return mergeExtents(this.#pieces(range, options));
  }

  async *#pieces({ start, length }: ByteRange, options?: ReadOptions): AsyncGenerator<Extent, void> {
    checkRange(this, 'vhdx', start, length);
    const end = start + length;
    for (let at = start; at < end; ) {
      const found = await this.#queue.read(async () => {
        const extents: Extent[] = [];
        for await (const extent of this.#reader.extents({ start: at, length: end - at }, options)) {
          extents.push(extent);
          if (extents.length >= MAX_EXTENTS_AT_ONCE) break;
        }
        return extents;
      });
      yield* found;
      at = found.at(-1)!.start + found.at(-1)!.length;
    }
  }

  writeFrom(source: Uint8Array, offset: number, options?: ReadOptions): Promise<void> {
    return this.#changeRange({ start: offset, length: source.length }, options, (part, at) =>
      this.#blocks.write(part, source.subarray(at, at + part.length), options),
    );
  }

  writeZeros(range: ByteRange, options?: ReadOptions): Promise<void> {
    return this.#changeRange(range, options, (part) => this.#blocks.zero(part, options));
  }

  /** Whole blocks become unmapped; those of a fixed disk are filled with zeros where they stand. */
  discard(range: ByteRange, options?: ReadOptions): Promise<void> {
    return this.#changeRange(range, options, (part) => this.#blocks.unmap(part, options));
  }

  /** Works on each block of a range, and commits when enough has come together and at the end. */
  #changeRange(
    { start, length }: ByteRange,
    options: ReadOptions | undefined,
    work: (part: BlockPart, at: number) => Promise<void>,
  ): Promise<void> {
    return this.#queue.write(async () => {
      checkRange(this, 'vhdx', start, length);
      if (length === 0) return;
      const { blockSize } = this.#map.geometry;
      await this.#change(async () => {
        for (let done = 0; done < length; ) {
          options?.signal?.throwIfAborted();
          const block = divideDown(start + done, blockSize);
          const within = (start + done) % blockSize;
          const visible = Math.min(blockSize, this.size - block * blockSize);
          const partLength = Math.min(visible - within, length - done);
          await work({ block, within, length: partLength, isWhole: partLength === visible }, done);
          done += partLength;
          if (this.#pages.editedCount >= MAX_EDITED_PAGES) await this.#commit();
        }
        await this.#commit();
      });
    });
  }

  /** Runs one change under the rules of a session; what it leaves uncommitted when it fails is forgotten. */
  async #change(work: () => Promise<void>): Promise<void> {
    this.#refuseAfterFailure();
    try {
      await this.#start();
      await work();
    } finally {
      this.#blocks.drop();
    }
  }

  /**
   * Before the first change: new GUIDs of the file and of its data in both headers (MS-VHDX 2.2.2), and a file of whole MiB, as
   * log entries name its size in, that reaches over its last block.
   */
  async #start(): Promise<void> {
    if (this.#isStarted) return;
    await this.#headers.update({ fileWriteGuid: randomGuid(), dataWriteGuid: randomGuid() });
    if (this.file.size < this.#fileEnd) await this.file.resize(this.#fileEnd);
    this.#isStarted = true;
  }

  async #commit(): Promise<void> {
    const isChange = this.#pages.editedCount > 0;
    await this.#guarded(() => this.#blocks.commit());
    if (isChange) this.#reader = new VhdxContainer(this.#parts);
  }

  /** After a failure in `work`, nobody knows which of its writes the file has: no more may follow. */
  async #guarded<Value>(work: () => Promise<Value>): Promise<Value> {
    try {
      return await work();
    } catch (cause) {
      this.#failure = { cause };
      this.#reader = new VhdxContainer(this.#parts);
      throw cause;
    }
  }

  #refuseAfterFailure(): void {
    if (this.#failure === undefined) return;
    const { cause } = this.#failure;
    const found = `an earlier write failed: ${cause instanceof DiskError ? cause.message : String(cause)}`;
    throw ioError({ layer: 'vhdx', structure: 'log', expected: 'a file that is opened again', found, cause });
  }

  /** Makes all data durable, and the structures in place: the file then has no log to replay. */
  flush(): Promise<void> {
    return this.#queue.write(async () => {
      this.#refuseAfterFailure();
      if (this.#log.isActive) await this.#guarded(() => this.#log.empty());
      else await this.file.flush();
    });
  }

  resize(size: number): Promise<void> {
    return this.#queue.write(async () => {
      checkVirtualSize(size, this.sectorSize);
      if (size < this.size) {
        const expected = `at least the present ${this.size} bytes: a disk is not made smaller`;
        throw unsupported({ layer: 'vhdx', structure: 'resize', expected, found: size });
      }
      if (size > this.size) await this.#change(() => this.#grow(size));
    });
  }

  async #grow(size: number): Promise<void> {
    await this.#clearTail();
    const grown = await this.#guarded(() =>
      growDisk(
        {
          file: this.file,
          pages: this.#pages,
          space: this.#space,
          regions: this.#regions,
          geometry: this.#map.geometry,
          logicalSectorSize: this.sectorSize,
          hasParent: this.#image.metadata.hasParent,
          allocateAll: this.#isFixed,
          parentSize: this.#parentSize,
        },
        size,
      ),
    );
    this.#adopt(grown, size);
  }

  get #parentSize(): number {
    return this.backing?.device.size ?? 0;
  }

  get #isFixed(): boolean {
    const { leaveBlockAllocated, hasParent } = this.#image.metadata;
    // MS-VHDX 2.6.2.1: the flag means nothing in a file that has a parent.
    return leaveBlockAllocated && !hasParent;
  }

  /** What the last block holds behind the end of the disk is about to be seen: it becomes zeros. */
  async #clearTail(): Promise<void> {
    const { blockSize } = this.#map.geometry;
    const within = this.size % blockSize;
    if (within === 0) return;
    const block = divideDown(this.size, blockSize);
    const { state } = await this.#map.payload(block, this.#image.metadata.hasParent);
    // Where the parent ends there is nothing of it to hide.
    if (state === PAYLOAD_BLOCK.notPresent && this.#parentSize <= this.size) return;
    await this.#blocks.zero({ block, within, length: blockSize - within, isWhole: false });
    await this.#commit();
  }

  #adopt({ geometry, bat }: Grown, size: number): void {
    this.#regions = { ...this.#regions, bat };
    this.#map.replace(geometry, bat.fileOffset);
    this.#parts = { ...this.#parts, geometry, batOffset: bat.fileOffset, virtualSize: size };
    this.#reader = new VhdxContainer(this.#parts);
  }

  /** The file and the parent belong to whoever opened them. After a failure the log stays for the next who opens the file. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#failure === undefined) await this.flush();
  }
}
