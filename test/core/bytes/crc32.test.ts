import test from 'ava';
import fc from 'fast-check';
import { crc32, crc32WithoutField } from '../../../src/core/bytes/crc32.ts';

test('the check value of CRC-32', (t) => {
  t.is(crc32(Buffer.from('123456789')), 0xcbf43926);
  t.is(crc32(new Uint8Array(0)), 0);
});

test('a field left out counts as zero', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 4, maxLength: 100 }), fc.nat(), (bytes, place) => {
      const at = place % (bytes.length - 3);
      const zeroed = bytes.slice().fill(0, at, at + 4);
      t.is(crc32WithoutField(bytes, at), crc32(zeroed));
    }),
  );
});
