import type { ReactNode } from 'react';
import { wrapWords } from '../text/fit.ts';
import type { Line } from '../text/page-lines.ts';
import { Lines } from './lines.tsx';

/** A sentence in place of content. */
export function Notice({
  text,
  width,
  height,
  isError = false,
}: {
  text: string;
  width: number;
  height: number;
  isError?: boolean;
}): ReactNode {
  const lines = wrapWords(text, width - 1).map((line): Line => [[isError ? 'error' : 'dim', line]]);
  return <Lines lines={lines} width={width} height={height} />;
}
