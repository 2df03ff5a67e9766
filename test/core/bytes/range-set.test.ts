import test from 'ava';
import { RangeSet } from '../../../src/core/bytes/range-set.ts';
import { firstAtLeast } from '../../../src/core/bytes/sorted-search.ts';
import { seededRandom } from '../../helpers/seeded-random.ts';

test('firstAtLeast finds the first value that is large enough', (t) => {
  const values = [2, 4, 4, 9];
  t.deepEqual(
    [0, 2, 3, 4, 5, 9, 10].map((value) => firstAtLeast(values, value)),
    [0, 0, 1, 1, 3, 3, 4],
  );
  t.is(firstAtLeast([], 1), 0);
});

test('ranges that touch or overlap become one; the empty range is none', (t) => {
  const set = new RangeSet();
  set.add(10, 20);
  set.add(30, 40);
  set.add(5, 5);
  t.is(set.count, 2);
  set.add(20, 30);
  t.is(set.count, 1);
  t.is(set.endOfRangeAt(10), 40);
  t.is(set.endOfRangeAt(39), 40);
  t.is(set.endOfRangeAt(40), undefined);
  t.is(set.endOfRangeAt(9), undefined);
  t.is(set.nextStart(0), 10);
  t.is(set.nextStart(10), undefined);
});

test('a RangeSet says of every number what a list of flags says', (t) => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = seededRandom(seed);
    const set = new RangeSet();
    const flags = new Array<boolean>(200).fill(false);
    for (let count = 0; count < 30; count++) {
      const start = Math.floor(random() * 190);
      const end = start + Math.floor(random() * 12);
      set.add(start, end);
      flags.fill(true, start, end);
      for (let at = 0; at < flags.length; at++) {
        const end = set.endOfRangeAt(at);
        if ((end !== undefined) !== flags[at]) t.fail(`seed ${seed}: ${at}`);
        if (end !== undefined && (flags[end] === true || flags.slice(at, end).includes(false))) t.fail(`end of ${at}`);
        const next = flags.findIndex((flag, index) => index > at && flag && flags[index - 1] === false);
        if ((set.nextStart(at) ?? -1) !== next) t.fail(`seed ${seed}: next of ${at}`);
      }
    }
  }
  t.pass();
});
