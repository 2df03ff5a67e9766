import { clamp } from '../../core/index.ts';
import { isExpandable, keyOf, opensItself, type TreeItem } from '../load/tree-item.ts';

/** The most rows the tree holds, folded ones included: about 200 bytes each. */
export const MAX_TREE_ROWS = 500_000;

export interface TreeRow {
  readonly id: number;
  readonly depth: number;
  readonly item: TreeItem;
  readonly status: 'leaf' | 'closed' | 'loading' | 'open';
  /** What was below when the row was closed: opening it again costs nothing. */
  readonly folded?: readonly TreeRow[] | undefined;
}

/** The visible rows in order, one flat list: drawing and moving cost the same in a directory of ten and of 100,000. */
export interface TreeState {
  readonly rows: readonly TreeRow[];
  readonly selected: number;
  /** The first row on the screen. */
  readonly top: number;
  readonly nextId: number;
  /** Rows held in all, the folded ones too. */
  readonly held: number;
  /** The ids of the rows whose children are on their way. */
  readonly loading: readonly number[];
  /** Which of the rows are shown; without one, all. `top` counts those that are. */
  readonly filter?: TreeFilter | undefined;
}

/** Narrows what is below one row to what has a text in its name (tree-filter.ts). */
export interface TreeFilter {
  readonly text: string;
  /** The id of the row. */
  readonly parent: number;
  /** The id of the row that was selected when it was begun. */
  readonly origin: number;
}

export function initialTree(root: TreeItem, children: readonly TreeItem[]): TreeState {
  const tree: TreeState = { rows: [], selected: 0, top: 0, nextId: 1, held: 1, loading: [] };
  const row: TreeRow = { id: 0, depth: 0, item: root, status: 'loading' };
  return childrenArrived({ ...tree, rows: [row], loading: [0] }, 0, children);
}

export function selectedRow(tree: TreeState): TreeRow {
  return tree.rows[tree.selected]!;
}

/** One past the last row below `index`. */
export function endOfSubtree(rows: readonly TreeRow[], index: number): number {
  const depth = rows[index]!.depth;
  let end = index + 1;
  while (end < rows.length && rows[end]!.depth > depth) end += 1;
  return end;
}

export function parentIndex(rows: readonly TreeRow[], index: number): number {
  const depth = rows[index]!.depth;
  for (let at = index - 1; at >= 0; at--) if (rows[at]!.depth < depth) return at;
  return index;
}

export function select(tree: TreeState, index: number): TreeState {
  return { ...tree, selected: clamp(index, 0, tree.rows.length - 1) };
}

/** Opens the row: what was folded comes back, otherwise its children are asked for. */
export function expand(tree: TreeState, index: number): TreeState {
  const row = tree.rows[index]!;
  if (row.status !== 'closed') return tree;
  if (row.folded !== undefined) {
    const open: TreeRow = { ...row, status: 'open', folded: undefined };
    return spliced(tree, index, [open, ...row.folded], 1);
  }
  const loading: TreeRow = { id: tree.nextId, depth: row.depth + 1, item: { kind: 'loading' }, status: 'leaf' };
  const next = spliced(tree, index, [{ ...row, status: 'loading' }, loading], 1);
  return { ...next, nextId: tree.nextId + 1, held: tree.held + 1, loading: [...tree.loading, row.id] };
}

/** Closes the row. Loads below it are given up, and what failed is forgotten, so that opening tries again. */
export function collapse(tree: TreeState, index: number): TreeState {
  const row = tree.rows[index]!;
  if (row.status !== 'open' && row.status !== 'loading') return tree;
  const end = endOfSubtree(tree.rows, index);
  const below = tree.rows.slice(index + 1, end);
  const keep =
    row.status === 'open' && below.every(({ status, item }) => status !== 'loading' && item.kind !== 'error');
  const closed: TreeRow = { ...row, status: 'closed', folded: keep ? below : undefined };
  const loading = tree.loading.filter((id) => id !== row.id && !below.some((child) => child.id === id));
  const next = spliced({ ...tree, loading }, index, [closed], end - index);
  return keep ? next : { ...next, held: heldIn(next.rows) };
}

/** The children of a row that was loading; an answer for any other row comes too late and changes nothing. */
export function childrenArrived(tree: TreeState, id: number, items: readonly TreeItem[]): TreeState {
  const index = tree.loading.includes(id) ? tree.rows.findIndex((row) => row.id === id) : -1;
  if (index < 0) return tree;
  const row = tree.rows[index]!;
  const end = endOfSubtree(tree.rows, index);
  let base: TreeState = { ...tree, loading: tree.loading.filter((other) => other !== id) };
  if (tree.held + items.length > MAX_TREE_ROWS) base = withoutFolds(base);
  const hasRoom = base.rows.length + items.length <= MAX_TREE_ROWS;
  const shown: readonly TreeItem[] = hasRoom
    ? items
    : [{ kind: 'error', text: `more than ${MAX_TREE_ROWS} rows are open: close a directory first` }];
  let nextId = base.nextId;
  const children = shown.map(
    (item): TreeRow => ({ id: nextId++, depth: row.depth + 1, item, status: isExpandable(item) ? 'closed' : 'leaf' }),
  );
  const open: TreeRow = { ...row, status: 'open' };
  const next = spliced({ ...base, nextId }, index, [open, ...children], end - index);
  const opened = { ...next, held: base.held + children.length - (end - index - 1) };
  return openSelfOpening(opened, index, children.length);
}

export interface AddedChildren {
  readonly row: number;
  readonly items: readonly TreeItem[];
  /** How far the others are. */
  readonly progress: string;
  readonly isLast: boolean;
}

/** More children of a row that was loading, before its row that says so; the last of them take that row's place. */
export function childrenAdded(tree: TreeState, { row: id, items, progress, isLast }: AddedChildren): TreeState {
  const index = tree.loading.includes(id) ? tree.rows.findIndex((row) => row.id === id) : -1;
  if (index < 0) return tree;
  const row = tree.rows[index]!;
  const last = endOfSubtree(tree.rows, index) - 1;
  const hasRoom = tree.held + items.length <= MAX_TREE_ROWS;
  let nextId = tree.nextId;
  const depth = row.depth + 1;
  const added = (hasRoom ? items : []).map((item): TreeRow => ({ id: nextId++, depth, item, status: 'leaf' }));
  const base: TreeState = { ...tree, nextId, held: tree.held + added.length - (isLast ? 1 : 0) };
  if (!isLast) {
    const waiting: TreeRow = { ...tree.rows[last]!, item: { kind: 'loading', progress } };
    return spliced(base, last, [...added, waiting], 1);
  }
  const loading = tree.loading.filter((other) => other !== id);
  return replaced(spliced({ ...base, loading }, last, added, 1), index, { ...row, status: 'open' });
}

/** Ends what the selected row's own search is at, and keeps what it found; closing the row forgets it. */
export function stopLoading(tree: TreeState): TreeState {
  const index = tree.rows.findIndex(({ item, status }) => item.kind === 'recoverables' && status === 'loading');
  if (index < 0) return tree;
  const row = tree.rows[index]!;
  const last = endOfSubtree(tree.rows, index) - 1;
  const text = `stopped: ${last - index - 1} found by then; close and open to search again`;
  const loading = tree.loading.filter((id) => id !== row.id);
  const stopped = replaced({ ...tree, loading }, last, { ...tree.rows[last]!, item: { kind: 'error', text } });
  return replaced(stopped, index, { ...row, status: 'open' });
}

function replaced(tree: TreeState, index: number, row: TreeRow): TreeState {
  return { ...tree, rows: tree.rows.with(index, row) };
}

function openSelfOpening(tree: TreeState, parent: number, count: number): TreeState {
  let next = tree;
  // From the last to the first, so that opening one does not move those still to come.
  for (let at = parent + count; at > parent; at--) {
    if (opensItself(tree.rows[at]!.item)) next = expand(next, at);
  }
  return next;
}

/** Rows from `index` on replaced; the selection stays on its row, or falls to `index` when its row is gone. */
function spliced(tree: TreeState, index: number, replacement: readonly TreeRow[], removed: number): TreeState {
  const rows = tree.rows.slice(0, index).concat(replacement, tree.rows.slice(index + removed));
  let { selected } = tree;
  if (selected >= index + removed) selected += replacement.length - removed;
  else if (selected > index) selected = index;
  return { ...tree, rows, selected };
}

function withoutFolds(tree: TreeState): TreeState {
  const rows = tree.rows.map((row) => (row.folded === undefined ? row : { ...row, folded: undefined }));
  return { ...tree, rows, held: rows.length };
}

function heldIn(rows: readonly TreeRow[]): number {
  return rows.reduce((sum, row) => sum + 1 + (row.folded === undefined ? 0 : heldIn(row.folded)), 0);
}

/** One step of a way down the tree: the children of the row reached so far, and which of them to take. */
export interface RevealStep {
  readonly key: string;
  readonly children: readonly TreeItem[];
}

/** Follows the steps from the root, opening what is closed, and selects where they end. */
export function reveal(tree: TreeState, steps: readonly RevealStep[]): TreeState {
  let next = tree;
  let at = 0;
  for (const { key, children } of steps) {
    let row = next.rows[at]!;
    if (row.status === 'closed') {
      next = expand(next, at);
      row = next.rows[at]!;
    }
    if (row.status === 'loading') next = childrenArrived(next, row.id, children);
    const child = findChild(next.rows, at, key);
    if (child < 0) break;
    at = child;
  }
  if (opensItself(next.rows[at]!.item)) next = expand(next, at);
  return select(next, at);
}

function findChild(rows: readonly TreeRow[], parent: number, key: string): number {
  const end = endOfSubtree(rows, parent);
  const depth = rows[parent]!.depth + 1;
  for (let at = parent + 1; at < end; at++) {
    if (rows[at]!.depth === depth && keyOf(rows[at]!.item) === key) return at;
  }
  return -1;
}

/** Closes every row that matches and forgets what was below it. */
export function forgetBelow(tree: TreeState, matches: (item: TreeItem) => boolean): TreeState {
  let next: TreeState = tree;
  for (let at = 0; at < next.rows.length; at++) {
    if (!matches(next.rows[at]!.item)) continue;
    next = collapse(next, at);
    const row = next.rows[at]!;
    if (row.folded !== undefined) next = spliced(next, at, [{ ...row, folded: undefined }], 1);
  }
  return { ...next, held: heldIn(next.rows) };
}
