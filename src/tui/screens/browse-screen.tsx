import { Box, Text } from 'ink';
import { type ReactNode, useContext } from 'react';
import { FooterBar, footerLines, HeadingBar, StatusBar } from '../components/bars.tsx';
import { DetailsPane } from '../components/details-pane.tsx';
import { HexPane } from '../components/hex-pane.tsx';
import { Lines } from '../components/lines.tsx';
import { TextPane } from '../components/text-pane.tsx';
import { ThemeContext } from '../components/theme-context.ts';
import { TreePane } from '../components/tree-pane.tsx';
import { MIN_COLUMNS, MIN_ROWS } from '../state/layout.ts';
import { layoutIn, overlayLines, overlaySize } from '../state/selectors.ts';
import type { TuiState } from '../state/state.ts';
import { padTo } from '../text/fit.ts';

/** The whole screen for a state; exactly as large as the terminal, so that nothing ever scrolls. */
export function BrowseScreen({ state }: { state: TuiState }): ReactNode {
  const { columns, rows } = state.viewport;
  const layout = layoutIn(state);
  if (layout.isTooSmall) return <TooSmall columns={columns} rows={rows} />;
  return (
    <Box flexDirection="column" width={columns} height={rows}>
      <HeadingBar state={state} />
      <Box height={layout.height + 1 - footerLines(state).length} width={columns} overflow="hidden">
        {state.overlay === undefined ? <Panes state={state} /> : <Overlay state={state} />}
      </Box>
      <StatusBar state={state} />
      <FooterBar state={state} />
    </Box>
  );
}

function Panes({ state }: { state: TuiState }): ReactNode {
  const theme = useContext(ThemeContext);
  const { treeWidth, viewWidth, height } = layoutIn(state);
  const { tree, contents, pane } = state;
  return (
    <>
      {treeWidth > 0 && (
        <>
          <TreePane tree={tree} contents={contents} width={treeWidth} height={height} isFocused={pane === 'tree'} />
          <Box width={1} height={height}>
            <Text>{Array.from({ length: height }, () => theme.paint('divider', '│')).join('\n')}</Text>
          </Box>
        </>
      )}
      <Box width={viewWidth} height={height} overflow="hidden">
        <View state={state} width={viewWidth} height={height} />
      </Box>
    </>
  );
}

function View({ state, width, height }: { state: TuiState; width: number; height: number }): ReactNode {
  switch (state.tab) {
    case 'details':
      return <DetailsPane page={state.details} width={width} height={height} />;
    case 'hex':
      return <HexPane state={state} isFocused={state.pane === 'view'} />;
    case 'text':
      return <TextPane page={state.text} width={width} height={height} />;
  }
}

function Overlay({ state }: { state: TuiState }): ReactNode {
  const { width, height } = overlaySize(state);
  const scroll = state.overlay?.scroll ?? 0;
  return (
    <Box paddingLeft={1}>
      <Lines lines={overlayLines(state).slice(scroll, scroll + height)} width={width} height={height} />
    </Box>
  );
}

function TooSmall({ columns, rows }: { columns: number; rows: number }): ReactNode {
  const lines = ['Terminal too small:', `${columns}x${rows}, needs ${MIN_COLUMNS}x${MIN_ROWS}.`, 'q quits.'];
  return (
    <Box flexDirection="column" width={columns} height={rows} overflow="hidden">
      {lines.slice(0, rows).map((line) => (
        <Text key={line}>{padTo(line, columns)}</Text>
      ))}
    </Box>
  );
}
