import test from 'ava';
import fc from 'fast-check';
import type { EntryItem, TreeItem } from '../../../src/tui/load/tree-item.ts';
import {
  childrenArrived,
  collapse,
  endOfSubtree,
  expand,
  forgetBelow,
  initialTree,
  MAX_TREE_ROWS,
  select,
  selectedRow,
  type TreeRow,
  type TreeState,
} from '../../../src/tui/state/tree.ts';
import { scrollToSelection } from '../../../src/tui/state/tree-filter.ts';

function entry(name: string, entryKind: 'directory' | 'file' = 'directory'): TreeItem {
  return { kind: 'entry', name, label: name, entryKind, nodeId: 1, deleted: false } as Partial<EntryItem> as EntryItem;
}

function entries(...names: readonly string[]): TreeItem[] {
  return names.map((name) => entry(name));
}

function names({ rows }: TreeState): string {
  return rows.map(({ depth, item }) => '.'.repeat(depth) + (item.kind === 'entry' ? item.name : item.kind)).join(' ');
}

function held(rows: readonly TreeRow[]): number {
  return rows.reduce((sum, row) => sum + 1 + held(row.folded ?? []), 0);
}

const root = entry('root');
const start = initialTree(root, entries('a', 'b'));

test('a row opens with a loading row in place, then its children', (t) => {
  const loading = expand(start, 1);
  t.is(names(loading), 'root .a ..loading .b');
  const id = loading.rows[1]!.id;
  t.is(names(childrenArrived(loading, id, entries('x', 'y'))), 'root .a ..x ..y .b');
  t.is(names(childrenArrived(loading, id, [])), 'root .a .b');
});

test('what arrives for a row that was closed meanwhile changes nothing', (t) => {
  const loading = expand(start, 1);
  const closed = collapse(loading, 1);
  t.is(names(closed), 'root .a .b');
  t.deepEqual(closed.loading, []);
  t.is(childrenArrived(closed, loading.rows[1]!.id, entries('x')), closed);
});

test('the selection stays on its row while rows come and go above it', (t) => {
  const loading = expand(select(start, 2), 1);
  t.is(loading.selected, 3);
  const open = childrenArrived(loading, loading.rows[1]!.id, entries('x', 'y', 'z'));
  t.is(names({ ...open, rows: [selectedRow(open)] }), '.b');
  t.is(selectedRow(collapse(open, 1)).id, selectedRow(open).id);
  t.is(collapse(select(open, 3), 1).selected, 1, 'a selection that disappears falls to what closed over it');
});

test('a deeper load that is under way is given up when a row above it closes', (t) => {
  const outer = expand(start, 1);
  const open = childrenArrived(outer, outer.rows[1]!.id, entries('x'));
  const inner = expand(open, 2);
  t.is(inner.loading.length, 1);
  const closed = collapse(inner, 1);
  t.deepEqual(closed.loading, []);
  t.is(closed.rows[1]!.folded, undefined, 'what was half read is not kept');
});

test('more rows than the tree may hold: folded ones go first, then it says so', (t) => {
  const many = Array.from({ length: MAX_TREE_ROWS - 10 }, () => entry('f', 'file'));
  const first = expand(start, 1);
  const big = childrenArrived(first, first.rows[1]!.id, many);
  t.is(big.held, MAX_TREE_ROWS - 10 + 3);
  const second = expand(collapse(big, 1), 2);
  const both = childrenArrived(second, second.rows[2]!.id, many);
  t.is(both.rows.length, MAX_TREE_ROWS - 10 + 3);
  t.is(both.rows[1]!.folded, undefined);
  const open = expand(big, big.rows.length - 1);
  const full = childrenArrived(open, open.rows.at(-2)!.id, many);
  const last = full.rows.at(-1)!.item;
  t.is(last.kind, 'error');
  t.true(full.rows.length < MAX_TREE_ROWS);
});

test('forgetting closes what matches and everything in it', (t) => {
  const first = expand(start, 1);
  const open = childrenArrived(first, first.rows[1]!.id, entries('x'));
  const forgotten = forgetBelow(open, (item) => item.kind === 'entry' && item.name === 'a');
  t.is(names(forgotten), 'root .a .b');
  t.is(forgotten.rows[1]!.folded, undefined);
  t.is(forgotten.held, 3);
});

test('whatever is opened, closed and loaded in whatever order, the tree stays whole', (t) => {
  const step = fc.record({
    at: fc.nat(30),
    what: fc.constantFrom('expand', 'collapse', 'arrive', 'select'),
    count: fc.nat(4),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 10 }), (steps, height) => {
      let tree = start;
      for (const { at, what, count } of steps) {
        const index = at % tree.rows.length;
        if (what === 'expand') tree = expand(tree, index);
        else if (what === 'collapse') tree = collapse(tree, index);
        else if (what === 'select') tree = select(tree, index);
        else if (tree.loading.length > 0)
          tree = childrenArrived(tree, tree.loading[at % tree.loading.length]!, entries(...'abcd'.slice(0, count)));
        tree = scrollToSelection(tree, height);
        check(tree, height);
      }
    }),
  );
  function check(tree: TreeState, height: number): void {
    t.true(tree.selected >= 0 && tree.selected < tree.rows.length);
    t.true(tree.top <= tree.selected && tree.selected < tree.top + height);
    t.is(tree.held, held(tree.rows));
    t.is(new Set(tree.rows.map(({ id }) => id)).size, tree.rows.length);
    for (const [index, row] of tree.rows.entries()) {
      if (index > 0) t.true(row.depth >= 1 && row.depth <= tree.rows[index - 1]!.depth + 1);
      if (row.status === 'closed' || row.status === 'leaf') t.is(endOfSubtree(tree.rows, index), index + 1);
      t.is(row.status === 'loading', tree.loading.includes(row.id));
    }
  }
});
