import { firstAtLeast } from '../../../bytes/sorted-search.ts';
import { corrupt } from '../../../errors.ts';

interface NamedRange {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/**
 * Where an image's own tables lie: the last guard against an image whose reference counts are wrong, in which a write would
 * otherwise destroy them. QEMU calls it the overlap check.
 */
export class MetadataMap {
  readonly #clusterSize: number;
  /** Header, L1 table, refcount table, snapshot table: by name, as they stand now. */
  readonly #ranges = new Map<string, NamedRange>();
  readonly #blocks: Float64Array;
  readonly #tables: Float64Array;
  /** L2 tables that are no longer there. */
  readonly #gone = new Set<number>();

  /** `blocks` and `tables`: the offsets of refcount blocks and L2 tables, in any order. */
  constructor(clusterSize: number, blocks: Float64Array, tables: Float64Array) {
    this.#clusterSize = clusterSize;
    this.#blocks = blocks.toSorted();
    this.#tables = tables.toSorted();
  }

  /** Where the one structure of that name lies from now on. */
  place(name: string, start: number, length: number): void {
    this.#ranges.set(name, { name, start, end: start + length });
  }

  /** An L2 table that was given up. */
  forgetTable(hostOffset: number): void {
    this.#gone.add(hostOffset);
  }

  /** CORRUPT when `count` clusters from `hostOffset` on hold any structure of the image. */
  refuseOverlap(hostOffset: number, count: number): void {
    this.refuseTableOverlap(hostOffset, count);
    const end = hostOffset + count * this.#clusterSize;
    const table = this.#tables[firstAtLeast(this.#tables, hostOffset)];
    if (table !== undefined && table < end && !this.#gone.has(table)) throw overlap('an L2 table', table);
  }

  /** The same for clusters that hold L2 tables themselves. */
  refuseTableOverlap(hostOffset: number, count: number): void {
    const end = hostOffset + count * this.#clusterSize;
    for (const range of this.#ranges.values()) {
      if (hostOffset < range.end && range.start < end) throw overlap(range.name, hostOffset);
    }
    const block = this.#blocks[firstAtLeast(this.#blocks, hostOffset)];
    if (block !== undefined && block < end) throw overlap('a refcount block', block);
  }
}

function overlap(name: string, offset: number) {
  return corrupt({
    layer: 'qcow2',
    structure: 'cluster to be written (qemu-img check -r all repairs the reference counts)',
    offset,
    expected: 'a cluster of data or a free one',
    found: name,
  });
}
