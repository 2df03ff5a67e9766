import { decodeName, escapeText, escapeUnprintable, formatBytes, readFile } from '../../core/index.ts';
import { nodeOf } from './node-of.ts';
import type { TreeItem } from './tree-item.ts';

/** The text tab shows the beginning of a file as far as this many bytes. */
export const PREVIEW_BYTES = 64 * 1024;
/** A NUL among this many first bytes makes a file binary, as for git and grep. */
const BINARY_PROBE_BYTES = 8000;
/** Compressed and encrypted bytes are controls for one byte in nine; text hardly ever. */
const MAX_CONTROL_SHARE = 0.05;
const TAB_WIDTH = 8;

/** Lines that are safe for a terminal, not yet wrapped. */
export interface Preview {
  readonly lines: readonly string[];
  /** About the text, not of it: that it goes on, that it is binary. */
  readonly note: string;
}

/** The text of an item, as far as it has any. */
export async function loadPreview(item: TreeItem, signal: AbortSignal): Promise<Preview> {
  if (item.kind !== 'entry' && item.kind !== 'recoverable')
    return { lines: [], note: 'Text is shown for files: select one in the tree.' };
  const node = await nodeOf(item, signal);
  if (node.kind === 'symlink') {
    return { lines: [escapeText(await node.target({ signal }))], note: 'the target of the symbolic link' };
  }
  if (node.kind !== 'file') return { lines: [], note: `A ${node.kind} has no text.` };
  if (node.size === 0) return { lines: [], note: 'The file is empty.' };
  const bytes = await readFile(item.filesystem, node, { signal, limit: PREVIEW_BYTES });
  return previewOf(bytes, node.size);
}

/** The first bytes of a file of `size` bytes as text. */
export function previewOf(bytes: Uint8Array, size: number): Preview {
  const utf16 = utf16Encoding(bytes);
  if (utf16 === undefined && isBinary(bytes.subarray(0, BINARY_PROBE_BYTES))) {
    return { lines: [], note: `Binary file of ${formatBytes(size)}: press 2 for its bytes.` };
  }
  const text = utf16 === undefined ? decodeUtf8(bytes, size) : new TextDecoder(utf16).decode(bytes);
  const lines = text.split('\n').map(printableLine);
  if (lines.at(-1) === '') lines.pop();
  const parts = [
    utf16 === undefined ? '' : utf16.toUpperCase(),
    bytes.length < size ? `the first ${formatBytes(bytes.length)} of ${formatBytes(size)}` : '',
  ];
  return { lines, note: parts.filter((part) => part !== '').join(', ') };
}

function isBinary(bytes: Uint8Array): boolean {
  let controls = 0;
  for (const byte of bytes) {
    if (byte === 0) return true;
    // Escape, tab, line feed, form feed and carriage return stand in texts.
    if (byte < 0x20 && byte !== 0x1b && (byte < 0x08 || byte > 0x0d)) controls += 1;
  }
  return controls > bytes.length * MAX_CONTROL_SHARE;
}

function utf16Encoding(bytes: Uint8Array): 'utf-16le' | 'utf-16be' | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  return bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : undefined;
}

/** Line by line, so that one line that is no UTF-8 does not slow down the rest. */
function decodeUtf8(bytes: Uint8Array, size: number): string {
  const end = bytes.length < size ? endOfLastCharacter(bytes) : bytes.length;
  const lines: string[] = [];
  for (let at = 0; at <= end; ) {
    const newline = bytes.indexOf(0x0a, at);
    const stop = newline < 0 || newline > end ? end : newline;
    lines.push(decodeName(bytes.subarray(at, stop)));
    at = stop + 1;
  }
  return lines.join('\n');
}

/** Where the last whole character ends: the cut at the limit may go through one of up to four bytes. */
function endOfLastCharacter(bytes: Uint8Array): number {
  for (let back = 1; back <= 4 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back]!;
    if (byte < 0x80) return bytes.length;
    if (byte >= 0xc0) {
      const needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return needed > back ? bytes.length - back : bytes.length;
    }
  }
  return bytes.length;
}

/** Tabs become spaces, a carriage return at the end goes, the rest that could disturb the terminal is escaped; a backslash stays one. */
function printableLine(line: string): string {
  const text = line.endsWith('\r') ? line.slice(0, -1) : line;
  const pieces = text.split('\t');
  let result = '';
  for (const [index, piece] of pieces.entries()) {
    if (index > 0) result += ' '.repeat(TAB_WIDTH - (result.length % TAB_WIDTH));
    result += escapeUnprintable(piece);
  }
  return result;
}
