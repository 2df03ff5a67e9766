import test from 'ava';
import { formatModeBits, formatPlace, formatTime } from '../../../src/tui/text/format.ts';

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
  t.is(formatTime({ seconds: 1_700_000_000, nanoseconds: 0, zone: 'local' }), '2023-11-14 22:13:20 local time');
  t.is(formatTime({ seconds: 1e15, nanoseconds: 0, zone: 'utc' }), '1000000000000000 seconds after 1970 UTC');
});

test('modes as ls prints them', (t) => {
  t.is(formatModeBits(0o644, 'file'), '-rw-r--r-- (0644)');
  t.is(formatModeBits(0o4755, 'file'), '-rwsr-xr-x (4755)');
  t.is(formatModeBits(0o1777, 'directory'), 'drwxrwxrwt (1777)');
  t.is(formatModeBits(0o6644, 'file'), '-rwSr-Sr-- (6644)');
  t.is(formatModeBits(0o777, 'symlink'), 'lrwxrwxrwx (0777)');
});
