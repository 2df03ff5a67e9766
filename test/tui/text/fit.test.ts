import test from 'ava';
import fc from 'fast-check';
import { escapeText } from '../../../src/core/index.ts';
import { displayWidth, padTo, truncate, wrapLine, wrapWords } from '../../../src/tui/text/fit.ts';

const name = fc.oneof(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }), fc.string()).map(escapeText);

test('padTo gives exactly the width, for any escaped name', (t) => {
  fc.assert(
    fc.property(name, fc.integer({ min: 0, max: 60 }), (text, width) => {
      t.is(displayWidth(padTo(text, width)), width, JSON.stringify(text));
    }),
  );
});

test('truncate keeps what fits and marks what it cut', (t) => {
  t.is(truncate('passwd', 6), 'passwd');
  t.is(truncate('passwd', 5), 'pass…');
  t.is(truncate('日本語', 5), '日本…');
  t.is(truncate('日本語', 4), '日…');
  t.is(truncate('e\u0301tude', 3), 'e\u0301t…');
  t.is(truncate('x', 0), '');
  t.is(displayWidth(truncate('x'.repeat(1_000_000), 10)), 10);
});

test('wrapped lines fit, and joined they are the line', (t) => {
  fc.assert(
    fc.property(name, fc.integer({ min: 2, max: 40 }), (text, width) => {
      const lines = wrapLine(text, width);
      t.is(lines.join(''), text);
      t.true(lines.every((line) => displayWidth(line) <= width));
    }),
    // A note of three characters is one grapheme of three columns.
    { examples: [['\u{1d158}\u{1d165}\u{1d16e}', 2]] },
  );
});

test('prose is wrapped at spaces, a long word where it must be', (t) => {
  t.deepEqual(wrapWords('one two three', 7), ['one two', 'three']);
  t.deepEqual(wrapWords('abcdefghij k', 4), ['abcd', 'efgh', 'ij k']);
  t.deepEqual(wrapWords('', 4), ['']);
});
