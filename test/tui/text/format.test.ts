import test from 'ava';
import { DiskError } from '../../../src/core/index.ts';
import {
  formatError,
  formatExactSize,
  formatMode,
  formatPlace,
  formatProperty,
  formatSize,
  formatTime,
} from '../../../src/tui/text/format.ts';

test('sizes', (t) => {
  const sizes = [0, 1023, 1024, 1536, 20 * 1024 ** 3, 1024 ** 4, Number.MAX_SAFE_INTEGER];
  t.deepEqual(sizes.map(formatSize), ['0 B', '1023 B', '1 KiB', '1.50 KiB', '20 GiB', '1 TiB', '8.00 PiB']);
  t.is(formatExactSize(1536), '1.50 KiB (1,536 bytes)');
  t.is(formatExactSize(7), '7 bytes');
});

test('places with their sector', (t) => {
  t.is(formatPlace(1048576, 512), '0x100000 (LBA 2048)');
  t.is(formatPlace(1048592, 512), '0x100010 (LBA 2048 + 16)');
  t.is(formatPlace(8192, 4096), '0x2000 (LBA 2)');
});

test('times to the nanosecond, before 1970 and out of range', (t) => {
  t.is(formatTime({ seconds: 1_700_000_000, nanoseconds: 5, zone: 'utc' }), '2023-11-14 22:13:20.000000005 UTC');
  t.is(
    formatTime({ seconds: -1, nanoseconds: 999_999_999, zone: 'local' }),
    '1969-12-31 23:59:59.999999999 local time',
  );
  t.is(formatTime({ seconds: 1e15, nanoseconds: 0, zone: 'utc' }), '1000000000000000 seconds after 1970 UTC');
});

test('modes as ls prints them', (t) => {
  t.is(formatMode(0o644, 'file'), '-rw-r--r-- (0644)');
  t.is(formatMode(0o4755, 'file'), '-rwsr-xr-x (4755)');
  t.is(formatMode(0o1777, 'directory'), 'drwxrwxrwt (1777)');
  t.is(formatMode(0o6644, 'file'), '-rwSr-Sr-- (6644)');
  t.is(formatMode(0o777, 'symlink'), 'lrwxrwxrwx (0777)');
});

test('properties in words', (t) => {
  t.deepEqual(formatProperty({ key: 'clusterSize', value: 65536, unit: 'bytes' }), [
    'cluster size',
    '64 KiB (65,536 bytes)',
  ]);
  t.deepEqual(formatProperty({ key: 'label', value: 'a\x1b[31m' }), ['label', 'a\\x1b[31m']);
  t.deepEqual(formatProperty({ key: 'lazyRefcounts', value: false }), ['lazy refcounts', 'no']);
  t.deepEqual(formatProperty({ key: 'uuid', value: null }), ['uuid', 'none']);
});

test('an error is one safe line; what it escaped itself is not escaped again', (t) => {
  const error = new DiskError('NOT_FOUND', { layer: 'ext', found: 'no \x1b in it' });
  t.is(formatError(error), 'ext: found no \\x1b in it');
  t.is(formatError(new Error('raw \n line')), 'raw \\x0a line');
  t.is(formatError('text'), 'text');
});
