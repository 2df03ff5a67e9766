import { bitField, hasBit, joinHalves } from '../../../bytes/bits.ts';
import { viewOf } from '../../../bytes/struct.ts';
import type { Geometry } from '../geometry.ts';
import { I_BLOCK_BYTES, I_BLOCK_OFFSET, INODE, INODE_REST } from '../inode.ts';

/** `i_mode`, bits 12 to 15. */
export const FILE_TYPE = {
  fifo: 1,
  characterDevice: 2,
  directory: 4,
  blockDevice: 6,
  file: 8,
  symlink: 10,
  socket: 12,
} as const;

const { fields } = INODE;

/** An inode as its bytes stand in the table, whatever they say: for the check, which must look at inodes that no reader takes. */
export class RawInode {
  readonly id: number;
  /** Byte offset in the device. */
  readonly offset: number;
  /** The whole inode, and no more; its memory may be used again when the scan goes on. */
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  readonly mode: number;
  readonly type: number;
  readonly linkCount: number;
  readonly flags: number;
  readonly size: number;
  readonly generation: number;
  readonly deleteTime: number;
  readonly attributeBlock: number;

  readonly #at: number;

  /** `bytes` is the inode alone; `view` may show more, of which the inode begins at `at`. */
  constructor(bytes: Uint8Array, id: number, offset: number, view: DataView = viewOf(bytes), at = 0) {
    this.id = id;
    this.offset = offset;
    this.bytes = bytes;
    this.#view = view;
    this.#at = at;
    this.mode = fields.mode.get(view, at);
    this.type = bitField(this.mode, 12, 4);
    this.linkCount = fields.linkCount.get(view, at);
    this.flags = fields.flags.get(view, at);
    this.size = joinHalves(fields.sizeHigh.get(view, at), fields.sizeLow.get(view, at));
    this.generation = fields.generation.get(view, at);
    this.deleteTime = fields.deleteTime.get(view, at);
    this.attributeBlock = joinHalves(fields.attributeBlockHigh.get(view, at), fields.attributeBlockLow.get(view, at));
  }

  field(name: 'sizeHigh' | 'sizeLow' | 'blocksLow' | 'blocksHigh' | 'attributeBlockHigh' | 'extraSize'): number {
    return fields[name].get(this.#view, this.#at);
  }

  time(name: 'accessTime' | 'changeTime' | 'modifyTime'): number {
    return fields[name].get(this.#view, this.#at);
  }

  rest(name: keyof typeof INODE_REST.fields): number {
    return INODE_REST.fields[name].get(this.#view, this.#at);
  }

  has(flag: number): boolean {
    return hasBit(this.flags, flag);
  }

  is(type: keyof typeof FILE_TYPE): boolean {
    return this.type === FILE_TYPE[type];
  }

  /** A word of the inode. */
  word(at: number): number {
    return this.#view.getUint32(this.#at + at, true);
  }

  /** `i_block` as words, 0 to 14. */
  block(index: number): number {
    return this.#view.getUint32(this.#at + I_BLOCK_OFFSET + index * 4, true);
  }

  get iBlock(): Uint8Array {
    return this.bytes.subarray(I_BLOCK_OFFSET, I_BLOCK_OFFSET + I_BLOCK_BYTES);
  }

  /** The units of `i_blocks`: 512 bytes, or blocks of the filesystem. */
  isCountedInBlocks(geometry: Geometry, hugeFileFlag: number): boolean {
    return geometry.features.readOnlyCompatible.has('huge_file') && this.has(hugeFileFlag);
  }

  /** `i_blocks` in its own units. */
  blockCount(geometry: Geometry): number {
    const hasHigh = geometry.features.readOnlyCompatible.has('huge_file');
    return joinHalves(hasHigh ? this.field('blocksHigh') : 0, this.field('blocksLow'));
  }

  /** Whether i_block, which a fast symlink or a device uses otherwise, tells blocks (ext2fs_inode_has_valid_blocks2). */
  mapsBlocks(inlineFlag: number): boolean {
    if (this.is('symlink')) {
      if (this.attributeBlock === 0) return this.field('blocksLow') !== 0 && !this.has(inlineFlag);
      const isLong = this.field('sizeLow') >= I_BLOCK_BYTES || (this.field('sizeLow') > 4 && this.block(1) === 0);
      return isLong;
    }
    return (this.is('directory') || this.is('file')) && !this.has(inlineFlag);
  }
}
