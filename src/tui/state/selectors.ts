import { clamp, type Image } from '../../core/index.ts';
import { type HexLayout, hexLayout } from '../hex/hex-layout.ts';
import type { KeyContext } from '../keymap.ts';
import { detailLines, diagnosticLines, helpLines, type Line, previewLines, tableHeight } from '../text/page-lines.ts';
import { reportLines } from '../text/report-lines.ts';
import { type Layout, layoutOf } from './layout.ts';
import type { TuiState } from './state.ts';

export function layoutIn(state: TuiState): Layout {
  return layoutOf(state.viewport, state.isZoomed);
}

export function imageOf(state: TuiState): Image {
  const root = state.tree.rows[0]!.item;
  if (root.kind !== 'disk') throw new Error('the first row is the disk');
  return root.image;
}

/** Which keys are in force. */
export function keyContext(state: TuiState): KeyContext {
  if (state.prompt !== undefined) return 'prompt';
  if (state.overlay !== undefined) return 'overlay';
  if (state.pane === 'tree') return 'tree';
  return state.tab === 'hex' ? 'hex' : 'page';
}

/** Bytes of the thing in view, once known. */
export function hexSize(state: TuiState): number | undefined {
  return state.hex.window?.size;
}

export function hexLayoutIn(state: TuiState): HexLayout {
  return hexLayout(layoutIn(state).viewWidth, hexSize(state) ?? 0);
}

/** Columns and lines of an overlay's text, which stands in place of the panes. */
export function overlaySize(state: TuiState): { readonly width: number; readonly height: number } {
  return { width: clamp(state.viewport.columns - 2, 20, 100), height: layoutIn(state).height };
}

export function overlayLines(state: TuiState): readonly Line[] {
  const { width } = overlaySize(state);
  const { overlay, report, task } = state;
  if (overlay?.kind === 'report' && report !== undefined) return reportLines(report, task?.progress, width);
  return overlay?.kind === 'diagnostics' ? diagnosticLines(imageOf(state).diagnostics, width) : helpLines(width);
}

/** How far the page in view can be scrolled. */
export function scrollLimit(state: TuiState): number {
  if (state.overlay !== undefined) return Math.max(0, overlayLines(state).length - overlaySize(state).height);
  const { viewWidth, height } = layoutIn(state);
  if (state.tab === 'details') {
    const { content } = state.details;
    if (content === undefined) return 0;
    const lines = detailLines(content, viewWidth - 1).length;
    const table = tableHeight(content.table);
    return Math.max(0, lines + (table === 0 ? 0 : table + 1) - height);
  }
  if (state.text.content === undefined) return 0;
  return Math.max(0, previewLines(state.text.content, viewWidth - 1).length - height);
}

export function clampScroll(scroll: number, limit: number): number {
  return clamp(scroll, 0, limit);
}
