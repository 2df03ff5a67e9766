import { Box } from 'ink';
import type { ReactNode } from 'react';
import type { Details } from '../load/facts.ts';
import type { Page } from '../state/state.ts';
import { detailLines, tableHeight } from '../text/page-lines.ts';
import { Lines } from './lines.tsx';
import { Notice } from './notice.tsx';
import { PartitionTableView } from './partition-table.tsx';

export function DetailsPane({
  page,
  width,
  height,
}: {
  page: Page<Details>;
  width: number;
  height: number;
}): ReactNode {
  const { content, problem, scroll } = page;
  if (problem !== undefined) return <Notice text={problem} width={width} height={height} isError />;
  if (content === undefined) return <Notice text="reading…" width={width} height={height} />;
  const lines = detailLines(content, width - 1);
  const { table } = content;
  const first = Math.min(scroll, lines.length);
  const shown = lines.slice(first, first + height);
  // Scrolled past the lines, the table is moved up by what is left.
  const tableOffset = Math.max(0, scroll - lines.length - 1);
  const isBlankShown = scroll <= lines.length;
  return (
    <Box flexDirection="column" width={width} height={height} overflow="hidden">
      {shown.length > 0 && (
        <Box flexShrink={0}>
          <Lines lines={shown} width={width} height={height} />
        </Box>
      )}
      {table !== undefined && tableHeight(table) > 0 && shown.length < height && (
        <Box
          flexShrink={0}
          height={Math.max(0, height - shown.length - (isBlankShown ? 1 : 0))}
          marginTop={isBlankShown ? 1 : 0}
          overflow="hidden"
          contentOffsetY={tableOffset}
        >
          <Box flexShrink={0} flexDirection="column" height={tableHeight(table)}>
            <PartitionTableView rows={table} width={width} />
          </Box>
        </Box>
      )}
    </Box>
  );
}
