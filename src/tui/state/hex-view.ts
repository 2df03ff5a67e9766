import { clamp, divideDown, errorText, roundDown } from '../../core/index.ts';
import { parseOffset } from '../hex/parse-offset.ts';
import type { Command } from '../keymap.ts';
import { hexLayoutIn, hexSize, layoutIn } from './selectors.ts';
import type { HexState, TuiState } from './state.ts';

export const DEFAULT_SECTOR = 512;

export const emptyHex: HexState = {
  window: undefined,
  cursor: 0,
  top: 0,
  problem: undefined,
  pending: undefined,
  littleEndian: true,
};

export function sectorSizeIn(state: TuiState): number {
  return state.hex.window?.sectorSize ?? DEFAULT_SECTOR;
}

/** The cursor at `offset`, as near as there are bytes, and the window moved no more than needed. */
export function withCursor(state: TuiState, offset: number): TuiState {
  const size = hexSize(state);
  if (size === undefined || size === 0) return state;
  const { bytesPerRow } = hexLayoutIn(state);
  const { hexRows } = layoutIn(state);
  const cursor = clamp(offset, 0, size - 1);
  const row = divideDown(cursor, bytesPerRow);
  const topRow = divideDown(state.hex.top, bytesPerRow);
  const top = clamp(topRow, Math.max(0, row - hexRows + 1), row) * bytesPerRow;
  return { ...state, hex: { ...state.hex, cursor, top } };
}

/** A jump: the target stands in the upper third rather than at the edge. */
export function jumpTo(state: TuiState, offset: number): TuiState {
  const { bytesPerRow } = hexLayoutIn(state);
  const { hexRows } = layoutIn(state);
  const row = divideDown(offset, bytesPerRow);
  const topRow = divideDown(state.hex.top, bytesPerRow);
  if (row >= topRow && row < topRow + hexRows) return withCursor(state, offset);
  const top = Math.max(0, row - Math.floor(hexRows / 3)) * bytesPerRow;
  return withCursor({ ...state, hex: { ...state.hex, top } }, offset);
}

/** Rows begin at multiples of their length: after a resize the first row is put back on one. */
export function realigned(state: TuiState): TuiState {
  const { bytesPerRow } = hexLayoutIn(state);
  const hex = { ...state.hex, top: roundDown(state.hex.top, bytesPerRow) };
  return withCursor({ ...state, hex }, hex.cursor);
}

/** Goes to an offset as typed, or keeps it until the size is known. */
export function gotoOffset(state: TuiState, text: string): TuiState {
  const size = hexSize(state);
  if (size === undefined) return { ...state, hex: { ...state.hex, pending: text } };
  try {
    const offset = parseOffset(text, { cursor: state.hex.cursor, size, sectorSize: sectorSizeIn(state) });
    return jumpTo({ ...state, hex: { ...state.hex, pending: undefined } }, offset);
  } catch (error) {
    const message = { text: errorText(error), tone: 'error' as const };
    return { ...state, hex: { ...state.hex, pending: undefined }, message };
  }
}

/** A key in the hex view. */
export function moveInHex(state: TuiState, command: Command): TuiState {
  const { cursor } = state.hex;
  const { bytesPerRow } = hexLayoutIn(state);
  const page = layoutIn(state).hexRows * bytesPerRow;
  const sector = sectorSizeIn(state);
  const size = hexSize(state) ?? 0;
  switch (command) {
    case 'left':
      return withCursor(state, cursor - 1);
    case 'right':
      return withCursor(state, cursor + 1);
    case 'up':
      return cursor < bytesPerRow ? state : withCursor(state, cursor - bytesPerRow);
    case 'down':
      return cursor + bytesPerRow >= size ? state : withCursor(state, cursor + bytesPerRow);
    case 'page-up':
      return paged(state, -page);
    case 'page-down':
      return paged(state, page);
    case 'first':
      return withCursor(state, 0);
    case 'last':
      return withCursor(state, size - 1);
    case 'row-start':
      return withCursor(state, roundDown(cursor, bytesPerRow));
    case 'row-end':
      return withCursor(state, Math.min(size - 1, roundDown(cursor, bytesPerRow) + bytesPerRow - 1));
    case 'previous-sector':
      return withCursor(state, cursor % sector === 0 ? cursor - sector : roundDown(cursor, sector));
    case 'next-sector':
      return withCursor(state, roundDown(cursor, sector) + sector);
    case 'toggle-endianness':
      return { ...state, hex: { ...state.hex, littleEndian: !state.hex.littleEndian } };
    default:
      return state;
  }
}

/** The window and the cursor move together, so that the cursor keeps its place on the screen. */
function paged(state: TuiState, distance: number): TuiState {
  const { bytesPerRow } = hexLayoutIn(state);
  const size = hexSize(state) ?? 0;
  const lastTop = Math.max(
    0,
    roundDown(Math.max(0, size - 1), bytesPerRow) - (layoutIn(state).hexRows - 1) * bytesPerRow,
  );
  const top = clamp(state.hex.top + distance, 0, lastTop);
  return withCursor({ ...state, hex: { ...state.hex, top } }, state.hex.cursor + distance);
}
