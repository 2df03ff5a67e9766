import { useApp, useWindowSize } from 'ink';
import { type ReactNode, useCallback, useEffect, useState } from 'react';
import type { Image } from '../core/index.ts';
import { ThemeContext } from './components/theme-context.ts';
import { useKeys } from './hooks/use-keys.ts';
import { useLoader } from './hooks/use-loader.ts';
import { useRedraw } from './hooks/use-redraw.ts';
import { useTerminal } from './hooks/use-terminal.ts';
import { useTuiState } from './hooks/use-tui-state.ts';
import type { Loader } from './load/load.ts';
import { BrowseScreen } from './screens/browse-screen.tsx';
import { initialState, type StartOptions } from './state/initial-state.ts';
import { createTheme } from './theme.ts';

export interface AppProps {
  readonly image: Image;
  readonly load: Loader;
  readonly start: StartOptions;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Wipes the screen, so that the next frame is drawn whole: terminals move and cut lines when they are resized. */
  readonly onResized: () => void;
}

/** The state, what feeds it (keys, window size, what was read), and the screen. */
export function App({ image, load, start, environment, onResized }: AppProps): ReactNode {
  const { exit } = useApp();
  const viewport = useWindowSize();
  const { columns, rows } = viewport;
  const { state, latest, dispatch } = useTuiState(() => initialState(image, { columns, rows }, start));
  const [theme] = useState(() => createTheme(environment));
  useTerminal();
  useKeys(latest, dispatch);
  useLoader(state, dispatch, load);
  const redraw = useCallback(
    (columns: number, rows: number) => {
      // The frame of the new size is there by now, and the one that follows from the action replaces it.
      onResized();
      dispatch({ type: 'resized', viewport: { columns, rows } });
    },
    [dispatch, onResized],
  );
  useRedraw(columns, rows, redraw);
  useEffect(() => {
    if (state.isDone) exit();
  }, [state.isDone, exit]);
  // A frame drawn between a resize and its action would be of the wrong size.
  const shown = state.viewport.columns === columns && state.viewport.rows === rows ? state : { ...state, viewport };
  return (
    <ThemeContext value={theme}>
      <BrowseScreen state={shown} />
    </ThemeContext>
  );
}
