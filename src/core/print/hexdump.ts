import { hexy } from 'hexy';

export const HEXDUMP_WIDTH = 16;

/**
 * A plain hex dump, a line for every 16 bytes: address, bytes in two groups of eight, printable ASCII.
 * `address` is that of the first byte; addresses have eight digits and more where they need it.
 */
export function* hexdumpLines(bytes: Uint8Array, address: number): Generator<string, void> {
  for (let start = 0; start < bytes.length; start += STEP_BYTES) {
    const step = bytes.subarray(start, start + STEP_BYTES);
    const dumped = dump(step).split('\n');
    for (let at = 0; at < step.length; at += HEXDUMP_WIDTH) {
      const length = Math.min(HEXDUMP_WIDTH, step.length - at);
      yield `${formatAddress(address + start + at)}  ${row(dumped[at / HEXDUMP_WIDTH]!, length)}`;
    }
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

/** hexy slows down with the length of its input: at this many bytes it is at its fastest. */
const STEP_BYTES = 64 * HEXDUMP_WIDTH;

/** hexy gets a Buffer (it would decode a plain Uint8Array as text) and no address (it fails above 4 GiB). */
function dump(step: Uint8Array): string {
  const buffer = Buffer.from(step.buffer, step.byteOffset, step.byteLength);
  return hexy(buffer, { width: HEXDUMP_WIDTH, bytesPerGroup: 1, showAddress: false });
}

/** hexy's line of `length` bytes as ours; it prints DEL as it is, so that becomes a dot. */
function row(line: string, length: number): string {
  const text = line.slice(TEXT_COLUMN, TEXT_COLUMN + length).replaceAll('\x7f', '.');
  return `${line.slice(0, HALF)}  ${line.slice(HALF + 1, TEXT_COLUMN - 4)}  |${text}|`;
}
