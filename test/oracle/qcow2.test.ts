import test from 'ava';
import { hasTools, temporaryFolder } from '../helpers/tools.ts';
import { compare, type ImageRecipe, makeImage } from './qcow2-images.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const clusterSizes = Array.from({ length: 13 }, (_, index) => 2 ** (index + 9));

const matrix: (ImageRecipe & { readonly name: string })[] = [];
for (const clusterSize of clusterSizes) {
  // Small clusters with a small disk, large ones with one of several clusters that does not end with one.
  const size = Math.max(2 * MIB, clusterSize * 3) + 37 * 512;
  const cluster = `cluster_size=${clusterSize}`;
  matrix.push(
    { name: `v3, clusters of ${clusterSize}`, size, options: `compat=1.1,${cluster}` },
    { name: `v3 zlib, clusters of ${clusterSize}`, size, options: `compat=1.1,${cluster}`, compressed: true },
    { name: `v2, clusters of ${clusterSize}`, size, options: `compat=0.10,${cluster}`, zeros: false },
    {
      name: `v3 zstd, clusters of ${clusterSize}`,
      size,
      options: `compression_type=zstd,${cluster}`,
      compressed: true,
    },
  );
}
matrix.push(
  { name: 'v2 zlib', size: 3 * MIB, options: 'compat=0.10', compressed: true, zeros: false },
  {
    name: 'v2 zlib, clusters of 512',
    size: MIB,
    options: 'compat=0.10,cluster_size=512',
    compressed: true,
    zeros: false,
  },
  { name: 'metadata preallocated', size: 5 * MIB + 512, options: 'preallocation=metadata' },
  {
    name: 'metadata preallocated, v2, clusters of 512',
    size: MIB,
    options: 'preallocation=metadata,compat=0.10,cluster_size=512',
    zeros: false,
  },
  { name: 'preallocated with falloc', size: MIB, options: 'preallocation=falloc' },
  ...[1, 2, 4, 8, 16, 32, 64].map((bits) => ({
    name: `refcounts of ${bits} bits`,
    size: MIB,
    options: `cluster_size=512,refcount_bits=${bits}`,
  })),
  { name: 'refcounts of 64 bits, lazy', size: MIB, options: 'refcount_bits=64,lazy_refcounts=on' },
  { name: 'one sector', size: 512, options: 'compat=1.1' },
);

for (const [index, entry] of matrix.entries()) {
  test(`qemu-img agrees: ${entry.name}`, async (t) => {
    if (!hasTools(t, 'qemu-img', 'qemu-io')) return;
    await compare(t, await makeImage(temporaryFolder(t), entry, index + 1));
  });
}
