import type { Command } from '../keymap.ts';
import { isExpandable } from '../load/tree-item.ts';
import { layoutIn } from './selectors.ts';
import type { TuiState } from './state.ts';
import { withTree } from './subject.ts';
import { collapse, expand, parentIndex, select, type TreeState } from './tree.ts';
import { selectedPosition, selectPosition, shownCount } from './tree-filter.ts';

/** A key in the tree. */
export function moveInTree(state: TuiState, command: Command): TuiState {
  const { tree } = state;
  const at = selectedPosition(tree);
  const page = Math.max(1, layoutIn(state).height - 1);
  switch (command) {
    case 'up':
      return withTree(state, selectPosition(tree, at - 1));
    case 'down':
      return withTree(state, selectPosition(tree, at + 1));
    case 'page-up':
      return withTree(state, selectPosition({ ...tree, top: Math.max(0, tree.top - page) }, at - page));
    case 'page-down':
      return withTree(state, selectPosition({ ...tree, top: tree.top + page }, at + page));
    case 'first':
      return withTree(state, selectPosition(tree, 0));
    case 'last':
      return withTree(state, selectPosition(tree, shownCount(tree) - 1));
    case 'right':
      return withTree(state, opened(tree));
    case 'left':
      return withTree(state, closedOrParent(tree));
    case 'open':
      return toggledOrEntered(state);
    default:
      return state;
  }
}

function opened(tree: TreeState): TreeState {
  const row = tree.rows[tree.selected]!;
  if (row.status === 'closed') return expand(tree, tree.selected);
  const next = selectPosition(tree, selectedPosition(tree) + 1);
  return row.status === 'open' && tree.rows[next.selected]!.depth > row.depth ? next : tree;
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
