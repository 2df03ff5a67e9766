import test from 'ava';
import fc from 'fast-check';
import { clamp, divideDown, divideUp, isPowerOfTwo, roundDown, roundUp } from '../../../src/core/index.ts';

test('exactly the powers of two are powers of two, up to 2^52', (t) => {
  for (let exponent = 0; exponent <= 52; exponent++) {
    t.true(isPowerOfTwo(2 ** exponent), String(exponent));
    if (exponent > 1) t.false(isPowerOfTwo(2 ** exponent + 1) || isPowerOfTwo(2 ** exponent - 1), String(exponent));
  }
  for (const value of [0, -1, -2, 0.5, 3, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])
    t.false(isPowerOfTwo(value));
});

test('division and rounding equal those of bigint for every safe integer', (t) => {
  fc.assert(
    fc.property(
      fc.maxSafeNat(),
      fc.oneof(
        fc.integer({ min: 1, max: 65536 }),
        fc.maxSafeNat().map((unit) => unit + 1 - (unit === Number.MAX_SAFE_INTEGER ? 1 : 0)),
      ),
      (value, unit) => {
        const [big, bigUnit] = [BigInt(value), BigInt(unit)];
        const rest = big % bigUnit;
        t.is(divideDown(value, unit), Number(big / bigUnit));
        t.is(divideUp(value, unit), Number(big / bigUnit) + (rest === 0n ? 0 : 1));
        t.is(roundDown(value, unit), Number(big - rest));
        const up = rest === 0n ? big : big + bigUnit - rest;
        if (up <= BigInt(Number.MAX_SAFE_INTEGER)) t.is(roundUp(value, unit), Number(up));
      },
    ),
  );
  t.is(divideUp(Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER - 1), 2);
  t.is(divideDown(Number.MAX_SAFE_INTEGER, 2), 2 ** 52 - 1);
});

test('clamp keeps a value between its bounds', (t) => {
  t.deepEqual(
    [-1, 0, 5, 10, 11].map((value) => clamp(value, 0, 10)),
    [0, 0, 5, 10, 10],
  );
});
