import { Box, Text } from 'ink';
import { type ReactNode, useContext } from 'react';
import { hexRow } from '../hex/hex-row.ts';
import { inspectBytes } from '../hex/inspect-bytes.ts';
import { INSPECTOR_ROWS } from '../state/layout.ts';
import { hexLayoutIn, layoutIn } from '../state/selectors.ts';
import type { HexState, TuiState } from '../state/state.ts';
import { wrapWords } from '../text/fit.ts';
import type { Line, Span } from '../text/page-lines.ts';
import { Lines } from './lines.tsx';
import { Notice } from './notice.tsx';
import { ThemeContext } from './theme-context.ts';

/** The bytes of what is selected; only the rows on the screen are made. */
export function HexPane({ state, isFocused }: { state: TuiState; isFocused: boolean }): ReactNode {
  const theme = useContext(ThemeContext);
  const { hex } = state;
  const { viewWidth, hexRows, height } = layoutIn(state);
  if (hex.problem !== undefined) return <Notice text={hex.problem} width={viewWidth} height={height} isError />;
  if (hex.window === undefined) return <Notice text="reading…" width={viewWidth} height={height} />;
  if (hex.window.size === 0) return <Notice text="Empty: 0 bytes." width={viewWidth} height={height} />;
  const layout = hexLayoutIn(state);
  const { size, sectorSize } = hex.window;
  const options = { layout, size, sectorSize, cursor: hex.cursor, isFocused };
  const rows: string[] = [];
  for (let row = 0; row < hexRows; row++) {
    const start = hex.top + row * layout.bytesPerRow;
    if (start >= size) break;
    rows.push(hexRow(hex.window, start, options, theme));
  }
  return (
    <Box flexDirection="column" width={viewWidth} height={height}>
      <Box height={hexRows}>
        <Text wrap="truncate">{rows.join('\n')}</Text>
      </Box>
      {hexRows < height && <Lines lines={inspectorLines(hex, viewWidth)} width={viewWidth} height={INSPECTOR_ROWS} />}
    </Box>
  );
}

/** The values that begin at the cursor, or why the bytes there are missing. */
function inspectorLines({ window, cursor, littleEndian }: HexState, width: number): Line[] {
  const rule: Line = [['divider', '─'.repeat(width)]];
  if (window === undefined) return [rule];
  if (window.bad.some(({ start, length }) => cursor >= start && cursor < start + length))
    return [rule, ...wrapWords(window.error ?? 'unreadable', width).map((text): Line => [['error', text]])];
  const at = cursor - window.start;
  if (at < 0 || at >= window.bytes.length) return [rule];
  const values = new Map(
    inspectBytes(window.bytes.subarray(at, at + 8), littleEndian).map(({ name, value }) => [name, value]),
  );
  const chips = (names: readonly string[]): Line[] =>
    names.flatMap((name) => {
      const value = values.get(name);
      return value === undefined
        ? []
        : [
            [
              ['label', name],
              ['plain', ` ${value}  `],
            ] satisfies Line,
          ];
    });
  const order: Line = [['dim', littleEndian ? 'LE  ' : 'BE  ']];
  const small = [order, ...chips(['u8', 'u16', 'i8', 'i16', 'bits'])];
  return [rule, asMany(small, width), asMany(chips(['u32', 'u64', 'i32', 'i64']), width)];
}

/** The first values that fit whole: half a number would be a wrong number. */
function asMany(chips: readonly Line[], width: number): Line {
  const line: Span[] = [];
  let left = width;
  for (const chip of chips) {
    left -= chip.reduce((sum, [, text]) => sum + text.length, 0);
    // The two blanks after the last value may be cut.
    if (left < -2) break;
    line.push(...chip);
  }
  return line;
}
