import { type Dispatch, useEffect, useRef } from 'react';
import type { Loader } from '../load/load.ts';
import { wantedRequests } from '../state/requests.ts';
import type { TuiAction, TuiState } from '../state/state.ts';

/** Keeps what is being read equal to what the state wants: starts what is new, aborts what is wanted no longer. */
export function useLoader(state: TuiState, dispatch: Dispatch<TuiAction>, load: Loader): void {
  const running = useRef(new Map<string, AbortController>());

  useEffect(() => {
    const wanted = new Map(wantedRequests(state).map((request) => [request.key, request]));
    for (const [key, controller] of running.current) {
      if (wanted.has(key)) continue;
      running.current.delete(key);
      controller.abort();
    }
    for (const [key, request] of wanted) {
      const known = running.current.get(key);
      if (known !== undefined) {
        if (request.kind === 'task' && request.isCanceled) known.abort();
        continue;
      }
      const controller = new AbortController();
      running.current.set(key, controller);
      const isWanted = (): boolean => running.current.get(key) === controller;
      const tell = (action: TuiAction): void => {
        if (isWanted()) dispatch(action);
      };
      load(request, controller.signal, tell).then(
        (action) => {
          if (!isWanted()) return;
          running.current.delete(key);
          dispatch(action);
        },
        (error: unknown) => {
          if (!isWanted()) return;
          // The loader answers every failure of an image: what comes here is our own bug, and must not pass unseen.
          setImmediate(() => {
            throw error;
          });
        },
      );
    }
  });

  useEffect(() => {
    const mine = running.current;
    return () => {
      for (const controller of mine.values()) controller.abort();
      mine.clear();
    };
  }, []);
}
