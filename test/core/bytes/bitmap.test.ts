import test from 'ava';
import { allSet, countCommonBits, differingBits } from '../../../src/core/bytes/bitmap.ts';
import { countBits } from '../../../src/core/bytes/bits.ts';
import { PagedNumbers } from '../../../src/core/bytes/paged-numbers.ts';
import { SparseBitSet } from '../../../src/core/bytes/sparse-bit-set.ts';
import { seededRandom } from '../../helpers/seeded-random.ts';

const PAGE = 4096;

test('ranges across pages, added, asked for and copied', (t) => {
  const bits = new SparseBitSet();
  bits.fill(PAGE - 3, PAGE + 6);
  t.false(bits.has(PAGE - 4));
  t.true(bits.has(PAGE - 3));
  t.true(bits.has(2 * PAGE + 2));
  t.false(bits.has(2 * PAGE + 3));
  t.true(bits.hasAny(0, PAGE - 2));
  t.false(bits.hasAny(0, PAGE - 3));
  t.true(bits.hasAll(PAGE - 3, PAGE + 6));
  t.false(bits.hasAll(PAGE - 3, PAGE + 7));
  t.false(bits.hasAll(PAGE - 4, 9));
  t.false(bits.addNew(10, PAGE), 'a part of it is there');
  t.false(bits.has(10), 'and nothing is added');
  t.true(bits.addNew(10, 5));
  t.false(bits.add(12));
  t.true(bits.add(2 ** 40));
  t.true(bits.has(2 ** 40));
});

test('copies begin at any bit', (t) => {
  const random = seededRandom(3);
  const bits = new SparseBitSet();
  const plain = new Set<number>();
  for (let count = 0; count < 3000; count++) {
    const value = PAGE - 2000 + Math.floor(random() * 4000);
    bits.add(value);
    plain.add(value);
  }
  for (const first of [PAGE - 2000, PAGE - 1999, PAGE - 8, PAGE - 5]) {
    for (const count of [1, 7, 8, 9, 16, 1000, 1001]) {
      const copy = new Uint8Array(200).fill(0xff);
      bits.copyTo(copy, first, count);
      const expected = new Uint8Array(Math.ceil(count / 8));
      for (let bit = 0; bit < count; bit++)
        if (plain.has(first + bit)) expected[Math.floor(bit / 8)]! += 2 ** (bit % 8);
      t.deepEqual(copy.subarray(0, expected.length), expected, `${count} from ${first}`);
    }
  }
});

test('bits are counted, compared and looked for', (t) => {
  const left = Uint8Array.of(0b0000_1111, 0xff, 0b1010_1010);
  const right = Uint8Array.of(0b0000_0011, 0xff, 0b0101_0101);
  t.is(countBits(left, 0, 24), 16);
  t.is(countBits(left, 0, 19), 13);
  t.is(countCommonBits(left, right), 10);
  t.true(allSet(left, 8, 16));
  t.false(allSet(left, 8, 17));
  t.true(allSet(left, 5, 5));
  t.deepEqual(
    [...differingBits(left, right, 18)],
    [
      [2, 2, true],
      [16, 1, false],
      [17, 1, true],
    ],
  );
  t.deepEqual([...differingBits(left, left, 24)], []);
});

test('numbers are 0 until they are set, and stay at the largest', (t) => {
  const numbers = new PagedNumbers();
  t.is(numbers.get(2 ** 33), 0);
  numbers.set(5000, 0xffff_ffff);
  t.is(numbers.increment(5000), 0xffff_ffff);
  t.is(numbers.increment(1), 1);
  t.is(numbers.increment(1), 2);
  t.deepEqual([...numbers.keys()], [5000, 1]);
});
