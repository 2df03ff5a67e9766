import { constants, deflateRawSync, zstdCompressSync } from 'node:zlib';
import test from 'ava';
import { decodeClusters } from '../../../src/core/codec/decode-clusters.ts';
import type { ClusterEncoding } from '../../../src/core/codec/decode-job.ts';
import { decodeInWorker } from '../../../src/core/codec/decode-pool.ts';
import { zstdFrame } from '../../../src/core/codec/zstd-frame.ts';
import { seededRandom } from '../../conformance/device-conformance.ts';

const CLUSTER = 4096;
const random = seededRandom(17);
const cluster = (): Buffer => Buffer.from(Uint8Array.from({ length: CLUSTER }, () => 97 + random() * 8));
const clusters = Array.from({ length: 20 }, cluster);
const compress: Record<ClusterEncoding, (bytes: Uint8Array) => Buffer> = {
  zlib: (bytes) => deflateRawSync(bytes, { windowBits: 12 }),
  zstd: (bytes) => zstdCompressSync(bytes),
};

/** The pieces one behind the other; each part reaches `slack` bytes into what follows, as QCOW2's descriptors do. */
function jobOf(encoding: ClusterEncoding, pieces: readonly Uint8Array[], slack = 300) {
  const all = Buffer.concat([...pieces, new Uint8Array(slack)]);
  const source = new SharedArrayBuffer(all.length);
  new Uint8Array(source).set(all);
  let at = 0;
  const parts = Float64Array.from(
    pieces.flatMap(({ length }) => {
      const part = [at, length + slack];
      at += length;
      return part;
    }),
  );
  const targetOffset = 100;
  const target = new SharedArrayBuffer(targetOffset + pieces.length * CLUSTER);
  return { encoding, clusterSize: CLUSTER, source, parts, target, targetOffset };
}

function decoded({ target, targetOffset }: { target: SharedArrayBuffer; targetOffset: number }): Buffer[] {
  const bytes = Buffer.from(target, targetOffset);
  return Array.from({ length: bytes.length / CLUSTER }, (_, index) =>
    bytes.subarray(index * CLUSTER, (index + 1) * CLUSTER),
  );
}

for (const encoding of ['zlib', 'zstd'] as const) {
  const packed = clusters.map((each) => compress[encoding](each));

  test(`${encoding}: a run gives every cluster at its place, here and in a worker`, async (t) => {
    const here = jobOf(encoding, packed);
    t.deepEqual(decodeClusters(here), []);
    t.deepEqual(decoded(here), clusters);
    const there = jobOf(encoding, packed);
    t.deepEqual(await decodeInWorker(there), []);
    t.deepEqual(decoded(there), clusters);
    t.deepEqual(new Uint8Array(there.target, 0, 100), new Uint8Array(100), 'nothing before its place');
  });

  test(`${encoding}: what is damaged, too long or too short is named; the others are right`, (t) => {
    const pieces = [...packed];
    const bad = [3, 7, 8, 12];
    pieces[3] = compress[encoding](clusters[3]!.subarray(1));
    pieces[7] = Buffer.alloc(200, 0xff);
    pieces[8] = compress[encoding](Buffer.concat([clusters[8]!, clusters[9]!]));
    pieces[12] = Buffer.alloc(40);
    const job = jobOf(encoding, pieces);
    t.deepEqual(decodeClusters(job), bad);
    for (const [index, bytes] of decoded(job).entries())
      if (!bad.includes(index)) t.deepEqual(bytes, clusters[index], `cluster ${index}`);
  });

  test(`${encoding}: many jobs at once each get their own answer`, async (t) => {
    const jobs = Array.from({ length: 30 }, (_, index) =>
      jobOf(encoding, index % 3 === 0 ? [packed[index % 20]!, Buffer.alloc(9)] : [packed[index % 20]!]),
    );
    const answers = await Promise.all(jobs.map(decodeInWorker));
    for (const [index, answer] of answers.entries()) {
      t.deepEqual(answer, index % 3 === 0 ? [1] : []);
      t.deepEqual(decoded(jobs[index]!)[0], clusters[index % 20]);
    }
  });
}

test('zstd: a frame that lies about its size harms nobody else', (t) => {
  const packed = clusters.slice(0, 4).map((each) => zstdCompressSync(each));
  // Single segment: the content size stands in two bytes behind the descriptor, less 256. Two lies that cancel out.
  for (const [index, size] of [
    [1, CLUSTER + 1],
    [2, CLUSTER - 1],
  ] as const)
    packed[index] = zstdCompressSync(Buffer.alloc(size, clusters[index]!));
  const job = jobOf('zstd', packed);
  t.deepEqual(decodeClusters(job), [1, 2]);
  t.deepEqual(decoded(job)[3], clusters[3]);
});

test('the length of a zstd frame is told without decompressing it', (t) => {
  const plain = clusters[0]!;
  const inputs = [
    Buffer.alloc(0),
    Buffer.alloc(1),
    plain,
    Buffer.alloc(300_000),
    Buffer.concat(clusters),
    Buffer.alloc(200, 1),
  ];
  for (const input of inputs) {
    for (const checksum of [0, 1]) {
      for (const level of [1, 19]) {
        const params = { [constants.ZSTD_c_checksumFlag]: checksum, [constants.ZSTD_c_compressionLevel]: level };
        const frame = zstdCompressSync(input, { params });
        const found = zstdFrame(Buffer.concat([frame, plain]));
        t.is(found?.length, frame.length);
        if (found?.contentSize !== undefined) t.is(found.contentSize, input.length);
        for (const cut of [0, 4, 5, frame.length - 1]) t.is(zstdFrame(frame.subarray(0, cut)), undefined);
      }
    }
  }
  t.is(zstdFrame(Buffer.alloc(100)), undefined);
});
