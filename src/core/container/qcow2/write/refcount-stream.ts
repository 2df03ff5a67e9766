import { divideDown, divideUp } from '../../../bytes/rounding.ts';
import { RefcountBlock } from './refcount-block.ts';

export const STREAM_REFCOUNT_BITS = 16;

/** A refcount block whose counts are final. */
export interface FinishedBlock {
  /** Which entry of the refcount table it is. */
  readonly index: number;
  readonly bytes: Uint8Array;
}

/** Reference counts of a file that is written from its beginning to its end: blocks are kept only while counts in them may change. */
export class RefcountStream {
  readonly countsPerBlock: number;
  readonly #clusterSize: number;
  readonly #blocks = new Map<number, RefcountBlock>();
  /** Blocks below this index were taken. */
  #taken = 0;

  /** Bytes of one host cluster. */
  constructor(clusterSize: number) {
    this.#clusterSize = clusterSize;
    this.countsPerBlock = (clusterSize * 8) / STREAM_REFCOUNT_BITS;
  }

  /** One more reference to each cluster that the range touches. */
  add(hostOffset: number, length: number): void {
    const end = divideUp(hostOffset + length, this.#clusterSize);
    for (let cluster = divideDown(hostOffset, this.#clusterSize); cluster < end; cluster++) {
      const block = this.#block(divideDown(cluster, this.countsPerBlock));
      const index = cluster % this.countsPerBlock;
      block.set(index, block.get(index) + 1);
    }
  }

  /** Whether the cluster at `hostOffset` has all the references that a count can say. */
  isFull(hostOffset: number): boolean {
    const cluster = divideDown(hostOffset, this.#clusterSize);
    const block = this.#block(divideDown(cluster, this.countsPerBlock));
    return block.get(cluster % this.countsPerBlock) === block.maximum;
  }

  /** The blocks that only count clusters below `hostOffset`, to which no reference is added any more. */
  takeBelow(hostOffset: number): FinishedBlock[] {
    const end = divideDown(hostOffset, this.#clusterSize * this.countsPerBlock);
    const finished: FinishedBlock[] = [];
    for (; this.#taken < end; this.#taken++) {
      finished.push({ index: this.#taken, bytes: this.#block(this.#taken).bytes });
      this.#blocks.delete(this.#taken);
    }
    return finished;
  }

  #block(index: number): RefcountBlock {
    let block = this.#blocks.get(index);
    if (block === undefined) {
      block = new RefcountBlock(new Uint8Array(this.#clusterSize), STREAM_REFCOUNT_BITS);
      this.#blocks.set(index, block);
    }
    return block;
  }
}
