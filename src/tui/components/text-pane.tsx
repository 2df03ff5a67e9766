import type { ReactNode } from 'react';
import type { Preview } from '../load/preview.ts';
import type { Page } from '../state/state.ts';
import { previewLines } from '../text/page-lines.ts';
import { Lines } from './lines.tsx';
import { Notice } from './notice.tsx';

export function TextPane({ page, width, height }: { page: Page<Preview>; width: number; height: number }): ReactNode {
  const { content, problem, scroll } = page;
  if (problem !== undefined) return <Notice text={problem} width={width} height={height} isError />;
  if (content === undefined) return <Notice text="reading…" width={width} height={height} />;
  const lines = previewLines(content, width - 1);
  return <Lines lines={lines.slice(scroll, scroll + height)} width={width} height={height} />;
}
