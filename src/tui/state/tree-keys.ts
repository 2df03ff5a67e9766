import type { Command } from '../keymap.ts';
import { isExpandable, type TreeItem } from '../load/tree-item.ts';
import { itemLabel } from '../text/item-label.ts';
import { layoutIn } from './selectors.ts';
import type { TuiState } from './state.ts';
import { withTree } from './subject.ts';
import { collapse, expand, findRow, parentIndex, select, type TreeState } from './tree.ts';

/** A key in the tree. */
export function moveInTree(state: TuiState, command: Command): TuiState {
  const { tree } = state;
  const at = tree.selected;
  const page = Math.max(1, layoutIn(state).height - 1);
  switch (command) {
    case 'up':
      return withTree(state, select(tree, at - 1));
    case 'down':
      return withTree(state, select(tree, at + 1));
    case 'page-up':
      return withTree(state, select({ ...tree, top: Math.max(0, tree.top - page) }, at - page));
    case 'page-down':
      return withTree(state, select({ ...tree, top: tree.top + page }, at + page));
    case 'first':
      return withTree(state, select(tree, 0));
    case 'last':
      return withTree(state, select(tree, tree.rows.length - 1));
    case 'right':
      return withTree(state, opened(tree));
    case 'left':
      return withTree(state, closedOrParent(tree));
    case 'open':
      return toggledOrEntered(state);
    case 'find-next':
      return foundAgain(state, 1);
    case 'find-previous':
      return foundAgain(state, -1);
    default:
      return state;
  }
}

function opened(tree: TreeState): TreeState {
  const row = tree.rows[tree.selected]!;
  if (row.status === 'closed') return expand(tree, tree.selected);
  const next = tree.rows[tree.selected + 1];
  return row.status === 'open' && next !== undefined && next.depth > row.depth ? select(tree, tree.selected + 1) : tree;
}

function closedOrParent(tree: TreeState): TreeState {
  const row = tree.rows[tree.selected]!;
  if (row.status === 'open' || row.status === 'loading') return collapse(tree, tree.selected);
  return select(tree, parentIndex(tree.rows, tree.selected));
}

function toggledOrEntered(state: TuiState): TuiState {
  const { tree } = state;
  const row = tree.rows[tree.selected]!;
  if (row.status === 'closed') return withTree(state, expand(tree, tree.selected));
  if (isExpandable(row.item)) return withTree(state, collapse(tree, tree.selected));
  const isSentence = row.item.kind === 'note' || row.item.kind === 'error' || row.item.kind === 'loading';
  if (isSentence) return { ...state, pane: 'view', tab: 'details' };
  // The details are in view already: what is left to see is the content.
  return { ...state, pane: 'view', tab: state.tab === 'details' ? 'hex' : state.tab };
}

/** What a row is called, for finding. */
function textOf(item: TreeItem): string {
  return item.kind === 'entry' ? item.label : itemLabel(item, new Map()).text;
}

/** The next match of `text` from row `start`; undefined when there is none. */
export function foundFrom(state: TuiState, text: string, start: number, direction: 1 | -1): TuiState | undefined {
  const at = findRow(state.tree.rows, text, start, direction, textOf);
  return at < 0 ? undefined : withTree(state, select(state.tree, at));
}

function foundAgain(state: TuiState, direction: 1 | -1): TuiState {
  if (state.found === '') return { ...state, message: { text: 'nothing was looked for yet: press /', tone: 'info' } };
  const next = foundFrom(state, state.found, state.tree.selected + direction, direction);
  return next ?? { ...state, message: { text: `no row matches "${state.found}"`, tone: 'info' } };
}
