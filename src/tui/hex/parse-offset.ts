import { DiskError, parseSize } from '../../core/index.ts';

export interface OffsetContext {
  /** Where the cursor is: what `+` and `-` count from. */
  readonly cursor: number;
  /** Bytes of the thing in view. */
  readonly size: number;
  readonly sectorSize: number;
}

/** Whether a goto means an offset rather than a place: it begins like a number. */
export function looksLikeOffset(text: string): boolean {
  return /^\s*[+-]?\s*[0-9]/.test(text);
}

/** `0x1f0`, `2048s` (sectors), `1MiB`, `512`; with `+` or `-` relative to the cursor. Throws OUT_OF_RANGE for what is outside. */
export function parseOffset(text: string, { cursor, size, sectorSize }: OffsetContext): number {
  const match = /^\s*([+-]?)\s*(.*)$/s.exec(text)!;
  const distance = parseSize(match[2]!, sectorSize);
  const offset = match[1] === '+' ? cursor + distance : match[1] === '-' ? cursor - distance : distance;
  if (Number.isSafeInteger(offset) && offset >= 0 && offset < size) return offset;
  throw new DiskError('OUT_OF_RANGE', {
    layer: 'goto',
    expected: size === 0 ? 'nothing: there are no bytes here' : `an offset from 0 to 0x${(size - 1).toString(16)}`,
    found: offset < 0 ? `-0x${(-offset).toString(16)}` : `0x${offset.toString(16)}`,
  });
}
