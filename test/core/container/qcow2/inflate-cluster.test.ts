import { constants, deflateRawSync, zstdCompressSync } from 'node:zlib';
import test from 'ava';
import { inflateCluster } from '../../../../src/core/container/qcow2/inflate-cluster.ts';
import { seededRandom } from '../../../conformance/device-conformance.ts';

const CLUSTER = 65536;
const random = seededRandom(5);
const cluster = Buffer.from(Uint8Array.from({ length: CLUSTER }, () => 97 + random() * 8));
const codecs = [
  { type: 'zlib', compress: (bytes: Uint8Array) => deflateRawSync(bytes, { windowBits: 12 }) },
  { type: 'zstd', compress: (bytes: Uint8Array) => zstdCompressSync(bytes) },
] as const;

for (const { type, compress } of codecs) {
  const packed = compress(cluster);

  test(`${type}: a cluster, whatever follows it in its last sector`, async (t) => {
    const tails = [
      new Uint8Array(0),
      new Uint8Array(300),
      packed.subarray(0, 300),
      packed,
      Uint8Array.from({ length: 300 }, () => random() * 256),
    ];
    for (const tail of tails) {
      const plain = await inflateCluster(Buffer.concat([packed, tail]), type, CLUSTER);
      t.is(Buffer.compare(plain, cluster), 0);
    }
  });

  test(`${type}: every cluster size`, async (t) => {
    for (let bits = 9; bits <= 21; bits++) {
      const plain = Buffer.alloc(2 ** bits, cluster);
      t.is(Buffer.compare(await inflateCluster(compress(plain), type, plain.length), plain), 0);
    }
  });

  test(`${type}: a bomb gives one cluster and no more`, async (t) => {
    const bomb = compress(new Uint8Array(64 * 1024 * 1024));
    const plain = await inflateCluster(bomb, type, CLUSTER);
    t.is(plain.length, CLUSTER);
    t.true(plain.buffer.byteLength <= 2 * CLUSTER);
  });

  test(`${type}: too short, cut, empty and damaged data are errors`, async (t) => {
    const sources = [
      compress(cluster.subarray(1)),
      packed.subarray(0, packed.length / 2),
      new Uint8Array(0),
      new Uint8Array(512).fill(0xff),
      new Uint8Array(512),
    ];
    for (const source of sources) {
      await t.throwsAsync(inflateCluster(source, type, CLUSTER), { instanceOf: Error }, `${source.length} bytes`);
    }
  });
}

test('zlib: a window of 32 KiB and a stream without its last block are read', async (t) => {
  const wide = deflateRawSync(cluster, { windowBits: 15, level: 9 });
  t.is(Buffer.compare(await inflateCluster(wide, 'zlib', CLUSTER), cluster), 0);
  const open = deflateRawSync(cluster, { finishFlush: constants.Z_SYNC_FLUSH });
  t.is(Buffer.compare(await inflateCluster(open, 'zlib', CLUSTER), cluster), 0);
});

test('zstd: a cluster in several frames is read, a window above the limit is refused', async (t) => {
  const frames = [0, 20_000, 40_000].map((at, index) =>
    zstdCompressSync(cluster.subarray(at, index === 2 ? CLUSTER : at + 20_000)),
  );
  t.is(Buffer.compare(await inflateCluster(Buffer.concat(frames), 'zstd', CLUSTER), cluster), 0);
  // A frame header that declares a window of 2^27 bytes and no content size (RFC 8878, section 3.1.1.1.2).
  const hungry = Uint8Array.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x88, 0x01, 0x00, 0x00]);
  await t.throwsAsync(inflateCluster(hungry, 'zstd', CLUSTER), { instanceOf: Error, message: /memory|window/i });
});

test('many at once', async (t) => {
  const packed = deflateRawSync(cluster);
  const all = await Promise.all(Array.from({ length: 64 }, () => inflateCluster(packed, 'zlib', CLUSTER)));
  t.true(all.every((plain) => Buffer.compare(plain, cluster) === 0));
});
