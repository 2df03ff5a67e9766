import test from 'ava';
import fc from 'fast-check';
import {
  byteArray,
  guid,
  i16le,
  i32le,
  Struct,
  u8,
  u16be,
  u16le,
  u32be,
  u32le,
  u64be,
  u64le,
  word64be,
  word64le,
} from '../../../src/core/bytes/struct.ts';
import { DiskError } from '../../../src/core/index.ts';

const all = new Struct('layer', 'everything', {
  byte: u8(0),
  short: u16le(1),
  shortBig: u16be(3),
  int: u32le(5),
  intBig: u32be(9),
  signedShort: i16le(13),
  signedInt: i32le(15),
  count: u64le(19),
  countBig: u64be(27),
  word: word64le(35),
  wordBig: word64be(43),
  raw: byteArray(51, 3),
  id: guid(54),
});

const values = fc.record({
  byte: fc.integer({ min: 0, max: 0xff }),
  short: fc.integer({ min: 0, max: 0xffff }),
  shortBig: fc.integer({ min: 0, max: 0xffff }),
  int: fc.integer({ min: 0, max: 0xffff_ffff }),
  intBig: fc.integer({ min: 0, max: 0xffff_ffff }),
  signedShort: fc.integer({ min: -0x8000, max: 0x7fff }),
  signedInt: fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff }),
  count: fc.maxSafeNat(),
  countBig: fc.maxSafeNat(),
  word: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  wordBig: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  raw: fc.uint8Array({ minLength: 3, maxLength: 3 }),
  id: fc.uuid().map((text) => text.toUpperCase()),
});

test('what is written is read back, at any place', (t) => {
  t.is(all.size, 70);
  fc.assert(
    fc.property(values, fc.nat(20), (value, at) => {
      const bytes = new Uint8Array(all.size + 20);
      all.write(bytes, value, at);
      t.deepEqual(all.parse(bytes, at), value);
      t.true([...bytes.subarray(0, at), ...bytes.subarray(at + all.size)].every((byte) => byte === 0));
    }),
  );
});

test('byte orders are what their names say', (t) => {
  const bytes = all.build({
    short: 0x0102,
    shortBig: 0x0102,
    int: 0x01020304,
    intBig: 0x01020304,
    wordBig: 1n,
    word: 1n,
  });
  t.deepEqual([...bytes.subarray(1, 13)], [2, 1, 1, 2, 4, 3, 2, 1, 1, 2, 3, 4]);
  t.is(bytes[35], 1);
  t.is(bytes[50], 1);
});

test('fields not given keep their bytes; a view of a larger buffer is read at its own place', (t) => {
  const small = new Struct('layer', 'small', { byte: u8(0), short: u16le(1), raw: byteArray(3, 3) });
  const memory = new Uint8Array(200).fill(0xee);
  const part = memory.subarray(100, 106);
  small.write(part, { byte: 7 });
  t.is(memory[100], 7);
  t.is(small.parse(part).byte, 7);
  t.is(small.parse(part).short, 0xeeee);
  const copy = small.parse(part).raw;
  copy[0] = 1;
  t.is(memory[103], 0xee);
});

test('a structure that does not fit is CORRUPT with the place and both sizes', (t) => {
  for (const [length, at, found] of [
    [69, 0, 69],
    [0, 0, 0],
    [80, 11, 69],
    [80, 100, 0],
  ] as const) {
    const error = t.throws(() => all.parse(new Uint8Array(length), at, 0x1000), { instanceOf: DiskError });
    t.is(error?.code, 'CORRUPT');
    t.is(error?.offset, 0x1000);
    t.is(error?.message, `layer: everything at offset 0x1000: expected 70 bytes, found ${found} bytes`);
  }
  t.notThrows(() => all.parse(new Uint8Array(80), 10));
});

test('a count of 2^53 and more is CORRUPT and names the field; a packed word is not', (t) => {
  const bytes = new Uint8Array(70);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(19, 2n ** 53n - 1n, true);
  view.setBigUint64(35, 2n ** 64n - 1n, true);
  t.is(all.parse(bytes).count, Number.MAX_SAFE_INTEGER);
  t.is(all.parse(bytes).word, 2n ** 64n - 1n);
  for (const value of [2n ** 53n, 2n ** 53n + 1n, 2n ** 64n - 1n]) {
    view.setBigUint64(19, value, true);
    const error = t.throws(() => all.parse(bytes, 0, 512), { instanceOf: DiskError });
    t.is(error?.code, 'CORRUPT');
    t.is(error?.structure, 'everything count');
    t.is(error?.offset, 512 + 19);
    t.is(error?.found, String(value), 'to the last digit');
  }
});

test('a size given covers what no field names', (t) => {
  t.is(new Struct('layer', 'sector', { byte: u8(0) }, 512).build({ byte: 1 }).length, 512);
});
