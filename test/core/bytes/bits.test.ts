import test from 'ava';
import fc from 'fast-check';
import {
  bitField,
  bitField64,
  bitNumbers,
  bitNumbers64,
  clearMask,
  equalBits,
  fillBits,
  hasBit,
  hasBit64,
  hasCommonBit,
  hasMask,
  joinHalves,
  joinHalves64,
  rotateLeft8,
  rotateRight8,
  xor32,
  xorBytes,
} from '../../../src/core/bytes/bits.ts';
import { seededRandom } from '../../conformance/device-conformance.ts';

const word = fc.integer({ min: 0, max: 0xffff_ffff });
const word64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

test('a word is its bit numbers, and each of them is set', (t) => {
  fc.assert(
    fc.property(word, (value) => {
      const bits = bitNumbers(value);
      t.is(
        bits.reduce((sum, bit) => sum + 2 ** bit, 0),
        value,
      );
      for (let bit = 0; bit < 32; bit++) t.is(hasBit(value, bit), bits.includes(bit));
    }),
  );
  fc.assert(
    fc.property(word64, (value) => {
      const bits = bitNumbers64(value);
      t.is(
        bits.reduce((sum, bit) => sum + 2n ** BigInt(bit), 0n),
        value,
      );
      for (const bit of [0, 31, 32, 52, 53, 63]) t.is(hasBit64(value, bit), bits.includes(bit));
    }),
  );
});

test('fields, masks and halves are unsigned up to the top bit', (t) => {
  fc.assert(
    fc.property(word, word, fc.nat(31), fc.integer({ min: 1, max: 32 }), (value, mask, from, width) => {
      const fits = Math.min(width, 32 - from);
      t.is(bitField(value, from, fits), Math.floor(value / 2 ** from) % 2 ** fits);
      t.is(clearMask(value, mask), value - both(value, mask));
      t.is(xor32(value, mask), value + mask - 2 * both(value, mask));
      t.is(hasMask(value, mask), both(value, mask) === mask);
    }),
  );
  t.is(bitField64(2n ** 64n - 1n, 9, 47), 2n ** 47n - 1n);
  t.is(joinHalves(0x1f_ffff, 0xffff_ffff), Number.MAX_SAFE_INTEGER);
});

test('rotating a byte right moves its lowest bit to the top, left undoes it', (t) => {
  for (let byte = 0; byte < 256; byte++) {
    t.is(rotateRight8(byte), Math.floor(byte / 2) + (byte % 2) * 128);
    t.is(rotateLeft8(rotateRight8(byte)), byte);
  }
});

/** The bits set in both, worked out by arithmetic. */
function both(left: number, right: number): number {
  let sum = 0;
  for (let bit = 0; bit < 32; bit++) {
    const isSet = (value: number) => Math.floor(value / 2 ** bit) % 2 === 1;
    if (isSet(left) && isSet(right)) sum += 2 ** bit;
  }
  return sum;
}

test('equalBits counts the bits that are as the first one, to the end of the word', (t) => {
  const random = seededRandom(4);
  const words = [0, 0xffffffff, 1, 0x80000000, 0x7fffffff, 0xfffffffe, 0x0000ffff, 0xffff0000, 0x55555555];
  for (let count = 0; count < 200; count++) words.push(Math.floor(random() * 2 ** 32));
  for (const word of words) {
    for (let from = 0; from < 32; from++) {
      let count = 1;
      while (from + count < 32 && hasBit(word, from + count) === hasBit(word, from)) count++;
      t.is(equalBits(word, from), count, `0x${word.toString(16)} from ${from}`);
    }
  }
});

test('hasCommonBit sees each bit, the topmost too', (t) => {
  for (let bit = 0; bit < 32; bit++) {
    t.true(hasCommonBit(2 ** bit, 0xffffffff));
    t.false(hasCommonBit(2 ** bit, 0xffffffff - 2 ** bit));
  }
});

test('xorBytes changes the target as far as both reach, however the two lie in memory', (t) => {
  const random = seededRandom(8);
  const noise = Uint8Array.from({ length: 64 }, () => random() * 256);
  for (let targetAt = 0; targetAt < 5; targetAt++) {
    for (let sourceAt = 0; sourceAt < 5; sourceAt++) {
      for (const length of [0, 1, 3, 4, 5, 17]) {
        const bytes = noise.slice();
        const source = noise.slice(20).subarray(sourceAt, sourceAt + length);
        xorBytes(bytes.subarray(targetAt, targetAt + 20), source);
        const expected = noise.map((byte, at) =>
          at >= targetAt && at < targetAt + length ? xor32(byte, source[at - targetAt]!) : byte,
        );
        t.deepEqual(bytes, expected, `${length} bytes at ${targetAt} from ${sourceAt}`);
      }
    }
  }
});

test('bits are filled as one by one, and nothing beside them', (t) => {
  for (let from = 0; from < 20; from++) {
    for (let count = 0; count < 30; count++) {
      for (const set of [true, false]) {
        const bytes = new Uint8Array(8).fill(set ? 0 : 0xff);
        fillBits(bytes, from, count, set);
        const found = Array.from({ length: 64 }, (_, bit) => hasBit(bytes[Math.floor(bit / 8)]!, bit % 8));
        const expected = Array.from({ length: 64 }, (_, bit) => (bit >= from && bit < from + count) === set);
        t.deepEqual(found, expected, `${count} from ${from}`);
      }
    }
  }
});

test('two halves make a word of 64 bits', (t) => {
  t.is(joinHalves64(0xfedcba98, 0x76543210), 0xfedcba9876543210n);
});
