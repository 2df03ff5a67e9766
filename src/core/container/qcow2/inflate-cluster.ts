import { constants, createInflateRaw, createZstdDecompress } from 'node:zlib';
import { MAX_ZSTD_WINDOW_LOG } from '../../codec/decode-clusters.ts';

/** Compression types of the header (qcow2 specification, section "Header", byte 104), by their number. */
export const COMPRESSION_TYPES = ['zlib', 'zstd'] as const;
export type CompressionType = (typeof COMPRESSION_TYPES)[number];

/**
 * Decompresses exactly one cluster of `clusterSize` bytes and stops: what follows in `source` is padding or the next cluster's
 * beginning. Runs in libuv's thread pool, so several calls decompress at once; memory is bounded by the cluster.
 * Rejects with zlib's error, or with an `Error` when the source ends before the cluster is full.
 */
export function inflateCluster(
  source: Uint8Array,
  type: CompressionType,
  clusterSize: number,
): Promise<Uint8Array<ArrayBufferLike>> {
  return new Promise((resolve, reject) => {
    const stream = decompressor(type, clusterSize);
    let collected: Uint8Array | undefined;
    let filled = 0;
    stream.on('data', (chunk: Uint8Array) => {
      if (filled === 0 && chunk.length === clusterSize) {
        collected = chunk;
      } else {
        collected ??= new Uint8Array(clusterSize);
        collected.set(chunk.subarray(0, clusterSize - filled), filled);
      }
      filled += chunk.length;
      if (filled < clusterSize) return;
      resolve(collected);
      stream.destroy();
    });
    stream.on('end', () => reject(new Error(`the compressed data ends after ${filled} bytes`)));
    stream.on('error', reject);
    stream.end(source);
  });
}

function decompressor(type: CompressionType, clusterSize: number) {
  if (type === 'zstd') {
    return createZstdDecompress({
      chunkSize: clusterSize,
      params: { [constants.ZSTD_d_windowLogMax]: MAX_ZSTD_WINDOW_LOG },
    });
  }
  // The format is plain RFC 1951; QEMU writes it with a window of 4 KiB, but the specification allows all 32.
  // The flush mode lets a stream without its final block pass once the cluster is full, as QEMU does.
  return createInflateRaw({ chunkSize: clusterSize, finishFlush: constants.Z_SYNC_FLUSH });
}
