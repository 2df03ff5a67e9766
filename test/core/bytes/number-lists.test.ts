import test from 'ava';
import { NumberList } from '../../../src/core/bytes/number-list.ts';
import { NumberMap } from '../../../src/core/bytes/number-map.ts';
import { seededRandom } from '../../helpers/seeded-random.ts';

test('a list of numbers grows, and forgets what is cut off', (t) => {
  for (const [list, scale] of [
    [NumberList.ofUint32(), 1],
    [NumberList.ofFloat64(), 2 ** 20],
  ] as const) {
    for (let value = 0; value < 5000; value++) t.is(list.push(value * scale), value);
    t.is(list.at(4999), 4999 * scale);
    list.set(7, 1);
    t.is(list.at(7), 1);
    list.truncate(10);
    t.deepEqual(
      Array.from(list.values),
      [0, 1, 2, 3, 4, 5, 6, 1 / scale, 8, 9].map((value) => value * scale),
    );
    list.truncate(100);
    t.is(list.length, 10);
  }
});

test('a map of numbers is one', (t) => {
  const random = seededRandom(7);
  const [map, peer] = [new NumberMap(), new Map<number, number>()];
  for (let step = 0; step < 20_000; step++) {
    // Near each other, far apart, and multiples of what a table may have.
    const pick = (count: number): number => Math.floor(random() * count);
    const key = [pick(5000), 2 ** 32 - 1 - pick(5000), pick(5000) * 65_536][step % 3]!;
    const value = pick(2 ** 31);
    map.set(key, value);
    peer.set(key, value);
  }
  t.is(map.size, peer.size);
  for (const [key, value] of peer) t.is(map.get(key), value);
  t.false(map.has(123_456_789));
  t.is(map.get(123_456_789), undefined);
});
