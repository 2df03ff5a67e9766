import test from 'ava';
import { bitRun } from '../../../src/core/bytes/bit-run.ts';
import { seededRandom } from '../../helpers/seeded-random.ts';

test('bit 0 is the least significant one of the first byte', (t) => {
  const bytes = Uint8Array.of(0b0000_0111, 0xff, 0x00);
  t.deepEqual(bitRun(bytes, 0, 100), { isSet: true, count: 3 });
  t.deepEqual(bitRun(bytes, 3, 100), { isSet: false, count: 5 });
  t.deepEqual(bitRun(bytes, 8, 100), { isSet: true, count: 8 });
  t.deepEqual(bitRun(bytes, 8, 5), { isSet: true, count: 5 });
  t.deepEqual(bitRun(bytes, 17, 100), { isSet: false, count: 7 });
});

test('runs say of every bit what a loop over the bits says', (t) => {
  const random = seededRandom(4);
  const bytes = Uint8Array.from({ length: 300 }, () => (random() < 0.4 ? 0 : random() < 0.6 ? 0xff : random() * 256));
  const bits = Array.from(bytes, (byte) => byte.toString(2).padStart(8, '0').split('').reverse()).flat();
  for (let from = 0; from < bits.length; from++) {
    const limit = 1 + Math.floor(random() * 60);
    let count = 1;
    while (count < limit && bits[from + count] === bits[from]) count++;
    t.deepEqual(bitRun(bytes, from, limit), { isSet: bits[from] === '1', count });
  }
});
