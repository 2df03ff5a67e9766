import { isZero } from '../../../bytes/is-zero.ts';
import { divideUp, roundDown, roundUp } from '../../../bytes/rounding.ts';
import type { ByteRange, ReadOptions } from '../../../device/block-device.ts';
import type { Container } from '../../container.ts';
import type { MappingTable } from '../mapping-table.ts';
import type { ClusterSpan, NewClusters } from './cluster-allocator.ts';
import { ClusterEntries, type ClusterState } from './cluster-entries.ts';
import type { Metadata } from './metadata.ts';
import { OwnTables } from './own-tables.ts';

/** Consecutive clusters that are written in one way. */
interface WritePlan {
  /** `own`: at `hostOffset`, as they are; `kept`: there too, but what they hold is nothing yet; `new`: elsewhere. */
  readonly kind: 'own' | 'kept' | 'new';
  readonly hostOffset: number;
  /** One for each cluster. */
  readonly states: readonly ClusterState[];
}

/** Changes what the tables map: one call at a time. Data is in the file when a call ends, tables may wait for a commit. */
export class ClusterWriter {
  readonly #metadata: Metadata;
  readonly #clusterSize: number;
  readonly #entries: ClusterEntries;
  readonly #tables: OwnTables;
  /** The disk as it reads now, from which clusters that are written in part are filled. */
  #disk: Container;

  constructor(metadata: Metadata, disk: Container) {
    this.#metadata = metadata;
    this.#clusterSize = metadata.header.clusterSize;
    this.#entries = new ClusterEntries(metadata.header, metadata.l2Tables);
    this.#tables = new OwnTables(metadata, this.#entries);
    this.#disk = disk;
  }

  /** The disk from now on: of another size. */
  set disk(disk: Container) {
    this.#disk = disk;
  }

  async write(source: Uint8Array, offset: number, options?: ReadOptions): Promise<void> {
    const end = offset + source.length;
    for (let at = offset; at < end; ) {
      options?.signal?.throwIfAborted();
      const stop = Math.min(end, this.#tableEnd(at));
      const table = await this.#tables.own(at);
      while (at < stop) {
        const plan = await this.#plan(table, at, stop);
        const planEnd = Math.min(stop, roundDown(at, this.#clusterSize) + plan.states.length * this.#clusterSize);
        const part = source.subarray(at - offset, planEnd - offset);
        at += plan.kind === 'own' ? await this.#writeOwn(plan, part, at) : await this.#writeNew(table, plan, part, at);
      }
      await this.#metadata.commitIfLarge();
    }
  }

  #tableEnd(guestOffset: number): number {
    return roundDown(guestOffset, this.#entries.tableSpan) + this.#entries.tableSpan;
  }

  /** Bytes of the disk from 0 on that the next layer shows where nothing is mapped. */
  get #inheritedSize(): number {
    return this.#disk.backing?.device.size ?? 0;
  }

  /** The subclusters of the cluster at `start` that the range `at` to `stop` touches. */
  #touched(start: number, at: number, stop: number): number {
    return this.#entries.touched(Math.max(0, at - start), Math.min(this.#clusterSize, stop - start));
  }

  /** The clusters from `at` that are written as the one there is. */
  async #plan(table: MappingTable, at: number, stop: number): Promise<WritePlan> {
    const start = roundDown(at, this.#clusterSize);
    const first = this.#entries.indexOf(at);
    const limit = divideUp(stop - start, this.#clusterSize);
    const states = [this.#entries.state(table, first)];
    const kind = this.#kindOf(states[0]!, this.#touched(start, at, stop));
    const hostOffset = kind === 'new' ? 0 : states[0]!.hostOffset;
    for (let count = 1; count < limit; count++) {
      const distance = count * this.#clusterSize;
      const next = this.#entries.state(table, first + count);
      if (this.#kindOf(next, this.#touched(start + distance, at, stop)) !== kind) break;
      if (kind !== 'new' && next.hostOffset !== hostOffset + distance) break;
      states.push(next);
    }
    if (kind !== 'new') {
      this.#refuseLost(table, first, { hostOffset, count: states.length });
      await this.#metadata.allocator.checkOwned({ hostOffset, count: states.length });
      this.#metadata.map.refuseOverlap(hostOffset, states.length);
    }
    return { kind, hostOffset, states };
  }

  /** Clusters behind the end of the file were cut off: they read as CORRUPT, and are not made up by a write of a part. */
  #refuseLost(table: MappingTable, first: number, { hostOffset, count }: ClusterSpan): void {
    const { size } = this.#metadata.file;
    // A write begins with a file of whole clusters.
    const present = Math.max(0, (size - hostOffset) / this.#clusterSize);
    if (present < count) throw this.#entries.lost(table, first + present, size);
  }

  #kindOf(state: ClusterState, touched: number): WritePlan['kind'] {
    if (!state.isOwn) return 'new';
    return this.#entries.holds(state, touched) ? 'own' : 'kept';
  }

  async #writeOwn(plan: WritePlan, part: Uint8Array, at: number): Promise<number> {
    await this.#metadata.file.writeFrom(part, plan.hostOffset + (at % this.#clusterSize));
    return part.length;
  }

  /** Puts `part` into new clusters, or ones that were kept for it, together with what surrounds it; returns how much of it. */
  async #writeNew(table: MappingTable, plan: WritePlan, part: Uint8Array, at: number): Promise<number> {
    const { allocator } = this.#metadata;
    const start = roundDown(at, this.#clusterSize);
    const isNew = plan.kind === 'new';
    // Before new ones are looked for: what a damaged image counts as free may be what it has here.
    const owners = isNew ? await this.#leaveOwners(plan.states) : [];
    let clusters: NewClusters | undefined;
    try {
      const { hostOffset, states } = plan;
      clusters = isNew ? await allocator.allocate(states.length) : { hostOffset, count: states.length, isFresh: false };
      allocator.stay(owners.splice(clusters.count));
      const end = start + clusters.count * this.#clusterSize;
      const written = part.subarray(0, Math.min(part.length, end - at));
      await this.#fill(clusters, states, written, at);
      this.#map(table, clusters, plan, at, at + written.length);
      return written.length;
    } catch (error) {
      allocator.stay(owners);
      if (isNew && clusters !== undefined) await allocator.release(clusters);
      throw error;
    }
  }

  /** What each cluster points to loses a reference; CORRUPT, and nothing lost, when one has none. */
  async #leaveOwners(states: readonly ClusterState[]): Promise<(ClusterSpan | undefined)[]> {
    const owners: (ClusterSpan | undefined)[] = [];
    try {
      for (const { references } of states) {
        if (references !== undefined) await this.#metadata.allocator.leave(references);
        owners.push(references);
      }
      return owners;
    } catch (error) {
      this.#metadata.allocator.stay(owners);
      throw error;
    }
  }

  /** Fills clusters as far as they are touched, or whole where they replace others: `part`, and around it what the disk holds now. */
  async #fill(clusters: NewClusters, states: readonly ClusterState[], part: Uint8Array, at: number): Promise<void> {
    const { file } = this.#metadata;
    const hostDistance = clusters.hostOffset - roundDown(at, this.#clusterSize);
    const stop = at + part.length;
    const isKept = states[0]!.isOwn;
    const unitOf = (state: ClusterState) =>
      !isKept && state.references !== undefined ? this.#clusterSize : this.#entries.unit;
    const start = roundDown(at, unitOf(states[0]!));
    const head = await this.#present(start, at);
    const tail = await this.#present(stop, roundUp(stop, unitOf(states[clusters.count - 1]!)));
    const isNeeded = (bytes: Uint8Array) => bytes.length > 0 && !(clusters.isFresh && isZero(bytes));
    if (isNeeded(head)) await file.writeFrom(head, hostDistance + start);
    await file.writeFrom(part, hostDistance + at);
    if (isNeeded(tail)) await file.writeFrom(tail, hostDistance + stop);
  }

  /** Points the entries to clusters that were filled. */
  #map(table: MappingTable, clusters: NewClusters, { kind, states }: WritePlan, at: number, stop: number): void {
    const start = roundDown(at, this.#clusterSize);
    const first = this.#entries.indexOf(at);
    for (let index = 0; index < clusters.count; index++) {
      const distance = index * this.#clusterSize;
      const state = states[index]!;
      const isReplaced = kind === 'new' && state.references !== undefined;
      const touched = isReplaced ? this.#entries.all : this.#touched(start + distance, at, stop);
      const before = isReplaced ? undefined : state;
      this.#entries.setOwn(table, first + index, clusters.hostOffset + distance, touched, before);
    }
  }

  /** What the disk holds in a range now; zeros behind its end. */
  async #present(start: number, end: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(end - start);
    const stop = Math.min(end, this.#disk.size);
    if (start < stop) await this.#disk.readInto(bytes.subarray(0, stop - start), start);
    return bytes;
  }

  /**
   * Makes a range read as zeros. Whole clusters give up what they have; the rest of the range is written, or left as it is when
   * `wholeOnly`. What lies behind the disk's end does not count: its last cluster may be whole.
   */
  async zero({ start, length }: ByteRange, wholeOnly: boolean, options?: ReadOptions): Promise<void> {
    const end = start + length;
    for (let at = start; at < end; ) {
      options?.signal?.throwIfAborted();
      const stop = Math.min(end, this.#tableEnd(at));
      await this.#zeroInTable(at, stop, wholeOnly);
      await this.#metadata.commitIfLarge();
      at = stop;
    }
  }

  async #zeroInTable(start: number, end: number, wholeOnly: boolean): Promise<void> {
    if (start >= this.#inheritedSize && (await this.#tables.look(start)) === undefined) return;
    const wholeStart = roundUp(start, this.#clusterSize);
    const wholeEnd = end === this.#disk.size ? roundUp(end, this.#clusterSize) : roundDown(end, this.#clusterSize);
    if (wholeStart >= wholeEnd) {
      if (!wholeOnly) await this.#zeroPart(start, end);
      return;
    }
    if (!wholeOnly && start < wholeStart) await this.#zeroPart(start, wholeStart);
    for (let at = wholeStart; at < wholeEnd; at += this.#clusterSize) await this.#zeroCluster(at);
    if (!wholeOnly && wholeEnd < end) await this.#zeroPart(wholeEnd, end);
  }

  /** Less than a cluster, or parts of two. */
  async #zeroPart(start: number, end: number): Promise<void> {
    const present = await this.#present(start, end);
    if (!isZero(present)) await this.write(present.fill(0), start);
  }

  /** A table is made or copied only for a cluster that does not read as zeros already. */
  async #zeroCluster(at: number): Promise<void> {
    const { allocator, header } = this.#metadata;
    const index = this.#entries.indexOf(at);
    const isInherited = at < this.#inheritedSize;
    const present = await this.#tables.look(at);
    const state = present === undefined ? undefined : this.#entries.state(present, index);
    const references = state?.references;
    if (references === undefined && (!isInherited || state?.zeros === this.#entries.all)) return;
    // Version 2 has no zero clusters: over a backing file only zeros in the file hide it.
    if (header.version === 2 && isInherited)
      return this.write(new Uint8Array(Math.min(this.#clusterSize, this.#disk.size - at)), at);
    const table = await this.#tables.own(at);
    if (references !== undefined) await allocator.leave(references);
    if (header.version === 2) this.#entries.setUnallocated(table, index);
    else this.#entries.setZero(table, index);
  }
}
