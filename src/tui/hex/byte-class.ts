import type { Role } from '../theme.ts';

const CLASSES: readonly Role[] = Array.from({ length: 256 }, (_, byte): Role => {
  if (byte === 0) return 'byteZero';
  if (byte === 0x20 || (byte >= 0x09 && byte <= 0x0d)) return 'byteSpace';
  if (byte < 0x20 || byte === 0x7f) return 'byteControl';
  return byte < 0x7f ? 'bytePrintable' : 'byteHigh';
});

/** Zero, printable, white space, control or above ASCII. */
export function byteClass(byte: number): Role {
  return CLASSES[byte]!;
}

/** What stands for a byte in the character column: itself, or a dot. */
export function byteCharacter(byte: number): string {
  return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.';
}
