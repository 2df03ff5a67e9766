import { useEffect } from 'react';

/** The window is taken to keep its size when it has kept it for this long. */
const SETTLE_MS = 150;

/**
 * Calls `redraw` for each new size, and once more when a run of resizes is over: until then a frame of an old size may
 * still reach the terminal. The signal counts, not the size: a terminal that was resized and put back while we were busy
 * has moved its lines all the same.
 */
export function useRedraw(columns: number, rows: number, redraw: (columns: number, rows: number) => void): void {
  useEffect(() => {
    redraw(columns, rows);
    let settling: NodeJS.Timeout | undefined;
    const settle = (): void => {
      clearTimeout(settling);
      settling = setTimeout(redraw, SETTLE_MS, columns, rows);
    };
    settle();
    process.on('SIGWINCH', settle);
    return () => {
      clearTimeout(settling);
      process.off('SIGWINCH', settle);
    };
  }, [columns, rows, redraw]);
}
