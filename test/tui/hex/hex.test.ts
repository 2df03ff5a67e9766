import test from 'ava';
import { byteCharacter, byteClass } from '../../../src/tui/hex/byte-class.ts';
import { hexLayout } from '../../../src/tui/hex/hex-layout.ts';
import { hexRow } from '../../../src/tui/hex/hex-row.ts';
import { inspectBytes } from '../../../src/tui/hex/inspect-bytes.ts';
import { looksLikeOffset, parseOffset } from '../../../src/tui/hex/parse-offset.ts';
import { displayWidth } from '../../../src/tui/text/fit.ts';
import type { Theme } from '../../../src/tui/theme.ts';

const MAX_OFFSET = Number.MAX_SAFE_INTEGER;
const bare: Theme = { hasColor: false, paint: (_role, text) => text };
/** Every run with its role, for seeing what is painted how. */
const marked: Theme = { hasColor: true, paint: (role, text) => (text === '' ? '' : `<${role}:${text}>`) };

function options(width: number, size: number, cursor = -1) {
  return { layout: hexLayout(width, size), size, sectorSize: 512, cursor, isFocused: true };
}

function windowOf(bytes: Uint8Array, start = 0, bad: { start: number; length: number }[] = []) {
  return { start, bytes, bad };
}

test('32, 16, 8 or 4 bytes a row, as many as fit', (t) => {
  t.is(hexLayout(31, 4096).bytesPerRow, 4, 'the right pane of 60 columns');
  t.is(hexLayout(51, 4096).bytesPerRow, 8);
  t.is(hexLayout(80, 4096).bytesPerRow, 16);
  t.is(hexLayout(147, 4096).bytesPerRow, 32);
  t.is(hexLayout(1, 4096).bytesPerRow, 4, 'never less');
  t.is(hexLayout(80, MAX_OFFSET).addressDigits, 14);
});

test('a row is as wide as its layout says, at every width and address length', (t) => {
  for (const width of [31, 51, 80, 100, 147, 200])
    for (const size of [32, 2 ** 32, 2 ** 32 + 32, MAX_OFFSET]) {
      const { layout } = options(width, size);
      const start = size - (size % 32) - 32 >= 0 ? size - (size % 32) - 32 : 0;
      const row = hexRow(windowOf(new Uint8Array(32), start), start, options(width, size), bare);
      t.is(displayWidth(row), layout.width, `${width} ${size}`);
    }
});

test('address, bytes and characters of a row', (t) => {
  const bytes = Uint8Array.from([0x48, 0x69, 0x00, 0x0a, 0x7f, 0xff, 0x20, 0x41, 0x1b]);
  t.is(hexRow(windowOf(bytes), 0, options(51, 9), bare), '▸00000000 48 69 00 0a 7f ff 20 41  Hi.... A');
  t.is(hexRow(windowOf(bytes), 8, options(51, 9), bare), ' 00000008 1b                       .');
});

test('addresses near 2^53 are exact', (t) => {
  const start = MAX_OFFSET - 15;
  const row = hexRow(
    windowOf(
      Uint8Array.from({ length: 15 }, (_, index) => index),
      start,
    ),
    start,
    options(80, MAX_OFFSET),
    bare,
  );
  t.true(row.startsWith(' 1ffffffffffff0 00 01 02'), row);
});

test('the first row of a sector is marked', (t) => {
  const window = windowOf(new Uint8Array(2048));
  const marks = [0, 0x1f0, 0x200, 0x210, 0x400].map((start) => hexRow(window, start, options(80, 2048), bare)[0]);
  t.deepEqual(marks, ['▸', ' ', '▸', ' ', '▸']);
});

test('bytes are painted by class, neighbours of one class as one run, the cursor apart', (t) => {
  const bytes = Uint8Array.from([0, 0, 0x41, 0x09, 0x01, 0x80, 0x42, 0x43]);
  const row = hexRow(windowOf(bytes), 8, options(51, 16, 14), marked);
  t.is(row.includes('byteZero'), false, 'no bytes at hand there');
  const known = hexRow(windowOf(bytes, 8), 8, options(51, 16, 14), marked);
  t.true(known.includes('<byteZero:00 00 >'), known);
  t.true(known.includes('<bytePrintable:41 ><byteSpace:09 ><byteControl:01 ><byteHigh:80 ><cursor:42>'), known);
  t.true(known.endsWith('<cursor:B><bytePrintable:C>'), known);
});

test('what is not there yet and what cannot be read are told from zeros', (t) => {
  const window = windowOf(new Uint8Array(8), 0, [{ start: 4, length: 2 }]);
  t.is(hexRow(window, 0, options(51, 16), bare), '▸00000000 00 00 00 00 !! !! 00 00  ....!!..');
  t.is(hexRow(undefined, 8, options(51, 16), bare), ' 00000008 ·· ·· ·· ·· ·· ·· ·· ··  ········');
});

test('the class and the character of every byte', (t) => {
  const classes = Map.groupBy(
    Array.from({ length: 256 }, (_, byte) => byte),
    byteClass,
  );
  t.deepEqual(classes.get('byteZero'), [0]);
  t.deepEqual(classes.get('byteSpace'), [9, 10, 11, 12, 13, 32]);
  t.is(classes.get('bytePrintable')!.length, 94);
  t.is(classes.get('byteHigh')!.length, 128);
  for (let byte = 0; byte < 256; byte++) t.regex(byteCharacter(byte), /^[ -~]$/);
});

test('offsets as people type them', (t) => {
  const context = { cursor: 1000, size: 2 ** 40, sectorSize: 512 };
  const expected = {
    '0': 0,
    '0x1f0': 0x1f0,
    '2048s': 1048576,
    '1MiB': 1048576,
    '512': 512,
    '+16': 1016,
    '-0x10': 984,
    ' + 1k ': 2024,
  };
  for (const [text, offset] of Object.entries(expected)) t.is(parseOffset(text, context), offset, text);
  for (const text of ['-1001', '1TiB', '+1TiB', '0x', 'abc', '1.3', '9e99', ''])
    t.throws(() => parseOffset(text, context), { name: 'DiskError' }, text);
  t.throws(() => parseOffset('0', { ...context, size: 0 }), { message: /there are no bytes/ });
  t.is(parseOffset('2s', { ...context, sectorSize: 4096 }), 8192);
});

test('a number is an offset, anything else a place', (t) => {
  for (const text of ['0', '0x10', '+5', '- 5', '2048s']) t.true(looksLikeOffset(text), text);
  for (const text of ['p2', '/etc', ':/a', 'p2:/0x10', '']) t.false(looksLikeOffset(text), text);
});

test('values at the cursor in both byte orders, no more than there are bytes for', (t) => {
  const bytes = Uint8Array.from([0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0xfa, 0xf9, 0xf8]);
  const values = (little: boolean, length = 8) =>
    Object.fromEntries(inspectBytes(bytes.subarray(0, length), little).map(({ name, value }) => [name, value]));
  t.like(values(true), {
    u8: '255',
    i8: '-1',
    u16: '65279',
    i16: '-257',
    u32: '4244504319',
    u64: '17940646550795321087',
  });
  t.like(values(false), { u16: '65534', i32: '-66052', i64: '-283686952306184', bits: '11111111' });
  t.deepEqual(Object.keys(values(true, 3)), ['u8', 'i8', 'bits', 'u16', 'i16']);
  t.deepEqual(values(true, 0), {});
});
