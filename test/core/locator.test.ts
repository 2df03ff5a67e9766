import test from 'ava';
import fc from 'fast-check';
import {
  DiskError,
  decodeName,
  formatLocator,
  formatPlace,
  formatView,
  type Locator,
  parseLocator,
  type View,
} from '../../src/core/index.ts';

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

test('a view stands before the place, and a slash between them', (t) => {
  const before: View = { kind: 'snapshot', snapshot: 'before' };
  const table: readonly [string, Locator][] = [
    ['snapshot=before', { kind: 'disk', view: before }],
    ['snapshot=before/', { kind: 'disk', view: before }],
    ['snapshot=before/p2', { kind: 'partition', partition: 2, view: before }],
    ['snapshot=before/p2:/etc', { kind: 'path', partition: 2, path: '/etc', view: before }],
    ['snapshot=before/:/a', { kind: 'path', partition: 'bare', path: '/a', view: before }],
    ['snapshot=before//a', { kind: 'path', partition: 'only', path: '/a', view: before }],
    ['snapshot=a\\x2fb=c d/p1', { kind: 'partition', partition: 1, view: { kind: 'snapshot', snapshot: 'a/b=c d' } }],
    ['layer=0', { kind: 'disk', view: { kind: 'layer', layer: 0 } }],
    ['layer=12/p3:', { kind: 'path', partition: 3, path: '/', view: { kind: 'layer', layer: 12 } }],
    ['log=ignore/p1', { kind: 'partition', partition: 1, view: { kind: 'log', log: 'ignore' } }],
    ['p2:/layer=1/p1', { kind: 'path', partition: 2, path: '/layer=1/p1' }],
  ];
  for (const [text, locator] of table) t.deepEqual(parseLocator(text), locator, text);
  for (const text of [
    'snapshot=',
    'layer=',
    'layer=-1',
    'layer=one',
    'layer=99999',
    'log=replay',
    'layer=1/x',
    'Layer=1',
    'snapshot=a/snapshot=b',
  ])
    t.is(t.throws(() => parseLocator(text), { instanceOf: DiskError }, text)?.code, 'NOT_FOUND');
});

test('a place in a view can be pasted back, whatever the name of the snapshot; a prompt may trim it', (t) => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 30 }).map(decodeName);
  const odd = fc.constantFrom(' ', '  ', '/', '\\', '\\x2f', 'a/p2:/b', ' a ', '\u202egnp', '\n', '=', "it's");
  fc.assert(
    fc.property(fc.oneof(bytes, odd), (snapshot) => {
      const view: View = { kind: 'snapshot', snapshot };
      t.deepEqual(parseLocator(formatView(view).trim()), { kind: 'disk', view });
      t.deepEqual(parseLocator(formatPlace(view, 'p2')), { kind: 'partition', partition: 2, view });
      const path = formatLocator(formatPlace(view, ''), '/a b');
      t.deepEqual(parseLocator(path), { kind: 'path', partition: 'bare', path: '/a b', view });
      t.regex(path, /^[^\u0000-\u001f\u007f]*$/);
    }),
    { numRuns: 500 },
  );
});
