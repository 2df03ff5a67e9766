import { divideUp } from '../../../bytes/rounding.ts';
import { INODE_FLAG } from '../inode-flags.ts';
import { RESIZE_INODE } from './limits.ts';
import type { MapSink } from './map-sink.ts';
import type { RawInode } from './raw-inode.ts';
import type { CheckState } from './state.ts';

/** Takes the blocks of one inode and counts them, as `i_blocks` and `i_size` must tell them. */
export class BlockClaims implements MapSink {
  readonly #state: CheckState;
  readonly #inode: RawInode;
  readonly #isExtents: boolean;
  /** In clusters, and 512 bytes or blocks only when told. */
  clusterCount = 0;
  /** The last block of the file that has a place; -1 for none. */
  lastBlock = -1;
  /** The last that was written. */
  lastWritten = -1;
  /** Some of the map could not be followed: counts are not those of the file. */
  isIncomplete = false;
  #previous = 0;
  #lastListed = -1;
  #isFirstMapBlock = true;

  constructor(state: CheckState, inode: RawInode) {
    this.#state = state;
    this.#inode = inode;
    this.#isExtents = inode.has(INODE_FLAG.extents);
  }

  problem(code: string, offset: number | undefined, message: string): void {
    if (code !== 'checksum-wrong') this.isIncomplete = true;
    this.#state.error(code, `inode ${this.#inode.id}`, offset, message, [this.#inode.id]);
  }

  mapBlock(block: number): boolean {
    const state = this.#state;
    if (this.#inode.id === RESIZE_INODE) {
      // The superblock's check has looked at it; what it names is reserved already, its first block is not.
      if (this.#isFirstMapBlock) state.claim(block, 1);
      this.#isFirstMapBlock = false;
      this.clusterCount++;
      return true;
    }
    const isTaken = state.usedClusters.has(state.clusterOf(block));
    if (state.metadataBlocks.has(block))
      this.problem(
        'map-in-metadata',
        state.blockOffset(block),
        `a block of its map is block ${block}, which is metadata`,
      );
    state.claim(block, 1);
    this.clusterCount++;
    if (!this.#isExtents) this.#previous = block;
    // What lies in a block of another owner is no map, and following it again and again would have no end.
    if (isTaken && state.ratio === 1) this.isIncomplete = true;
    return !isTaken || state.ratio > 1;
  }

  /** The first block of the directory is listed, although it has no place. */
  listedFirst(): void {
    this.#lastListed = 0;
  }

  run(logical: number, block: number, count: number, isUnwritten: boolean): void {
    const inode = this.#inode;
    if (inode.is('directory')) this.#listDirectory(logical, block, count);
    if (inode.id === RESIZE_INODE) this.clusterCount += count;
    else if (this.#state.ratio === 1) this.#claimBlocks(block, count);
    else this.#claimClusters(logical, block, count);
    this.lastBlock = logical + count - 1;
    if (!isUnwritten && !(this.#isExtents && inode.is('directory'))) this.lastWritten = this.lastBlock;
    this.#previous = block + count - 1;
  }

  #claimBlocks(block: number, count: number): void {
    this.#state.claim(block, count);
    this.clusterCount += count;
  }

  /** With clusters, blocks of a file and their places are aligned alike, and several runs may share one. */
  #claimClusters(logical: number, block: number, count: number): void {
    const state = this.#state;
    const { ratio } = state;
    const isAligned = logical % ratio === block % ratio;
    const isTorn =
      this.#previous !== 0 &&
      logical % ratio !== 0 &&
      state.clusterOf(logical) === state.clusterOf(this.lastBlock) &&
      state.clusterOf(block) !== state.clusterOf(this.#previous);
    if (!isAligned || isTorn)
      this.problem(
        'cluster-misaligned',
        undefined,
        `block ${logical} of it is block ${block}, in another place of its cluster`,
      );
    const isBegun = this.#previous !== 0 && state.clusterOf(block) === state.clusterOf(this.#previous);
    const from = (state.clusterOf(block) + (isBegun ? 1 : 0)) * ratio;
    const end = block + count;
    if (from >= end) return;
    state.claim(from, end - from);
    this.clusterCount += divideUp(end - from, ratio);
  }

  #listDirectory(logical: number, block: number, count: number): void {
    const { directoryRuns } = this.#state;
    // Directories that claim each other's blocks again and again are told as such, not read as often.
    this.#state.listedBlocks += count;
    if (this.#state.listedBlocks > this.#state.geometry.blockCount) {
      this.problem('directory-damaged', undefined, 'directories claim more blocks than there are: it is not looked at');
      return;
    }
    const next = this.#lastListed + 1;
    if (logical > next) {
      directoryRuns.push(this.#inode.id, next, 0, logical - next);
      if (this.#isExtents)
        this.problem('directory-hole', undefined, `blocks ${next} to ${logical - 1} are missing from the directory`);
    }
    directoryRuns.push(this.#inode.id, logical, block, count);
    this.#lastListed = logical + count - 1;
  }
}
