import { divideDown, roundUp } from '../../../bytes/rounding.ts';
import { viewOf } from '../../../bytes/struct.ts';
import type { ReadOptions, ResizableBlockDevice } from '../../../device/block-device.ts';
import { assert } from '../../../errors.ts';
import type { SequentialWriter } from '../../sequential-writer.ts';
import { BAT_ENTRY_BYTES, PAYLOAD_BLOCK, packBatEntry, payloadEntryIndex } from '../block-allocation-table.ts';
import { KIB, MIB } from '../header.ts';
import { finishVhdx, startVhdx } from './create-vhdx.ts';
import { buildVhdxLayout, type VhdxLayout } from './vhdx-layout.ts';

export interface VhdxStreamOptions {
  /** Bytes of the disk, a multiple of the logical sector size. */
  readonly virtualSize: number;
  /** Bytes, a power of two from 1 MiB to 256 MiB. */
  readonly blockSize?: number | undefined;
  readonly logicalSectorSize: 512 | 4096;
}

/** Bytes of the block allocation table that are filled before they are written. */
const TABLE_PIECE_BYTES = 64 * KIB;
const ENTRIES_PER_PIECE = TABLE_PIECE_BYTES / BAT_ENTRY_BYTES;
/** The file grows by this much at once. */
const GROWTH_BYTES = 16 * MIB;

/** A dynamic VHDX in one pass: blocks in the order in which their first data comes, each table entry as its turn comes. */
export class VhdxStreamWriter implements SequentialWriter {
  /** Parts of a block that are never given stay holes of the file; these are the blocks of nearly every host filesystem. */
  readonly unitBytes: number = 4096;
  readonly #device: ResizableBlockDevice;
  readonly #layout: VhdxLayout;
  /** The part of the table that is being filled. */
  #piece: { readonly index: number; readonly bytes: Uint8Array } | undefined;
  #block = -1;
  #blockOffset = 0;
  /** Where the next block is taken. */
  #end: number;

  private constructor(device: ResizableBlockDevice, layout: VhdxLayout) {
    this.#device = device;
    this.#layout = layout;
    this.#end = layout.payloadOffset;
  }

  /** Writes to a device whatever it held. OUT_OF_RANGE for sizes that the format does not have, before anything is written. */
  static async start(device: ResizableBlockDevice, options: VhdxStreamOptions): Promise<VhdxStreamWriter> {
    const layout = buildVhdxLayout({ ...options, type: 'dynamic' });
    await startVhdx(device, layout, layout.payloadOffset);
    return new VhdxStreamWriter(device, layout);
  }

  async write(bytes: Uint8Array, guestOffset: number, options?: ReadOptions): Promise<void> {
    const { blockSize } = this.#layout.geometry;
    for (let at = 0; at < bytes.length; ) {
      const within = (guestOffset + at) % blockSize;
      const length = Math.min(bytes.length - at, blockSize - within);
      await this.#enter(divideDown(guestOffset + at, blockSize), options);
      await this.#device.writeFrom(bytes.subarray(at, at + length), this.#blockOffset + within, options);
      at += length;
    }
  }

  /** Makes the block the current one, with a place at the end of the file. */
  async #enter(block: number, options?: ReadOptions): Promise<void> {
    if (block === this.#block) return;
    assert(block > this.#block, 'data comes in ascending order');
    this.#block = block;
    this.#blockOffset = this.#end;
    this.#end += this.#layout.geometry.blockSize;
    if (this.#end > this.#device.size) await this.#device.resize(roundUp(this.#end, GROWTH_BYTES));
    const entry = payloadEntryIndex(block, this.#layout.geometry);
    const index = divideDown(entry, ENTRIES_PER_PIECE);
    if (this.#piece?.index !== index) {
      await this.#writePiece(options);
      this.#piece = { index, bytes: new Uint8Array(TABLE_PIECE_BYTES) };
    }
    const word = packBatEntry(PAYLOAD_BLOCK.fullyPresent, this.#blockOffset);
    viewOf(this.#piece.bytes).setBigUint64((entry % ENTRIES_PER_PIECE) * BAT_ENTRY_BYTES, word, true);
  }

  async #writePiece(options?: ReadOptions): Promise<void> {
    if (this.#piece === undefined) return;
    const { index, bytes } = this.#piece;
    await this.#device.writeFrom(bytes, this.#layout.batOffset + index * TABLE_PIECE_BYTES, options);
  }

  async finish(options?: ReadOptions): Promise<void> {
    await this.#writePiece(options);
    await this.#device.resize(this.#end);
    await finishVhdx(this.#device);
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
