import { divideDown } from '../../../bytes/rounding.ts';
import { viewOf } from '../../../bytes/struct.ts';
import { assert } from '../../../errors.ts';
import { ENTRY_BYTES } from '../table-entries.ts';

/** Of an entry's high half: bit 63, the reference count is exactly one; bit 62, the cluster is compressed. */
const COPIED = 2 ** 31;
const COMPRESSED = 2 ** 30;
/** Compressed clusters are counted in units of this many bytes. */
const SECTOR_BYTES = 512;

/** An L1 or L2 table that is filled entry by entry (qcow2 specification, section "Cluster mapping table"). */
export class TableBuilder {
  readonly bytes: Uint8Array;
  readonly #view: DataView;

  constructor(entryCount: number) {
    this.bytes = new Uint8Array(entryCount * ENTRY_BYTES);
    this.#view = viewOf(this.bytes);
  }

  /** A table or a data cluster of its own at `hostOffset`. */
  setOwned(index: number, hostOffset: number): void {
    this.#set(index, divideDown(hostOffset, 2 ** 32) + COPIED, hostOffset % 2 ** 32);
  }

  /** `length` compressed bytes at `hostOffset` (section "Compressed Clusters Descriptor"). */
  setCompressed(index: number, hostOffset: number, length: number, clusterBits: number): void {
    const offsetBits = 62 - (clusterBits - 8);
    assert(hostOffset + length <= 2 ** offsetBits, 'a compressed cluster lies where its descriptor reaches');
    const furtherSectors = divideDown(hostOffset + length - 1, SECTOR_BYTES) - divideDown(hostOffset, SECTOR_BYTES);
    const high = divideDown(hostOffset, 2 ** 32) + furtherSectors * 2 ** (offsetBits - 32) + COMPRESSED;
    this.#set(index, high, hostOffset % 2 ** 32);
  }

  #set(index: number, high: number, low: number): void {
    this.#view.setUint32(index * ENTRY_BYTES, high);
    this.#view.setUint32(index * ENTRY_BYTES + 4, low);
  }
}
