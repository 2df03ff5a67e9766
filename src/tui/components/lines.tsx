import { Text } from 'ink';
import { type ReactNode, useContext } from 'react';
import { displayWidth } from '../text/fit.ts';
import type { Line } from '../text/page-lines.ts';
import { ThemeContext } from './theme-context.ts';

/** Lines that are cut to their width already, as one text. */
export function Lines({ lines, width, height }: { lines: readonly Line[]; width: number; height: number }): ReactNode {
  const theme = useContext(ThemeContext);
  const rows = lines.slice(0, height).map((line) => {
    const used = line.reduce((sum, [, text]) => sum + displayWidth(text), 0);
    return line.map(([role, text]) => theme.paint(role, text)).join('') + ' '.repeat(Math.max(0, width - used));
  });
  return <Text wrap="truncate">{rows.join('\n')}</Text>;
}
