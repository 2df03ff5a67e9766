import { clamp, firstAtLeast } from '../../core/index.ts';
import { itemLabel } from '../text/item-label.ts';
import { endOfSubtree, type TreeFilter, type TreeRow, type TreeState } from './tree.ts';

const NO_CONTENTS: ReadonlyMap<string, string> = new Map();

/** What a filter leaves of the rows; both in ascending order. */
interface Shown {
  readonly filter: TreeFilter;
  readonly rows: Uint32Array;
  /** Those that have the text themselves. */
  readonly matches: Uint32Array;
}

/** The last result for a list of rows: moving looks it up, and a longer text looks among the matches of the shorter. */
const cache = new WeakMap<readonly TreeRow[], Shown>();

/** The indices of the rows that are shown; undefined when all are. */
export function shownRows(tree: TreeState): Uint32Array | undefined {
  return shown(tree)?.rows;
}

function shown({ rows, filter }: TreeState): Shown | undefined {
  if (filter === undefined || filter.text === '') return undefined;
  const known = cache.get(rows);
  if (known?.filter === filter) return known;
  const parent = rows.findIndex(({ id }) => id === filter.parent);
  if (parent < 0 || rows[parent]!.status === 'closed') return undefined;
  const made = narrowed(rows, parent, filter, known);
  cache.set(rows, made);
  return made;
}

/** Below the parent a row stays that has the text, that is above one that has it, or that is below one. */
function narrowed(rows: readonly TreeRow[], parent: number, filter: TreeFilter, known: Shown | undefined): Shown {
  const end = endOfSubtree(rows, parent);
  const top = rows[parent]!.depth + 1;
  const matches = matchesIn(rows, parent, end, filter, known);
  const isKept = new Uint8Array(end - parent);
  const above: number[] = [];
  let matchDepth = Number.POSITIVE_INFINITY;
  let next = 0;
  for (let at = parent + 1; at < end; at++) {
    const { depth, item } = rows[at]!;
    if (depth <= matchDepth) matchDepth = Number.POSITIVE_INFINITY;
    above[depth] = at;
    const isMatch = matches[next] === at;
    if (isMatch) {
      next += 1;
      for (let up = top; up < depth; up++) isKept[above[up]! - parent] = 1;
      matchDepth = Math.min(matchDepth, depth);
    }
    // What says that something is missing is not to be missed.
    const isSaid = depth === top && (item.kind === 'error' || item.kind === 'loading');
    if (isMatch || matchDepth < depth || isSaid) isKept[at - parent] = 1;
  }
  const kept = new Uint32Array(rows.length);
  let count = 0;
  for (let at = 0; at < rows.length; at++) {
    if (at <= parent || at >= end || isKept[at - parent] === 1) kept[count++] = at;
  }
  return { filter, rows: kept.subarray(0, count), matches };
}

/** The rows that have the text; what has a longer one is among those that had its beginning. */
function matchesIn(
  rows: readonly TreeRow[],
  parent: number,
  end: number,
  { text, parent: id }: TreeFilter,
  known: Shown | undefined,
): Uint32Array {
  const wanted = text.toLowerCase();
  const isLonger = known?.filter.parent === id && wanted.startsWith(known.filter.text.toLowerCase());
  const found = new Uint32Array(isLonger ? known.matches.length : end - parent);
  let count = 0;
  if (isLonger) {
    for (const at of known.matches) if (hasText(rows[at]!.item, wanted)) found[count++] = at;
  } else for (let at = parent + 1; at < end; at++) if (hasText(rows[at]!.item, wanted)) found[count++] = at;
  return found.subarray(0, count);
}

function hasText(item: TreeRow['item'], text: string): boolean {
  // Most rows are entries, whose label is at hand.
  const label = item.kind === 'entry' || item.kind === 'recoverable' ? item.label : itemLabel(item, NO_CONTENTS).text;
  return item.kind !== 'loading' && label.toLowerCase().includes(text);
}

/** How many rows have the text. */
export function matchCount(tree: TreeState): number {
  return shown(tree)?.matches.length ?? 0;
}

/** The first row with the text from row `from` on, or the first of all; -1 where there is none. */
export function matchFrom(tree: TreeState, from: number): number {
  const matches = shown(tree)?.matches;
  if (matches === undefined || matches.length === 0) return -1;
  return matches[firstAtLeast(matches, from)] ?? matches[0]!;
}

/** The text to highlight in the row at `index`, where the filter applies to it. */
export function highlightAt(tree: TreeState, index: number): string {
  const found = shown(tree);
  if (found === undefined) return '';
  return found.matches[firstAtLeast(found.matches, index)] === index ? found.filter.text : '';
}

/** How many rows are shown. */
export function shownCount(tree: TreeState): number {
  return shownRows(tree)?.length ?? tree.rows.length;
}

/** Where the selection is among the rows that are shown. */
export function selectedPosition(tree: TreeState): number {
  const rows = shownRows(tree);
  return rows === undefined ? tree.selected : firstAtLeast(rows, tree.selected);
}

/** The selection moved to that place among the rows that are shown. */
export function selectPosition(tree: TreeState, position: number): TreeState {
  const at = clamp(position, 0, shownCount(tree) - 1);
  return { ...tree, selected: shownRows(tree)?.[at] ?? at };
}

/** Moves the window so that the selection is in it. */
export function scrollToSelection(tree: TreeState, height: number): TreeState {
  const selected = selectedPosition(tree);
  const lowest = Math.max(0, selected - Math.max(1, height) + 1);
  const highest = Math.min(selected, Math.max(0, shownCount(tree) - height));
  const top = clamp(tree.top, Math.min(lowest, selected), Math.max(lowest, highest));
  return top === tree.top ? tree : { ...tree, top };
}

/** Without the filter when what it narrows is closed or gone, or when it would hide the selection. */
export function withLivingFilter(tree: TreeState): TreeState {
  if (tree.filter === undefined || tree.filter.text === '') return tree;
  const rows = shownRows(tree);
  const isHidden = rows === undefined || rows[firstAtLeast(rows, tree.selected)] !== tree.selected;
  return isHidden ? { ...tree, filter: undefined } : tree;
}
