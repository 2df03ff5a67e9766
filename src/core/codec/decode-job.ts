/** Encodings of a container's clusters that the workers decode. */
export type ClusterEncoding = 'zlib' | 'zstd';

/** Some clusters to decode, as it goes to a worker; all memory is shared, so that nothing is copied on the way. */
export interface DecodeJob {
  readonly encoding: ClusterEncoding;
  /** Bytes that every cluster must give. */
  readonly clusterSize: number;
  readonly source: SharedArrayBuffer;
  /** For each cluster where its bytes begin in `source` and how many there are at most: pairs. */
  readonly parts: Float64Array;
  /** The clusters go here, one after another from byte `targetOffset` on. */
  readonly target: SharedArrayBuffer;
  readonly targetOffset: number;
}

/** The numbers (from 0) of the clusters that could not be decoded this way; their part of the target means nothing. */
export type DecodeAnswer = readonly number[];
