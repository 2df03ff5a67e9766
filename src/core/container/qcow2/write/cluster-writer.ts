import { divideDown, divideUp, roundDown, roundUp } from '../../../bytes/rounding.ts';
import type { ByteRange, ReadOptions } from '../../../device/block-device.ts';
import { corrupt, type DiskError } from '../../../errors.ts';
import type { Container } from '../../container.ts';
import type { MappingTable } from '../mapping-table.ts';
import { ENTRY_BYTES, type L2Entry, unpackL1Entry, unpackL2Entry } from '../table-entries.ts';
import type { ClusterSpan, NewClusters } from './cluster-allocator.ts';
import type { Metadata } from './metadata.ts';
import { clearCopied, type EntryHalves, isCopied, ownEntry, UNALLOCATED_ENTRY, ZERO_ENTRY } from './pack-entries.ts';

/** Consecutive clusters that are written in one way. */
interface WritePlan {
  /** `own`: at `hostOffset`, as they are; `kept`: there too, but what they hold is nothing yet; `new`: elsewhere. */
  readonly kind: 'own' | 'kept' | 'new';
  readonly hostOffset: number;
  readonly count: number;
}

/** Changes what the tables map: one call at a time. Data is in the file when a call ends, tables may wait for a commit. */
export class ClusterWriter {
  readonly #metadata: Metadata;
  readonly #clusterSize: number;
  readonly #tableSpan: number;
  /** The disk as it reads now, from which clusters that are written in part are filled. */
  #disk: Container;

  constructor(metadata: Metadata, disk: Container) {
    this.#metadata = metadata;
    this.#clusterSize = metadata.header.clusterSize;
    this.#tableSpan = this.#clusterSize * (this.#clusterSize / ENTRY_BYTES);
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
      const stop = Math.min(end, roundDown(at, this.#tableSpan) + this.#tableSpan);
      const table = await this.#ownTable(at);
      while (at < stop) {
        const plan = await this.#plan(table, at, stop);
        const planEnd = Math.min(stop, roundDown(at, this.#clusterSize) + plan.count * this.#clusterSize);
        const part = source.subarray(at - offset, planEnd - offset);
        at += plan.kind === 'own' ? await this.#writeOwn(plan, part, at) : await this.#writeNew(table, plan, part, at);
      }
      await this.#metadata.commitIfLarge();
    }
  }

  /** Bytes of the disk from 0 on that the next layer shows where nothing is mapped. */
  get #inheritedSize(): number {
    return this.#disk.backing?.device.size ?? 0;
  }

  #indexOf(guestOffset: number): number {
    return divideDown(guestOffset % this.#tableSpan, this.#clusterSize);
  }

  /** The clusters from `at` that are written as the one there is. */
  async #plan(table: MappingTable, at: number, stop: number): Promise<WritePlan> {
    const first = this.#indexOf(at);
    const limit = divideUp(stop - roundDown(at, this.#clusterSize), this.#clusterSize);
    const { kind, hostOffset } = this.#planOne(table, first);
    let count = 1;
    while (count < limit) {
      const next = this.#planOne(table, first + count);
      if (next.kind !== kind || (kind !== 'new' && next.hostOffset !== hostOffset + count * this.#clusterSize)) break;
      count++;
    }
    if (kind !== 'new') {
      await this.#metadata.allocator.checkOwned({ hostOffset, count });
      this.#metadata.map.refuseOverlap(hostOffset, count);
    }
    return { kind, hostOffset, count };
  }

  #planOne(table: MappingTable, index: number): Omit<WritePlan, 'count'> {
    const entry = this.#entry(table, index);
    if ((entry.kind !== 'data' && entry.kind !== 'zero') || entry.hostOffset === 0 || !isCopied(table, index))
      return { kind: 'new', hostOffset: 0 };
    return { kind: entry.kind === 'data' ? 'own' : 'kept', hostOffset: entry.hostOffset };
  }

  #entry(table: MappingTable, index: number): Exclude<L2Entry, { kind: 'invalid' }> {
    const entry = unpackL2Entry(table.high(index), table.low(index), this.#metadata.header);
    if (entry.kind === 'invalid') throw badEntry('L2', table, index, entry.expected);
    return entry;
  }

  async #writeOwn(plan: WritePlan, part: Uint8Array, at: number): Promise<number> {
    await this.#metadata.file.writeFrom(part, plan.hostOffset + (at % this.#clusterSize));
    return part.length;
  }

  /** Puts `part` into new clusters, or ones that were kept for it, together with what surrounds it; returns how much of it. */
  async #writeNew(table: MappingTable, plan: WritePlan, part: Uint8Array, at: number): Promise<number> {
    const { allocator, l2Tables } = this.#metadata;
    const first = this.#indexOf(at);
    const start = roundDown(at, this.#clusterSize);
    const isNew = plan.kind === 'new';
    // Before new ones are looked for: what a damaged image counts as free may be what it has here.
    const owners = isNew ? await this.#leaveOwners(table, first, plan.count) : [];
    let clusters: NewClusters | undefined;
    try {
      clusters = isNew ? await allocator.allocate(plan.count) : { ...plan, isFresh: false };
      allocator.stay(owners.splice(clusters.count));
      const written = part.subarray(0, Math.min(part.length, start + clusters.count * this.#clusterSize - at));
      await this.#fill(clusters, written, at);
      for (let index = 0; index < clusters.count; index++) {
        l2Tables.set(table, first + index, ownEntry(clusters.hostOffset + index * this.#clusterSize));
      }
      return written.length;
    } catch (error) {
      allocator.stay(owners);
      if (isNew && clusters !== undefined) await allocator.release(clusters);
      throw error;
    }
  }

  /** What each of `count` entries points to loses a reference; CORRUPT, and nothing lost, when one has none. */
  async #leaveOwners(table: MappingTable, first: number, count: number): Promise<(ClusterSpan | undefined)[]> {
    const owners: (ClusterSpan | undefined)[] = [];
    try {
      for (let index = first; index < first + count; index++) {
        const owner = spanOf(this.#entry(table, index), this.#clusterSize);
        if (owner !== undefined) await this.#metadata.allocator.leave(owner);
        owners.push(owner);
      }
      return owners;
    } catch (error) {
      this.#metadata.allocator.stay(owners);
      throw error;
    }
  }

  /** Fills whole clusters: `part`, and around it what the disk holds there now. */
  async #fill(clusters: NewClusters, part: Uint8Array, at: number): Promise<void> {
    const { file } = this.#metadata;
    const start = roundDown(at, this.#clusterSize);
    const end = start + clusters.count * this.#clusterSize;
    const head = await this.#present(start, at);
    const tail = await this.#present(at + part.length, end);
    const isNeeded = (bytes: Uint8Array) => bytes.length > 0 && !(clusters.isFresh && isZero(bytes));
    if (isNeeded(head)) await file.writeFrom(head, clusters.hostOffset);
    await file.writeFrom(part, clusters.hostOffset + at - start);
    if (isNeeded(tail)) await file.writeFrom(tail, clusters.hostOffset + at + part.length - start);
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
      const stop = Math.min(end, roundDown(at, this.#tableSpan) + this.#tableSpan);
      await this.#zeroInTable(at, stop, wholeOnly);
      await this.#metadata.commitIfLarge();
      at = stop;
    }
  }

  async #zeroInTable(start: number, end: number, wholeOnly: boolean): Promise<void> {
    const tableOffset = this.#tableOffset(start);
    if (tableOffset === undefined && start >= this.#inheritedSize) return;
    const wholeStart = roundUp(start, this.#clusterSize);
    const wholeEnd = end === this.#disk.size ? roundUp(end, this.#clusterSize) : roundDown(end, this.#clusterSize);
    if (wholeStart >= wholeEnd) {
      if (!wholeOnly) await this.#zeroPart(start, end);
      return;
    }
    if (!wholeOnly && start < wholeStart) await this.#zeroPart(start, wholeStart);
    await this.#zeroWhole(wholeStart, wholeEnd);
    if (!wholeOnly && wholeEnd < end) await this.#zeroPart(wholeEnd, end);
  }

  /** Less than a cluster, or parts of two. */
  async #zeroPart(start: number, end: number): Promise<void> {
    const present = await this.#present(start, end);
    if (!isZero(present)) await this.write(present.fill(0), start);
  }

  async #zeroWhole(start: number, end: number): Promise<void> {
    const { allocator, l2Tables } = this.#metadata;
    const tableOffset = this.#tableOffset(start);
    let table: MappingTable | undefined = tableOffset === undefined ? undefined : await l2Tables.load(tableOffset);
    let isOwn = false;
    for (let at = start; at < end; at += this.#clusterSize) {
      const index = this.#indexOf(at);
      const entry = table === undefined ? undefined : this.#entry(table, index);
      const replacement = this.#zeroEntry(entry, at);
      if (replacement === undefined) continue;
      if (replacement === 'data') {
        const stop = Math.min(at + this.#clusterSize, this.#disk.size);
        await this.write(new Uint8Array(stop - at), at);
        table = await this.#ownTable(at);
        isOwn = true;
        continue;
      }
      if (!isOwn) table = await this.#ownTable(at);
      isOwn = true;
      const old = entry === undefined ? undefined : spanOf(entry, this.#clusterSize);
      if (old !== undefined) await allocator.leave(old);
      l2Tables.set(table!, index, replacement);
    }
  }

  /** What makes a whole cluster read as zeros; undefined when it does already, `data` when only zeros in the file can. */
  #zeroEntry(entry: L2Entry | undefined, guestOffset: number): EntryHalves | 'data' | undefined {
    const { version } = this.#metadata.header;
    const isInherited = guestOffset < this.#inheritedSize;
    const isUnallocated = entry === undefined || entry.kind === 'unallocated';
    if (isUnallocated && !isInherited) return undefined;
    if (entry?.kind === 'zero' && entry.hostOffset === 0) return undefined;
    if (version === 3) return ZERO_ENTRY;
    return isInherited ? 'data' : UNALLOCATED_ENTRY;
  }

  #tableOffset(guestOffset: number): number | undefined {
    const { entries } = this.#metadata.l1Table;
    const index = divideDown(guestOffset, this.#tableSpan);
    const entry = unpackL1Entry(entries.high(index), entries.low(index), this.#metadata.header);
    if (entry.kind === 'invalid') throw badEntry('L1', entries, index, entry.expected);
    if (entry.kind === 'unallocated') return undefined;
    if (entry.hostOffset < this.#metadata.file.size) return entry.hostOffset;
    throw badEntry('L1', entries, index, `an L2 table inside the file of ${this.#metadata.file.size} bytes`);
  }

  /** The L2 table that maps `guestOffset`, made or copied first when it is missing or has another owner too. */
  async #ownTable(guestOffset: number): Promise<MappingTable> {
    const { allocator, l2Tables, l1Table, map } = this.#metadata;
    const index = divideDown(guestOffset, this.#tableSpan);
    const tableOffset = this.#tableOffset(guestOffset);
    if (tableOffset === undefined) {
      const { hostOffset } = await allocator.allocate(1);
      l1Table.set(index, ownEntry(hostOffset));
      return l2Tables.create(hostOffset, new Uint8Array(this.#clusterSize));
    }
    const span: ClusterSpan = { hostOffset: tableOffset, count: 1 };
    if (isCopied(l1Table.entries, index)) {
      await allocator.checkOwned(span);
      map.refuseTableOverlap(tableOffset, 1);
      return l2Tables.load(tableOffset);
    }
    const shared = await l2Tables.load(tableOffset);
    const hasOtherOwner = await allocator.isShared(tableOffset);
    await allocator.leave(span);
    const { hostOffset } = await allocator.allocate(1).catch((error: unknown) => {
      allocator.stay([span]);
      throw error;
    });
    const table = l2Tables.create(hostOffset, shared.bytes.slice());
    // What two tables point to has at least two references.
    if (hasOtherOwner) clearCopied(table);
    else map.forgetTable(tableOffset);
    l1Table.set(index, ownEntry(hostOffset));
    return table;
  }
}

/** The clusters that an entry has a reference to; a compressed one to each that its bytes touch. */
function spanOf(entry: L2Entry, clusterSize: number): ClusterSpan | undefined {
  if (entry.kind === 'compressed') {
    const first = roundDown(entry.hostOffset, clusterSize);
    return { hostOffset: first, count: divideUp(entry.hostOffset + entry.length - first, clusterSize) };
  }
  if (entry.kind !== 'data' && entry.kind !== 'zero') return undefined;
  return entry.hostOffset === 0 ? undefined : { hostOffset: entry.hostOffset, count: 1 };
}

/** As long as two of the largest clusters: more is never compared. */
const ZEROS = Buffer.alloc(4 * 1024 * 1024);

function isZero(bytes: Uint8Array): boolean {
  return ZEROS.compare(bytes, 0, bytes.length, 0, bytes.length) === 0;
}

function badEntry(level: 'L1' | 'L2', table: MappingTable, index: number, expected: string): DiskError {
  return corrupt({
    layer: 'qcow2',
    structure: `${level} table entry ${index}`,
    offset: table.entryOffset(index),
    expected,
    found: table.hex(index),
  });
}
