export interface HexLayout {
  /** 4, 8, 16 or 32. */
  readonly bytesPerRow: number;
  /** Hexadecimal digits of an address. */
  readonly addressDigits: number;
  readonly width: number;
}

const GROUP_BYTES = 8;

/** As many bytes a row as fit: 32, 16, 8 or 4. `size` (bytes) decides how long an address is. */
export function hexLayout(width: number, size: number): HexLayout {
  const addressDigits = Math.max(8, Math.max(0, size - 1).toString(16).length);
  const sizes = [32, 16, 8, 4].map((bytesPerRow) => ({
    bytesPerRow,
    addressDigits,
    width: rowWidth(bytesPerRow, addressDigits),
  }));
  return sizes.find((layout) => layout.width <= width) ?? sizes.at(-1)!;
}

/** `▸`, address, two spaces, the bytes with a gap between groups, a space, the characters. */
function rowWidth(bytesPerRow: number, addressDigits: number): number {
  return 1 + addressDigits + 1 + bytesPerRow * 3 + Math.max(0, bytesPerRow / GROUP_BYTES - 1) + 1 + bytesPerRow;
}

export function isGroupStart(column: number): boolean {
  return column > 0 && column % GROUP_BYTES === 0;
}
