import { type Dispatch, type RefObject, useCallback, useRef, useState } from 'react';
import { reduce } from '../state/reduce.ts';
import type { TuiAction, TuiState } from '../state/state.ts';

/**
 * The state and its dispatch. Several keys come in one chunk, before the next frame: each is reduced at once, so that the
 * meaning of the second (which prompt is open) is seen after the first.
 */
export function useTuiState(initial: () => TuiState): {
  readonly state: TuiState;
  readonly latest: RefObject<TuiState>;
  readonly dispatch: Dispatch<TuiAction>;
} {
  const [state, show] = useState(initial);
  const latest = useRef(state);
  const dispatch = useCallback((action: TuiAction) => {
    latest.current = reduce(latest.current, action);
    show(latest.current);
  }, []);
  return { state, latest, dispatch };
}
