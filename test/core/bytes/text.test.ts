import test from 'ava';
import fc from 'fast-check';
import { decodeCString, decodeUtf16Little } from '../../../src/core/bytes/text.ts';
import { decodeName, encodeName, escapeText, hasUndecodableBytes, unescapeText } from '../../../src/core/index.ts';

/** Any string of UTF-16 units, lone surrogates and controls included. */
const anyText = fc
  .array(
    fc.oneof(
      fc.nat(0xffff),
      fc.constantFrom(0x5c, 0x78, 0x75, 0x7b, 0x7d, 0x31, 0x1b, 0x9b, 0xd83d, 0xdc27, 0xdcff, 0xdc00, 0x202e),
    ),
    { maxLength: 40 },
  )
  .map((units) => String.fromCharCode(...units));

test('escaping reverses, and leaves nothing that a terminal obeys or that cannot be seen', (t) => {
  fc.assert(
    fc.property(anyText, (text) => {
      const escaped = escapeText(text);
      t.is(unescapeText(escaped), text);
      t.true(escaped.isWellFormed());
      t.notRegex(escaped, /[\p{Cc}\u2028\u2029\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]/u);
    }),
    { numRuns: 2000 },
  );
});

test('escapes are the ones documented', (t) => {
  for (const [text, escaped] of [
    ['plain Größe 🐧', 'plain Größe 🐧'],
    ['a\\b', 'a\\\\b'],
    ['\u001b[31m', '\\x1b[31m'],
    ['\u009b', '\\u{9b}'],
    ['\u202etxt.exe', '\\u{202e}txt.exe'],
    ['\udcff', '\\xff'],
    ['\ud800', '\\u{d800}'],
    ['a\u{e0041}\u3164', 'a\\u{e0041}\\u{3164}'],
    ['\n\t\u007f', '\\x0a\\x09\\x7f'],
  ] as const) {
    t.is(escapeText(text), escaped);
  }
  t.is(unescapeText('\\q \\x1 \\u{110000} \\'), '\\q \\x1 \\u{110000} \\');
});

test('names are lossless for any bytes', (t) => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.string({ unit: 'binary' }).map((text) => new TextEncoder().encode(text)),
    fc
      .array(fc.constantFrom(0xed, 0xa0, 0x80, 0xf0, 0x9f, 0x90, 0xa7, 0xc0, 0xaf, 0xef, 0xbb, 0xbf, 0xff, 0x41))
      .map((list) => Uint8Array.from(list)),
  );
  fc.assert(
    fc.property(bytes, (name) => {
      t.deepEqual(encodeName(decodeName(name)), name);
      t.is(hasUndecodableBytes(decodeName(name)), !isUtf8(name));
    }),
    { numRuns: 2000 },
  );
  t.is(decodeName(Uint8Array.of(0x61, 0xff, 0xc3, 0xa4, 0xc3)), 'a\udcffä\udcc3');
  t.is(decodeName(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61)), '\ufeffa');
  t.is(decodeName(new Uint8Array(5000).fill(0x61)).length, 5000);
});

function isUtf8(bytes: Uint8Array): boolean {
  return Buffer.compare(Buffer.from(Buffer.from(bytes).toString('utf8'), 'utf8'), bytes) === 0;
}

test('C strings end at the first NUL; UTF-16 keeps its byte order mark', (t) => {
  t.is(decodeCString(Buffer.from('ab\0cd')), 'ab');
  t.is(decodeCString(Buffer.from('ab')), 'ab');
  t.is(decodeCString(Buffer.from('\0')), '');
  t.is(decodeUtf16Little(Buffer.from('\ufeffä🐧', 'utf16le')), '\ufeffä🐧');
});
