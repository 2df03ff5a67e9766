import test from 'ava';
import { DiskError, parseSize } from '../../../src/core/index.ts';

test('numbers as people write them', (t) => {
  const table: Readonly<Record<string, number>> = {
    '0': 0,
    '4096': 4096,
    ' 4096 ': 4096,
    '1_000': 1000,
    '0x1000': 4096,
    '0XFF': 255,
    '0xdead_beef': 0xdeadbeef,
    '0x10s': 16 * 512,
    '2048s': 1048576,
    '2048S': 1048576,
    '4k': 4096,
    '4K': 4096,
    '4KiB': 4096,
    '4 KiB': 4096,
    '4kB': 4000,
    '4KB': 4000,
    '1.5MiB': 1572864,
    '0.5k': 512,
    '1M': 1048576,
    '1MB': 1000000,
    '2G': 2147483648,
    '3GiB': 3221225472,
    '1TiB': 1099511627776,
    '1tb': 1e12,
    '7b': 7,
    '9007199254740991': Number.MAX_SAFE_INTEGER,
  };
  for (const [text, bytes] of Object.entries(table)) t.is(parseSize(text, 512), bytes, text);
  t.is(parseSize('3s', 4096), 12288);
});

test('everything else is OUT_OF_RANGE and repeats what was written', (t) => {
  const wrong = [
    '',
    ' ',
    'k',
    '-1',
    '+1',
    '1e3',
    '0x',
    '0x_',
    '0xg',
    '1.5',
    '1.1MiB',
    '1..5k',
    '.5k',
    '1 2',
    '5Q',
    '5constructor',
    '5__proto__',
    '9007199254740992',
    '9000TiB',
    'NaN',
    'Infinity',
    '1k\n2',
  ];
  for (const text of wrong) {
    const error = t.throws(() => parseSize(text, 512), { instanceOf: DiskError }, text);
    t.is(error?.code, 'OUT_OF_RANGE');
    t.regex(error?.message ?? '', /expected a whole number of bytes/);
  }
});
