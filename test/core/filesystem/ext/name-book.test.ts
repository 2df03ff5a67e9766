import test from 'ava';
import { NameBook } from '../../../../src/core/filesystem/ext/recover/name-book.ts';

const ROOT = 2;
const NOW = 8;

const at = (order: number): { first: number; last: number } => ({ first: order, last: order });

test('the name of the file that has the inode now is not that of the one that had it before', (t) => {
  const book = new NameBook();
  book.add(19, ROOT, 'later.txt', false, at(7));
  book.add(19, ROOT, 'later.txt', false, at(NOW));
  t.is(book.path(19, { order: 6, endOrder: 7, reusedBy: NOW }), undefined);
  t.is(book.nameCount(19, { order: 6, endOrder: 7, reusedBy: NOW }), 0);
  // Of a file that is still there it is, whenever it was seen.
  t.is(book.path(19, { order: 6, endOrder: 7, reusedBy: undefined }), '/later.txt');
});

test('a name that was seen while the inode was the wanted file is kept, also where its successor has it', (t) => {
  const book = new NameBook();
  book.add(19, ROOT, 'again.txt', false, at(5));
  book.add(19, ROOT, 'again.txt', false, at(NOW));
  t.is(book.path(19, { order: 6, endOrder: 7, reusedBy: NOW }), '/again.txt');
  book.add(20, ROOT, 'was.txt', true, at(NOW));
  book.add(20, ROOT, 'is.txt', false, at(NOW));
  t.is(book.path(20, { order: 6, endOrder: undefined, reusedBy: NOW }), '/was.txt');
});
