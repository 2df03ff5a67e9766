import { bitField64, hasBit64 } from '../../src/core/bytes/bits.ts';

/**
 * A check of QCOW2 images of our own, in memory: every reference is counted anew and compared with what the image says. Knows
 * nothing of the code under test; what it says is compared with `qemu-img check` in test/oracle.
 */
export interface CheckResult {
  readonly errors: readonly string[];
  /** Clusters with more references than there are. */
  readonly leaks: number;
}

const COPIED_BIT = 63;
const COMPRESSED_BIT = 62;

/** Bits 9 to 55. */
function offsetOf(entry: bigint): number {
  return Number(bitField64(entry, 9, 47)) * 512;
}

export function checkQcow2(image: Uint8Array): CheckResult {
  return new Checker(image).run();
}

class Checker {
  readonly #image: Uint8Array;
  readonly #view: DataView;
  readonly #errors: string[] = [];
  readonly #references = new Map<number, number>();
  readonly #clusterBits: number;
  readonly #clusterSize: number;
  /** Bytes of an L2 entry: 16 with incompatible feature 4. */
  readonly #entryBytes: number;

  constructor(image: Uint8Array) {
    this.#image = image;
    this.#view = new DataView(image.buffer, image.byteOffset, image.byteLength);
    this.#clusterBits = this.#view.getUint32(20);
    this.#clusterSize = 2 ** this.#clusterBits;
    const isExtended = this.#view.getUint32(4) === 3 && hasBit64(this.#view.getBigUint64(72), 4);
    this.#entryBytes = isExtended ? 16 : 8;
  }

  run(): CheckResult {
    const view = this.#view;
    if (view.getUint32(0) !== 0x514649fb) return { errors: ['no magic'], leaks: 0 };
    this.#use(0, this.#clusterSize, 'header');
    const refcounts = this.#refcounts();
    this.#l1(this.#word(40), view.getUint32(36), refcounts);
    this.#snapshots();
    return { errors: this.#errors, leaks: this.#compare(refcounts) };
  }

  #word(at: number): number {
    return Number(this.#view.getBigUint64(at));
  }

  #use(offset: number, length: number, what: string): void {
    const first = Math.floor(offset / this.#clusterSize);
    const last = Math.floor((offset + length - 1) / this.#clusterSize);
    for (let cluster = first; cluster <= last; cluster++) {
      this.#references.set(cluster, (this.#references.get(cluster) ?? 0) + 1);
      if (cluster * this.#clusterSize >= this.#image.length) this.#errors.push(`${what} behind the end at ${offset}`);
    }
  }

  /** Offsets of the blocks by their number, after counting them and the table. */
  #refcounts(): (cluster: number) => number {
    const table = this.#word(48);
    const entries = (this.#view.getUint32(56) * this.#clusterSize) / 8;
    this.#use(table, entries * 8, 'refcount table');
    const blocks: number[] = [];
    for (let index = 0; index < entries; index++) {
      const offset = this.#word(table + index * 8);
      blocks.push(offset);
      if (offset === 0) continue;
      if (offset % this.#clusterSize !== 0) this.#errors.push(`refcount block ${index} at ${offset}`);
      this.#use(offset, this.#clusterSize, 'refcount block');
    }
    const order = this.#view.getUint32(4) === 2 ? 4 : this.#view.getUint32(96);
    const perBlock = (this.#clusterSize * 8) / 2 ** order;
    return (cluster) => {
      const block = blocks[Math.floor(cluster / perBlock)] ?? 0;
      return block === 0 ? 0 : this.#count(block, cluster % perBlock, order);
    };
  }

  #count(block: number, index: number, order: number): number {
    if (order === 6) return this.#word(block + index * 8);
    if (order === 5) return this.#view.getUint32(block + index * 4);
    if (order === 4) return this.#view.getUint16(block + index * 2);
    if (order === 3) return this.#image[block + index]!;
    const bits = 2 ** order;
    const byte = this.#image[block + Math.floor((index * bits) / 8)]!;
    return Math.floor(byte / 2 ** ((index * bits) % 8)) % 2 ** bits;
  }

  /** An L1 table; of the active one (`refcounts` given) the COPIED flags are checked. */
  #l1(table: number, entries: number, refcounts?: (cluster: number) => number): void {
    if (entries > 0) this.#use(table, entries * 8, 'L1 table');
    for (let index = 0; index < entries; index++) {
      const entry = this.#view.getBigUint64(table + index * 8);
      const offset = offsetOf(entry);
      if (offset === 0) continue;
      this.#use(offset, this.#clusterSize, 'L2 table');
      this.#checkCopied(entry, offset, refcounts, `L1 entry ${index}`);
      if (offset + this.#clusterSize > this.#image.length) this.#errors.push(`L2 table ${index} is cut`);
      else this.#l2(offset, refcounts);
    }
  }

  #l2(table: number, refcounts?: (cluster: number) => number): void {
    for (let index = 0; index < this.#clusterSize / this.#entryBytes; index++) {
      const entry = this.#view.getBigUint64(table + index * this.#entryBytes);
      if (this.#entryBytes === 16) this.#checkBitmap(entry, table + index * 16 + 8);
      if (hasBit64(entry, COMPRESSED_BIT)) {
        const offsetBits = 62 - (this.#clusterBits - 8);
        const offset = Number(bitField64(entry, 0, offsetBits));
        const sectors = Number(bitField64(entry, offsetBits, 62 - offsetBits)) + 1;
        this.#use(offset, sectors * 512 - (offset % 512), 'compressed cluster');
        if (hasBit64(entry, COPIED_BIT)) this.#errors.push(`COPIED in a compressed entry of the table at ${table}`);
        continue;
      }
      const offset = offsetOf(entry);
      if (offset === 0) continue;
      if (offset % this.#clusterSize !== 0) this.#errors.push(`data cluster at ${offset}`);
      this.#use(offset, this.#clusterSize, 'data cluster');
      this.#checkCopied(entry, offset, refcounts, `L2 entry ${index} of ${table}`);
    }
  }

  /** Bits 0 to 31 are subclusters that are allocated, 32 to 63 ones that read as zeros. */
  #checkBitmap(entry: bigint, at: number): void {
    const bitmap = this.#view.getBigUint64(at);
    for (let bit = 0; bit < 32; bit++) {
      const isAllocated = hasBit64(bitmap, bit);
      if (isAllocated && hasBit64(bitmap, bit + 32)) this.#errors.push(`subcluster ${bit} at ${at} is both`);
      if (isAllocated && offsetOf(entry) === 0) this.#errors.push(`subcluster ${bit} at ${at} without a cluster`);
    }
    if (bitmap !== 0n && hasBit64(entry, COMPRESSED_BIT)) this.#errors.push(`a compressed cluster's bitmap at ${at}`);
  }

  #checkCopied(
    entry: bigint,
    offset: number,
    refcounts: ((cluster: number) => number) | undefined,
    name: string,
  ): void {
    const count = refcounts?.(offset / this.#clusterSize);
    if (count !== undefined && (count === 1) !== hasBit64(entry, COPIED_BIT))
      this.#errors.push(`${name}: COPIED flag against a count of ${count}`);
  }

  #snapshots(): void {
    const count = this.#view.getUint32(60);
    const start = this.#word(64);
    let at = start;
    for (let index = 0; index < count; index++) {
      this.#l1(this.#word(at), this.#view.getUint32(at + 8));
      const sizes = this.#view.getUint16(at + 12) + this.#view.getUint16(at + 14) + this.#view.getUint32(at + 36);
      at += Math.ceil((40 + sizes) / 8) * 8;
    }
    if (count > 0) this.#use(start, at - start, 'snapshot table');
  }

  #compare(refcounts: (cluster: number) => number): number {
    let leaks = 0;
    const clusters = Math.ceil(this.#image.length / this.#clusterSize);
    for (const [cluster, references] of this.#references) {
      const count = refcounts(cluster);
      if (count < references) this.#errors.push(`cluster ${cluster}: count ${count}, ${references} references`);
    }
    for (let cluster = 0; cluster < clusters; cluster++) {
      if (refcounts(cluster) > (this.#references.get(cluster) ?? 0)) leaks++;
    }
    return leaks;
  }
}
