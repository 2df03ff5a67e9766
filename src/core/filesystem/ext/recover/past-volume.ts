import type { ReadOptions } from '../../../device/block-device.ts';
import { type Checksum, inodeChecksum, inodeSeed } from '../checksums.ts';
import { type Inode, parseInode } from '../inode.ts';
import { ExtVolume } from '../volume.ts';
import type { JournalHistory } from './journal-history.ts';

const SILENT = { report: (): void => undefined };

/**
 * A filesystem's metadata as it was after a transaction, as far as the journal has copies of it; where it has none, as it is
 * now. What is odd in it is no news: the past is read in silence.
 */
export class PastVolume extends ExtVolume {
  readonly #history: JournalHistory | undefined;
  readonly #order: number;

  /** Without a history it is the filesystem as it is. */
  constructor(present: ExtVolume, history?: JournalHistory | undefined, order = Number.POSITIVE_INFINITY) {
    super(present.device, present.geometry, SILENT, present);
    this.#history = history;
    this.#order = order;
  }

  override verify(_structure: string, _offset: number, _checksumOf: (seed: number) => Checksum | undefined): void {}

  override async readMetadata(block: number, structure: string, options?: ReadOptions): Promise<Uint8Array> {
    return (await this.#copy(block, options)) ?? super.readMetadata(block, structure, options);
  }

  override async readBlocks(
    block: number,
    count: number,
    structure: string,
    options?: ReadOptions,
  ): Promise<Uint8Array> {
    const bytes = await super.readBlocks(block, count, structure, options);
    for (let index = 0; index < count; index++) {
      const copy = await this.#copy(block + index, options);
      if (copy !== undefined) bytes.set(copy, index * this.geometry.blockSize);
    }
    return bytes;
  }

  async #copy(block: number, options?: ReadOptions): Promise<Uint8Array | undefined> {
    const past = this.#history?.newestAt(block, this.#order);
    return past === undefined ? undefined : this.#history?.read(past, options);
  }
}

/** The same, taking down what is read of it: the blocks that tell where a file lies, and sums that are wrong. */
export class SurveyedVolume extends PastVolume {
  readonly readBlockNumbers: number[] = [];
  wrongSums = 0;

  override verify(_structure: string, _offset: number, checksumOf: (seed: number) => Checksum | undefined): void {
    const { checksumSeed } = this.geometry;
    const checksum = checksumSeed === undefined ? undefined : checksumOf(checksumSeed);
    if (checksum !== undefined && checksum.stored !== checksum.computed) this.wrongSums++;
  }

  override async readMetadata(block: number, structure: string, options?: ReadOptions): Promise<Uint8Array> {
    this.readBlockNumbers.push(block);
    return super.readMetadata(block, structure, options);
  }
}

/** An inode from bytes that lie at `offset`; undefined for one that is none, or damaged. */
export function inodeFrom(volume: ExtVolume, bytes: Uint8Array, id: number, offset: number): Inode | undefined {
  let inode: Inode | undefined;
  try {
    inode = parseInode(bytes, id, offset, volume.geometry);
  } catch {
    return undefined;
  }
  const seed = volume.geometry.checksumSeed;
  if (inode === undefined || seed === undefined) return inode;
  const sum = inodeChecksum(bytes, inodeSeed(inode, seed));
  return sum.stored === sum.computed ? inode : undefined;
}
