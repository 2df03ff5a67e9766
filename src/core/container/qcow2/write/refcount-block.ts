import { bitField } from '../../../bytes/bits.ts';
import { divideDown } from '../../../bytes/rounding.ts';
import { viewOf } from '../../../bytes/struct.ts';

/**
 * One cluster of reference counts, each of 1 to 64 bits; counts of less than a byte begin at its least significant bit (qcow2
 * specification, section "Refcount table entry and refcount block").
 */
export class RefcountBlock {
  /** The block as it stands in the file. */
  readonly bytes: Uint8Array;
  readonly entryCount: number;
  /** The largest count that is ever set: what fits, and what a `number` holds exactly. */
  readonly maximum: number;
  readonly #view: DataView;
  readonly #bits: number;

  /** `refcountBits`: a power of two from 1 to 64. */
  constructor(bytes: Uint8Array, refcountBits: number) {
    this.bytes = bytes;
    this.#view = viewOf(bytes);
    this.#bits = refcountBits;
    this.entryCount = divideDown(bytes.length * 8, refcountBits);
    this.maximum = refcountBits >= 53 ? Number.MAX_SAFE_INTEGER : 2 ** refcountBits - 1;
  }

  /** A count above 2^53-1 comes rounded: such a one is never set again. */
  get(index: number): number {
    const bits = this.#bits;
    if (bits === 16) return this.#view.getUint16(index * 2);
    if (bits === 64) return Number(this.#view.getBigUint64(index * 8));
    if (bits === 32) return this.#view.getUint32(index * 4);
    if (bits === 8) return this.bytes[index]!;
    const perByte = 8 / bits;
    return bitField(this.bytes[divideDown(index, perByte)]!, (index % perByte) * bits, bits);
  }

  /** `count` is at most `maximum`. */
  set(index: number, count: number): void {
    const bits = this.#bits;
    if (bits === 16) this.#view.setUint16(index * 2, count);
    else if (bits === 64) this.#view.setBigUint64(index * 8, BigInt(count));
    else if (bits === 32) this.#view.setUint32(index * 4, count);
    else if (bits === 8) this.bytes[index] = count;
    else {
      const perByte = 8 / bits;
      const at = divideDown(index, perByte);
      this.bytes[at] = this.bytes[at]! + (count - this.get(index)) * 2 ** ((index % perByte) * bits);
    }
  }

  /** The byte of the block that count `index` begins in, for writing only what changed. */
  byteOf(index: number): number {
    return divideDown(index * this.#bits, 8);
  }
}
