import { emptyHex } from './hex-view.ts';
import { emptyPage } from './initial-state.ts';
import { layoutIn } from './selectors.ts';
import type { HexState, TuiState } from './state.ts';
import { selectedRow, type TreeState } from './tree.ts';
import { scrollToSelection, withLivingFilter } from './tree-filter.ts';

/** Things whose cursor position is remembered. */
const MAX_PLACES = 64;

/** A changed tree: the selection is brought into view, and the right pane turns to what is selected now. */
export function withTree(state: TuiState, tree: TreeState): TuiState {
  const scrolled = scrollToSelection(withLivingFilter(tree), layoutIn(state).height);
  const { id, item } = selectedRow(scrolled);
  if (id === state.subject.id) return { ...state, tree: scrolled };
  const places = remembering(state);
  const place = places.get(id);
  const hex: HexState = {
    ...emptyHex,
    littleEndian: state.hex.littleEndian,
    ...(place ?? {}),
    // An offset given with a place waits until the place is reached.
    pending: state.going === undefined ? undefined : state.hex.pending,
  };
  return { ...state, tree: scrolled, subject: { id, item }, places, hex, details: emptyPage, text: emptyPage };
}

function remembering(state: TuiState): TuiState['places'] {
  const { cursor, top } = state.hex;
  if (cursor === 0 && top === 0) return state.places;
  const places = new Map(state.places);
  places.delete(state.subject.id);
  places.set(state.subject.id, { cursor, top });
  if (places.size > MAX_PLACES) places.delete(places.keys().next().value!);
  return places;
}
