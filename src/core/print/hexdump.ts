import { hexy } from 'hexy';

export const HEXDUMP_WIDTH = 16;

/**
 * A plain hex dump, a line for every 16 bytes: address, bytes in two groups of eight, printable ASCII.
 * `address` is that of the first byte; addresses have eight digits and more where they need it.
 */
export function* hexdumpLines(bytes: Uint8Array, address: number): Generator<string, void> {
  for (let at = 0; at < bytes.length; at += HEXDUMP_WIDTH) {
    const row = bytes.subarray(at, at + HEXDUMP_WIDTH);
    yield `${formatAddress(address + at)}  ${hexdumpRow(row)}`;
  }
}

/** Hexadecimal, at least eight digits. */
export function formatAddress(address: number): string {
  return address.toString(16).padStart(8, '0');
}

/** Where hexy puts the characters: after sixteen bytes of three columns less one, and four blanks. */
const TEXT_COLUMN = HEXDUMP_WIDTH * 3 + 3;
/** The width of eight bytes in hexadecimal with a blank between them. */
const HALF = (HEXDUMP_WIDTH / 2) * 3 - 1;

/**
 * hexy formats the row; it gets a Buffer (it would decode a plain Uint8Array as text) and no address (it fails above
 * 4 GiB). It prints DEL as it is, so that becomes a dot.
 */
function hexdumpRow(row: Uint8Array): string {
  const buffer = Buffer.from(row.buffer, row.byteOffset, row.byteLength);
  const line = hexy(buffer, { width: HEXDUMP_WIDTH, bytesPerGroup: 1, showAddress: false });
  const text = line.slice(TEXT_COLUMN, TEXT_COLUMN + row.length).replaceAll('\x7f', '.');
  return `${line.slice(0, HALF)}  ${line.slice(HALF + 1, TEXT_COLUMN - 4)}  |${text}|`;
}
