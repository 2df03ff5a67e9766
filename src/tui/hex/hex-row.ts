import type { ByteRange } from '../../core/index.ts';
import type { Role, Theme } from '../theme.ts';
import { byteCharacter, byteClass } from './byte-class.ts';
import { type HexLayout, isGroupStart } from './hex-layout.ts';

/** The bytes at hand: a part of the thing in view, with what could not be read. */
export interface HexBytes {
  /** Where `bytes` begin in the thing in view. */
  readonly start: number;
  readonly bytes: Uint8Array;
  readonly bad: readonly ByteRange[];
}

export interface HexRowOptions {
  readonly layout: HexLayout;
  /** Bytes of the thing in view. */
  readonly size: number;
  readonly sectorSize: number;
  /** -1 for none. */
  readonly cursor: number;
  readonly isFocused: boolean;
}

/** A byte as known: its value, not there yet, or not readable. */
type Cell = number | 'pending' | 'bad';

function cellAt(window: HexBytes | undefined, offset: number): Cell {
  if (window === undefined) return 'pending';
  const index = offset - window.start;
  if (index < 0 || index >= window.bytes.length) return 'pending';
  return window.bad.some(({ start, length }) => offset >= start && offset < start + length)
    ? 'bad'
    : window.bytes[index]!;
}

/** Joins neighbours of one role, so that a row of zeros is one escape sequence and not sixteen. */
class RunPainter {
  readonly #theme: Theme;
  #text = '';
  #run = '';
  #role: Role = 'plain';

  constructor(theme: Theme) {
    this.#theme = theme;
  }

  add(role: Role, text: string): void {
    if (role !== this.#role) {
      this.#text += this.#theme.paint(this.#role, this.#run);
      this.#run = '';
      this.#role = role;
    }
    this.#run += text;
  }

  finish(): string {
    return this.#text + this.#theme.paint(this.#role, this.#run);
  }
}

/** One row: `▸00100000 48 65 6c ...  Hel...`. The mark and a bold address show where a sector begins. */
export function hexRow(window: HexBytes | undefined, rowStart: number, options: HexRowOptions, theme: Theme): string {
  const { layout, size, sectorSize, cursor, isFocused } = options;
  const painter = new RunPainter(theme);
  const beginsSector = rowStart % sectorSize === 0;
  const address = rowStart.toString(16).padStart(layout.addressDigits, '0');
  painter.add(beginsSector ? 'sectorAddress' : 'address', `${beginsSector ? '▸' : ' '}${address}`);
  painter.add('plain', ' ');
  const count = Math.min(layout.bytesPerRow, size - rowStart);
  const cells = Array.from({ length: Math.max(0, count) }, (_, column) => cellAt(window, rowStart + column));
  const roleAt = (column: number): Role => {
    if (rowStart + column === cursor) return isFocused ? 'cursor' : 'cursorIdle';
    const cell = cells[column]!;
    if (cell === 'bad') return 'byteBad';
    return cell === 'pending' ? 'dim' : byteClass(cell);
  };
  for (let column = 0; column < layout.bytesPerRow; column++) {
    if (isGroupStart(column)) painter.add('plain', ' ');
    const role = column < cells.length ? roleAt(column) : 'plain';
    painter.add(role, column < cells.length ? hexOf(cells[column]!) : '  ');
    // A space looks the same in every color: it joins the run, unless the run would show.
    painter.add(rowStart + column === cursor ? 'plain' : role, ' ');
  }
  painter.add('plain', ' ');
  for (const [column, cell] of cells.entries()) painter.add(roleAt(column), characterOf(cell));
  return painter.finish();
}

function hexOf(cell: Cell): string {
  if (cell === 'pending') return '··';
  return cell === 'bad' ? '!!' : cell.toString(16).padStart(2, '0');
}

function characterOf(cell: Cell): string {
  if (cell === 'pending') return '·';
  return cell === 'bad' ? '!' : byteCharacter(cell);
}
