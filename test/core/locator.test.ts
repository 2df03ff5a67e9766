import test from 'ava';
import fc from 'fast-check';
import { DiskError, decodeName, formatLocator, type Locator, parseLocator } from '../../src/core/index.ts';

test('each form of a locator', (t) => {
  const table: readonly [string | undefined, Locator][] = [
    [undefined, { kind: 'disk' }],
    ['', { kind: 'disk' }],
    ['p2', { kind: 'partition', partition: 2 }],
    ['p128', { kind: 'partition', partition: 128 }],
    ['p2:', { kind: 'path', partition: 2, path: '/' }],
    ['p2:/', { kind: 'path', partition: 2, path: '/' }],
    ['p2:/etc/passwd', { kind: 'path', partition: 2, path: '/etc/passwd' }],
    ['p2:etc', { kind: 'path', partition: 2, path: '/etc' }],
    [':', { kind: 'path', partition: 'bare', path: '/' }],
    [':/a.txt', { kind: 'path', partition: 'bare', path: '/a.txt' }],
    ['/a.txt', { kind: 'path', partition: 'only', path: '/a.txt' }],
    ['p2:/with:colon', { kind: 'path', partition: 2, path: '/with:colon' }],
    ['p2:/\\x1b\\xff\\\\n\\u{202e}', { kind: 'path', partition: 2, path: '/\u001b\udcff\\n\u202e' }],
    ['p2:/a\nb', { kind: 'path', partition: 2, path: '/a\nb' }],
  ];
  for (const [text, locator] of table) t.deepEqual(parseLocator(text), locator, text);
});

test('anything else is NOT_FOUND with examples', (t) => {
  for (const text of ['a.txt', 'p', 'p-1', 'p2x', 'P2', '2', 'p1.5', 'p2/etc', 'p9999999999', ' p2', '-']) {
    const error = t.throws(() => parseLocator(text), { instanceOf: DiskError }, text);
    t.is(error?.code, 'NOT_FOUND');
    t.regex(error?.message ?? '', /p2:\/etc\/passwd/);
  }
});

test('what is printed can be pasted back, whatever the name', (t) => {
  const name = fc.uint8Array({ maxLength: 30 }).map((bytes) => `/${decodeName(bytes)}`);
  fc.assert(
    fc.property(name, fc.integer({ min: 1, max: 128 }), (path, partition) => {
      t.deepEqual(parseLocator(formatLocator(`p${partition}`, path)), { kind: 'path', partition, path });
      t.deepEqual(parseLocator(formatLocator('', path)), { kind: 'path', partition: 'bare', path });
    }),
    { numRuns: 500 },
  );
});
