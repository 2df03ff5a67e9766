import test from 'ava';
import { crc32c, crc32cWithoutField } from '../../../src/core/bytes/crc32c.ts';

const digits = new TextEncoder().encode('123456789');

// RFC 3720, appendix B.4, as the bytes of the sum stand there (least significant first).
const iscsi: readonly (readonly [string, Uint8Array, number])[] = [
  ['32 zeros', new Uint8Array(32), 0x8a9136aa],
  ['32 times 0xff', new Uint8Array(32).fill(0xff), 0x62a8ab43],
  ['0 to 31', Uint8Array.from({ length: 32 }, (_, index) => index), 0x46dd794e],
  ['31 to 0', Uint8Array.from({ length: 32 }, (_, index) => 31 - index), 0x113fdb5c],
  ['the check value', digits, 0xe3069283],
  ['nothing', new Uint8Array(0), 0],
];

for (const [name, bytes, expected] of iscsi) {
  test(`CRC-32C of ${name}`, (t) => t.is(crc32c(bytes), expected));
}

test('a sum can be taken in pieces of any length', (t) => {
  const bytes = Uint8Array.from({ length: 100 }, (_, index) => (index * 37) % 256);
  for (let cut = 0; cut <= bytes.length; cut++)
    t.is(crc32c(bytes.subarray(cut), crc32c(bytes.subarray(0, cut))), crc32c(bytes));
});

test('the field of the sum itself counts as zero', (t) => {
  const bytes = Uint8Array.from({ length: 40 }, (_, index) => index + 1);
  const zeroed = bytes.slice().fill(0, 8, 12);
  t.is(crc32cWithoutField(bytes, 8), crc32c(zeroed));
});
