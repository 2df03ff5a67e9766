import test from 'ava';
import fc from 'fast-check';
import { parseGuid } from '../../../src/core/bytes/guid.ts';
import { formatGuid, formatUuid } from '../../../src/core/index.ts';

test('a GUID is mixed-endian, a UUID in order', (t) => {
  const bytes = Uint8Array.from({ length: 16 }, (_, index) => index);
  t.is(formatGuid(bytes), '03020100-0504-0706-0809-0A0B0C0D0E0F');
  t.is(formatUuid(bytes), '00010203-0405-0607-0809-0a0b0c0d0e0f');
});

test('text and bytes are inverse', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
      t.deepEqual(parseGuid(formatGuid(bytes)), bytes);
      t.deepEqual(parseGuid(formatGuid(bytes).toLowerCase()), bytes);
    }),
  );
});
