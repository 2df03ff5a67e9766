import test from 'ava';
import { BatPage } from '../../../../src/core/container/vhdx/bat-page.ts';
import { MIB } from '../../../../src/core/container/vhdx/header.ts';
import { batWord } from './vhdx-builder.ts';

const page = (...words: readonly (readonly [number, number])[]): BatPage =>
  new BatPage(Buffer.concat(words.map(([state, offset]) => batWord(state, offset))), 100);

test('blocks that say the same are one run: one step for a sparse disk, not one for each block', (t) => {
  t.is(page(...Array.from({ length: 5000 }, () => [0, 0] as const)).run(100, 9000, MIB).count, 5000);
  t.is(page([0, 0], [0, 0], [0, 0]).run(101, 1, MIB).count, 1);
  t.is(page([2, 0], [2, 0], [3, 0]).run(100, 3, MIB).count, 2);
  const place = 2 ** 32 - MIB;
  t.is(page([6, place], [6, place + MIB], [6, place + 2 * MIB], [6, place]).run(100, 4, MIB).count, 3);
  t.is(page([6, place], [6, place]).run(100, 2, MIB).count, 1, 'the same place again is no run');
  t.is(page([3, place], [3, place + MIB]).run(100, 2, MIB).count, 2);
  t.is(page([7, place], [7, place + MIB]).run(100, 2, MIB).count, 1, 'each has its own part of the sector bitmap');
});

test('entries are known by their number in the whole table, and end where the bytes do', (t) => {
  const cut = new BatPage(Buffer.concat([batWord(6, 5 * MIB), batWord(2, 0)]).subarray(0, 15), 7);
  t.deepEqual(cut.entry(7), { state: 6, reserved: 0, fileOffset: 5 * MIB });
  t.deepEqual(
    [6, 7, 8].map((index) => cut.holds(index)),
    [false, true, false],
  );
  t.is(cut.hex(7), '0x0000000000500006');
});
