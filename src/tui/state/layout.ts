import { clamp } from '../../core/index.ts';

/** Below this the interface says so instead of drawing. */
export const MIN_COLUMNS = 60;
export const MIN_ROWS = 12;

export interface Viewport {
  readonly columns: number;
  readonly rows: number;
}

/** Where everything goes; pure, so that the reducer and the screen agree. */
export interface Layout {
  readonly isTooSmall: boolean;
  /** 0 when the right pane has the whole width. */
  readonly treeWidth: number;
  readonly viewWidth: number;
  /** Lines of the panes below their headings. */
  readonly height: number;
  /** Lines of the hex view; the rest of its pane shows the values under the cursor. */
  readonly hexRows: number;
}

/** Heading, status line and key hints. */
const FRAME_ROWS = 3;
const DIVIDER_COLUMNS = 1;
/** Lines that show the values under the cursor below the hex view. */
export const INSPECTOR_ROWS = 3;
const MIN_HEIGHT_WITH_INSPECTOR = 14;

export function layoutOf({ columns, rows }: Viewport, isZoomed: boolean): Layout {
  const height = Math.max(1, rows - FRAME_ROWS);
  const treeWidth = isZoomed ? 0 : clamp(Math.floor(columns * 0.33), 28, columns >= 190 ? 52 : 46);
  return {
    isTooSmall: columns < MIN_COLUMNS || rows < MIN_ROWS,
    treeWidth,
    viewWidth: Math.max(1, columns - treeWidth - (isZoomed ? 0 : DIVIDER_COLUMNS)),
    height,
    hexRows: height >= MIN_HEIGHT_WITH_INSPECTOR ? height - INSPECTOR_ROWS : height,
  };
}
