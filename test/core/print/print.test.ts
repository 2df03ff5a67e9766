import test from 'ava';
import {
  DiskError,
  errorText,
  formatBytes,
  formatMode,
  formatTimestamp,
  hexdumpLines,
  propertyLabel,
  propertyText,
} from '../../../src/core/index.ts';

test('sizes in units', (t) => {
  const cases: [number, string][] = [
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1 KiB'],
    [1536, '1.5 KiB'],
    [1024 ** 3 * 20, '20 GiB'],
    [2 ** 53 - 1, '8 PiB'],
  ];
  for (const [bytes, text] of cases) t.is(formatBytes(bytes), text);
});

test('modes as ls prints them', (t) => {
  t.is(formatMode('file', 0o644), '-rw-r--r--');
  t.is(formatMode('directory', 0o1777), 'drwxrwxrwt');
  t.is(formatMode('directory', 0o1776), 'drwxrwxrwT');
  t.is(formatMode('file', 0o4755), '-rwsr-xr-x');
  t.is(formatMode('file', 0o6644), '-rwSr-Sr--');
  t.is(formatMode('symlink', 0o777), 'lrwxrwxrwx');
  t.is(formatMode('character device', 0o620), 'crw--w----');
  t.is(formatMode('file', undefined), '----------');
});

test('timestamps with zone and nanoseconds, and those no calendar holds', (t) => {
  t.is(formatTimestamp({ seconds: 0, nanoseconds: 0, zone: 'utc' }), '1970-01-01T00:00:00Z');
  t.is(formatTimestamp({ seconds: -1, nanoseconds: 5, zone: 'utc' }), '1969-12-31T23:59:59.000000005Z');
  t.is(formatTimestamp({ seconds: 315532800, nanoseconds: 0, zone: 'local' }), '1980-01-01T00:00:00');
  t.is(formatTimestamp({ seconds: 1e15, nanoseconds: 0, zone: 'utc' }), '1000000000000000 s');
});

test('a hex dump prints nothing but ASCII that is safe, whatever the bytes', (t) => {
  const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
  const lines = [...hexdumpLines(bytes, 0)];
  t.is(lines.length, 16);
  t.true(lines.every((line) => /^[ -~]*$/.test(line)));
  t.is(lines[4], '00000040  40 41 42 43 44 45 46 47  48 49 4a 4b 4c 4d 4e 4f  |@ABCDEFGHIJKLMNO|');
  t.is(lines[7]!.slice(-3), '~.|');
});

test('a hex dump addresses beyond 4 GiB and keeps its columns in a short row', (t) => {
  t.deepEqual([...hexdumpLines(Uint8Array.of(0x41, 0xff), 2 ** 40)], [`10000000000  41 ff${' '.repeat(43)}  |A.|`]);
});

test('properties in words', (t) => {
  t.is(propertyLabel('clusterSize'), 'cluster size');
  t.is(propertyLabel('diskGuid'), 'disk GUID');
  t.is(propertyText({ key: 'x', value: 65536, unit: 'bytes' }), '64 KiB (65,536 bytes)');
  t.is(propertyText({ key: 'x', value: 7, unit: 'bytes' }), '7 bytes');
  t.is(propertyText({ key: 'x', value: 65536 }), '65536');
  t.is(propertyText({ key: 'x', value: null }), '-');
  t.is(propertyText({ key: 'x', value: false }), 'no');
  t.is(propertyText({ key: 'x', value: ['a', 'b'] }), 'a, b');
  t.is(propertyText({ key: 'x', value: ['a', 'b, c'] }), 'a; b, c');
  t.is(propertyText({ key: 'x', value: [] }), '-');
  t.is(propertyText({ key: 'x', value: 'a\x1b[31m\n' }), 'a\\x1b[31m\\x0a');
});

test('an error is one safe line; what it escaped itself is not escaped again', (t) => {
  const error = new DiskError('NOT_FOUND', { layer: 'ext', found: 'no \x1b in it' });
  t.is(errorText(error), 'ext: found no \\x1b in it');
  t.is(errorText(new Error('raw \n line')), 'raw \\x0a line');
  t.is(errorText('text'), 'text');
});
