import test from 'ava';
import fc from 'fast-check';
import { SparseBitSet } from '../../../src/core/bytes/sparse-bit-set.ts';

test('a number is new once, whatever came between, up to 2^32 - 1', (t) => {
  const number = fc.oneof(fc.nat(100), fc.integer({ min: 4000, max: 4200 }), fc.integer({ min: 0, max: 0xffff_ffff }));
  fc.assert(
    fc.property(fc.array(number, { maxLength: 300 }), (numbers) => {
      const set = new SparseBitSet();
      const known = new Set<number>();
      for (const value of numbers) {
        t.is(set.add(value), !known.has(value));
        known.add(value);
      }
    }),
  );
  const edges = new SparseBitSet();
  for (const value of [0, 31, 32, 4095, 4096, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]) {
    t.true(edges.add(value));
    t.false(edges.add(value));
  }
});
