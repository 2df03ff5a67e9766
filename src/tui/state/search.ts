import { formatLocator, type Volume } from '../../core/index.ts';
import { pathOf, type TreeItem } from '../load/tree-item.ts';
import type { TuiState } from './state.ts';
import { withTree } from './subject.ts';
import { endOfSubtree, select, type TreeRow } from './tree.ts';

/** A file that was found by its name. */
export interface Match {
  readonly volume: Volume;
  /** As the image has it. */
  readonly path: string;
  readonly isDirectory: boolean;
  /** Set for a deleted entry, which only its number tells from others of the same name. */
  readonly deletedId: number | undefined;
}

/** The last search for files, which `n` and `N` go through. */
export interface Search {
  readonly pattern: string;
  /** As many as are kept. */
  readonly matches: readonly Match[];
  readonly total: number;
  /** Which of them was gone to last; -1 before the first. */
  readonly at: number;
  readonly isOver: boolean;
}

/** The matches that are kept; the others are counted. */
export const MAX_MATCHES = 10_000;

/** More matches, from the search that runs; the first of all is gone to when nobody has moved meanwhile. */
export function matchesArrived(state: TuiState, task: number, found: readonly Match[], count: number): TuiState {
  const { search } = state;
  if (state.task?.id !== task || search === undefined) return state;
  const room = Math.max(0, MAX_MATCHES - search.matches.length);
  const matches = [...search.matches, ...found.slice(0, room)];
  const next: TuiState = { ...state, search: { ...search, matches, total: search.total + count } };
  const isFirst = search.matches.length === 0 && matches.length > 0;
  return isFirst && state.subject.id === state.task.subject ? gotoMatch(next, 0) : next;
}

/** The next match from the one gone to last, and around the end. */
export function nextMatch(state: TuiState, direction: 1 | -1): TuiState {
  const { search } = state;
  const say = (text: string): TuiState => ({ ...state, message: { text, tone: 'info' } });
  if (search === undefined) return say('nothing was looked for yet: press f');
  const { matches, at, isOver, pattern } = search;
  if (matches.length === 0) return say(isOver ? `no name matches "${pattern}"` : 'nothing found so far');
  const from = at < 0 && direction < 0 ? 0 : at;
  return gotoMatch(state, (from + direction + matches.length) % matches.length);
}

function gotoMatch(state: TuiState, at: number): TuiState {
  const search: Search = { ...state.search!, at };
  const match = search.matches[at]!;
  const more = search.isOver ? '' : '+';
  const text = `match ${at + 1} of ${search.total}${more}: ${formatLocator(match.volume.name, match.path)}`;
  const next: TuiState = { ...state, search, pane: 'tree', isZoomed: false, message: { text, tone: 'info' } };
  const row = loadedRow(next.tree.rows, match);
  if (row >= 0) return withTree({ ...next, going: undefined }, select(next.tree, row));
  const path = match.deletedId === undefined ? match.path : match.path.slice(0, match.path.lastIndexOf('/') + 1);
  const locator = formatLocator(match.volume.name, path);
  const going = { id: state.nextRequest, locator, match };
  return { ...next, going, nextRequest: state.nextRequest + 1 };
}

/** The row of a match where all directories on the way are open; -1 where it has to be loaded. */
function loadedRow(rows: readonly TreeRow[], match: Match): number {
  let at = rows.findIndex(({ item }) => item.kind === 'filesystem' && item.volume === match.volume);
  const names = match.path.split('/').slice(1);
  for (const [step, name] of names.entries()) {
    if (at < 0 || rows[at]!.status !== 'open') return -1;
    const isLast = step === names.length - 1;
    at = childRow(rows, at, (item) => item.kind === 'entry' && item.name === name && isMatch(item, isLast, match));
  }
  return at;
}

type Entry = Extract<TreeItem, { kind: 'entry' }>;

function isMatch(item: Entry, isLast: boolean, { deletedId }: Match): boolean {
  if (deletedId === undefined) return !item.deleted;
  // A directory on the way may be deleted too.
  return !isLast || (item.deleted && item.nodeId === deletedId);
}

/** Whether an item is what a match found. */
export function isMatched(item: TreeItem, match: Match): boolean {
  return item.kind === 'entry' && isMatch(item, true, match) && pathOf(item) === match.path;
}

function childRow(rows: readonly TreeRow[], parent: number, matches: (item: TreeItem) => boolean): number {
  const end = endOfSubtree(rows, parent);
  const depth = rows[parent]!.depth + 1;
  for (let at = parent + 1; at < end; at++) if (rows[at]!.depth === depth && matches(rows[at]!.item)) return at;
  return -1;
}
