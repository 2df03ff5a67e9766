import { roundDown, roundUp } from '../../bytes/rounding.ts';
import type { BlockDevice } from '../../device/block-device.ts';
import type { Extent } from '../../device/extent.ts';
import type { Diagnostic } from '../../format.ts';
import { ENCRYPTION_SECTOR_BYTES, type EncryptedClusters } from './encrypted-clusters.ts';

/** The uncompressed clusters of one image: in the image file or the external data file, encrypted or not. */
export class DataClusters {
  readonly source: BlockDevice;
  readonly #clusterSize: number;
  readonly #encrypted: EncryptedClusters | undefined;
  readonly #report: (diagnostic: Diagnostic) => void;
  #shortClusterReported = false;

  constructor(
    source: BlockDevice,
    clusterSize: number,
    encrypted: EncryptedClusters | undefined,
    report: (diagnostic: Diagnostic) => void,
  ) {
    this.source = source;
    this.#clusterSize = clusterSize;
    this.#encrypted = encrypted;
    this.#report = report;
  }

  /**
   * The guest offset of the first cluster of a run that lies wholly behind the end of the file and is lost, if it comes
   * before `end`. The run begins at `start`, which lies at `hostOffset`.
   */
  firstLost(hostOffset: number, start: number, end: number): number | undefined {
    const present = Math.max(0, roundUp(this.source.size, this.#clusterSize) - hostOffset);
    return start + present < end ? start + present : undefined;
  }

  /**
   * The extents of a run that is there. A file may end inside its last cluster, of which only a part was ever written: the
   * rest of that cluster is zeros, as in QEMU.
   */
  *extents(hostOffset: number, start: number, end: number): Generator<Extent, void> {
    const { source } = this;
    const dataEnd = Math.min(end, start + Math.max(0, source.size - hostOffset));
    if (dataEnd < end) this.#reportShortCluster();
    if (this.#encrypted !== undefined) {
      yield this.#encryptedExtent(this.#encrypted, hostOffset, start, end);
      return;
    }
    if (start < dataEnd) yield { kind: 'data', start, length: dataEnd - start, source, sourceOffset: hostOffset };
    if (dataEnd < end) yield { kind: 'zero', start: dataEnd, length: end - dataEnd, explicit: false };
  }

  /** Bytes come by whole sectors: the extent's source is those that it touches. */
  #encryptedExtent(clusters: EncryptedClusters, hostOffset: number, start: number, end: number): Extent {
    const { source } = this;
    const length = end - start;
    const sourceOffset = Math.min(roundDown(hostOffset, ENCRYPTION_SECTOR_BYTES), source.size);
    const sourceEnd = Math.min(roundUp(hostOffset + length, ENCRYPTION_SECTOR_BYTES), source.size);
    return {
      kind: 'encoded',
      start,
      length,
      source,
      sourceOffset,
      sourceLength: sourceEnd - sourceOffset,
      encoding: clusters.encoding,
      decodeInto: (target, offset, options) =>
        clusters.readInto({ hostOffset: hostOffset + offset, guestOffset: start + offset }, target, options),
    };
  }

  #reportShortCluster(): void {
    if (this.#shortClusterReported) return;
    this.#shortClusterReported = true;
    const outcome = this.#encrypted === undefined ? 'reads as zeros' : 'was never written and reads as noise';
    this.#report({
      layer: 'qcow2',
      structure: 'data cluster',
      offset: this.source.size,
      message: `the file ends inside a data cluster; the rest of that cluster ${outcome}`,
    });
  }
}
