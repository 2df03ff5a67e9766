import test from 'ava';
import { bitField64 } from '../../../../../src/core/bytes/bits.ts';
import { RefcountBlock } from '../../../../../src/core/container/qcow2/write/refcount-block.ts';
import { seededRandom } from '../../../../helpers/seeded-random.ts';

const BYTES = 512;

for (const bits of [1, 2, 4, 8, 16, 32, 64]) {
  test(`counts of ${bits} bits keep their values and leave their neighbors alone`, (t) => {
    const block = new RefcountBlock(new Uint8Array(BYTES), bits);
    t.is(block.entryCount, (BYTES * 8) / bits);
    const random = seededRandom(bits);
    const limit = Math.min(2 ** bits, 2 ** 53);
    const counts = Array.from({ length: block.entryCount }, () => 0);
    for (let round = 0; round < 3000; round++) {
      const index = Math.floor(random() * counts.length);
      counts[index] = Math.floor(random() * limit);
      block.set(index, counts[index]!);
    }
    t.deepEqual(
      counts.map((_, index) => block.get(index)),
      counts,
    );
    // The specification's order: big-endian above a byte, from the least significant bit below.
    const view = new DataView(block.bytes.buffer);
    const expected = (index: number): bigint => {
      if (bits < 8) return bitField64(BigInt(block.bytes[Math.floor((index * bits) / 8)]!), (index * bits) % 8, bits);
      let value = 0n;
      for (let at = 0; at < bits / 8; at++) value = value * 256n + BigInt(view.getUint8((index * bits) / 8 + at));
      return value;
    };
    t.true(counts.every((count, index) => BigInt(count) === expected(index)));
    t.is(block.byteOf(9), Math.floor((9 * bits) / 8));
  });
}
