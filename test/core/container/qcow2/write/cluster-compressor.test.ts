import { inflateRawSync, zstdDecompressSync } from 'node:zlib';
import test from 'ava';
import { ClusterCompressors } from '../../../../../src/core/container/qcow2/write/cluster-compressor.ts';
import { seededRandom } from '../../../../helpers/seeded-random.ts';
import { mixedContent } from '../../../../oracle/qcow2-images.ts';

const CLUSTER = 65536;

test('many clusters through few compressors come out each as itself', async (t) => {
  const content = mixedContent(40 * CLUSTER, 1);
  const clusters = Array.from({ length: 40 }, (_, index) => content.slice(index * CLUSTER, (index + 1) * CLUSTER));
  for (const [type, decompress] of [
    ['zlib', inflateRawSync],
    ['zstd', zstdDecompressSync],
  ] as const) {
    using compressors = new ClusterCompressors(type, CLUSTER, 3);
    const compressed = await Promise.all(clusters.map((cluster) => compressors.compress(cluster)));
    for (const [index, bytes] of compressed.entries())
      t.is(Buffer.compare(decompress(bytes), clusters[index]!), 0, `${type} ${index}`);
  }
});

test('deflate looks no further back than the 4 KiB that QEMU keeps', async (t) => {
  const random = seededRandom(2);
  const block = Uint8Array.from({ length: 6000 }, () => random() * 256);
  const cluster = Uint8Array.from({ length: CLUSTER }, (_, at) => block[at % block.length]!);
  using compressors = new ClusterCompressors('zlib', CLUSTER, 1);
  const bytes = await compressors.compress(cluster);
  // In small pieces, so that what is further back is gone.
  t.is(Buffer.compare(inflateRawSync(bytes, { windowBits: 12, chunkSize: 512 }), cluster), 0);
});
