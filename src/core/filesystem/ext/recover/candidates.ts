import { firstAtLeast } from '../../../bytes/sorted-search.ts';
import type { ReadOptions } from '../../../device/block-device.ts';
import type { NodeTimes } from '../../filesystem.ts';
import type { Inode } from '../inode.ts';
import type { ExtVolume } from '../volume.ts';
import type { Candidate } from './candidate.ts';
import type { DeletedInodes } from './deleted-inodes.ts';
import type { JournalHistory } from './journal-history.ts';
import { inodeFrom, PastVolume } from './past-volume.ts';
import type { InodeVersion, VersionTable } from './version-table.ts';

/** All that may be recovered, by numbers from 0: the deleted inodes, then the versions. Each is read when it is asked for. */
export class Candidates {
  readonly #volume: ExtVolume;
  readonly #past: PastVolume;
  readonly #history: JournalHistory | undefined;
  readonly #deleted: DeletedInodes;
  readonly #versions: VersionTable;
  readonly #options: ReadOptions;
  /** When each transaction was committed, in seconds. */
  readonly #committed: readonly number[];

  constructor(
    volume: ExtVolume,
    history: JournalHistory | undefined,
    deleted: DeletedInodes,
    versions: VersionTable,
    options: ReadOptions,
  ) {
    this.#volume = volume;
    this.#past = new PastVolume(volume);
    this.#history = history;
    this.#deleted = deleted;
    this.#versions = versions;
    this.#options = options;
    this.#committed = history?.transactions.map(({ committed }) => committed) ?? [];
  }

  /** Their numbers sorted by when they ended, from the last, and when each ended. */
  async inOrder(): Promise<{ readonly order: Uint32Array; readonly ended: Float64Array }> {
    const count = this.#deleted.ids.length + this.#versions.length;
    const ended = new Float64Array(count);
    for (let index = 0; index < count; index++) ended[index] = await this.#endedAt(index);
    const order = Uint32Array.from({ length: count }, (_, index) => index);
    order.sort((left, right) => (ended[left] === ended[right] ? left - right : ended[right]! - ended[left]!));
    return { order, ended };
  }

  async #endedAt(index: number): Promise<number> {
    const { ids } = this.#deleted;
    if (index < ids.length) return this.#inodeEnded(index);
    const version = this.#versions.at(index - ids.length);
    return version.endOrder ?? (await this.#versionCandidate(version, index - ids.length))?.ended ?? 0;
  }

  /** An orphan has not ended yet. */
  #inodeEnded(index: number): number {
    const { deletedAt, isOrphan } = this.#deleted;
    return isOrphan[index] === true ? Number.MAX_VALUE : this.#ended(undefined, deletedAt[index]!);
  }

  /** By the transaction that ended it; where that is not known, by the first that was committed no earlier than it was deleted. */
  #ended(endOrder: number | undefined, second: number): number {
    if (this.#history === undefined) return second;
    return endOrder ?? firstAtLeast(this.#committed, second);
  }

  /** An inode as it is; undefined for one that cannot be read. */
  async inodeNow(id: number): Promise<Inode | undefined> {
    try {
      return await this.#past.inode(id, this.#options);
    } catch {
      this.#options.signal?.throwIfAborted();
      return undefined;
    }
  }

  async at(index: number): Promise<Candidate | undefined> {
    const { ids, isOrphan } = this.#deleted;
    if (index >= ids.length) return this.#versionCandidate(this.#versions.at(index - ids.length), index - ids.length);
    const inode = await this.inodeNow(ids[index]!);
    if (inode === undefined) return undefined;
    return {
      key: `inode-${inode.id}`,
      inode,
      source: isOrphan[index] === true ? 'orphan' : 'inode',
      file: this.#versions.fileOf(inode.id, inode.generation),
      order: undefined,
      endOrder: undefined,
      ended: this.#inodeEnded(index),
      living: undefined,
      isReused: false,
    };
  }

  /** The inode that a version is. */
  async inodeThen({ id, copy, within }: InodeVersion): Promise<Inode | undefined> {
    const past = this.#history!.copyAt(copy);
    const block = await this.#history!.read(past, this.#options);
    if (block === undefined) return undefined;
    const place = await this.#history!.placeOf(past, this.#options);
    if (place === undefined) return undefined;
    const bytes = block.subarray(within, within + this.#volume.geometry.inodeSize);
    return inodeFrom(this.#volume, bytes, id, place + within);
  }

  async #versionCandidate(version: InodeVersion, row: number): Promise<Candidate | undefined> {
    const { id, order, endOrder } = version;
    const inode = await this.inodeThen(version);
    if (inode === undefined) return undefined;
    const now = await this.inodeNow(id);
    const isSame = now !== undefined && now.generation === inode.generation && now.kind === inode.kind;
    const living = isSame && now.linkCount > 0 ? now : undefined;
    const deletedAt = isSame && living === undefined ? now.times.deleted : undefined;
    const { transactions } = this.#history!;
    const times: NodeTimes = { ...inode.times, deleted: deletedAt };
    const file = this.#versions.fileOf(id, inode.generation) ?? row;
    const hasTwin = isSame && living === undefined && now.size > 0;
    return {
      key: `journal-${transactions[order]!.sequence}-inode-${id}`,
      inode: { ...inode, times },
      source: 'journal',
      file: hasTwin || this.#versions.countOf(file) > 1 ? file : undefined,
      order,
      endOrder,
      ended: this.#ended(endOrder, deletedAt?.seconds ?? transactions[order]!.committed),
      living,
      isReused: now !== undefined && !isSame && now.linkCount > 0,
    };
  }
}
