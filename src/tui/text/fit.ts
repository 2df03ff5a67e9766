import stringWidth from 'string-width';

const ELLIPSIS = '…';
const PLAIN_ASCII = /^[\x20-\x7e]*$/;
const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** Columns that `text` takes on a terminal; text without control characters. */
export function displayWidth(text: string): number {
  return PLAIN_ASCII.test(text) ? text.length : stringWidth(text);
}

/** The longest beginning of `text` that fits into `width` columns, never through the middle of a character. */
export function headOf(text: string, width: number): string {
  if (PLAIN_ASCII.test(text)) return text.slice(0, Math.max(0, width));
  let used = 0;
  let end = 0;
  for (const { segment, index } of graphemes.segment(text)) {
    used += stringWidth(segment);
    if (used > width) break;
    end = index + segment.length;
  }
  return text.slice(0, end);
}

/** The longest end of `text` that fits into `width` columns. */
export function tailOf(text: string, width: number): string {
  if (PLAIN_ASCII.test(text)) return width <= 0 ? '' : text.slice(-width);
  let start = text.length;
  let used = 0;
  for (const { segment, index } of [...graphemes.segment(text)].reverse()) {
    used += stringWidth(segment);
    if (used > width) break;
    start = index;
  }
  return text.slice(start);
}

/** `text` in at most `width` columns; what is cut off is shown by an ellipsis. */
export function truncate(text: string, width: number): string {
  if (width <= 0) return '';
  // A name of 100,000 characters is not measured: what is past the screen cannot matter.
  const bounded = text.length > width * 8 ? text.slice(0, width * 8) : text;
  if (bounded.length === text.length && displayWidth(text) <= width) return text;
  return `${headOf(bounded, width - 1)}${ELLIPSIS}`;
}

/** `text` in exactly `width` columns. */
export function padTo(text: string, width: number): string {
  const short = truncate(text, width);
  return short + ' '.repeat(Math.max(0, width - displayWidth(short)));
}

/** The graphemes of a line; one of spacing marks can be wider than `room`, and comes by its code points. */
function* piecesOf(line: string, room: number): Generator<string, void> {
  for (const { segment } of graphemes.segment(line)) {
    if (stringWidth(segment) > room) yield* segment;
    else yield segment;
  }
}

/** One line of printable text as lines of at most `width` columns; an empty line stays one line. */
export function wrapLine(line: string, width: number): string[] {
  const room = Math.max(2, width);
  if (PLAIN_ASCII.test(line)) {
    if (line.length <= room) return [line];
    return Array.from({ length: Math.ceil(line.length / room) }, (_, row) => line.slice(row * room, (row + 1) * room));
  }
  const lines: string[] = [];
  let current = '';
  let used = 0;
  for (const segment of piecesOf(line, room)) {
    const columns = stringWidth(segment);
    if (used + columns > room && current !== '') {
      lines.push(current);
      current = '';
      used = 0;
    }
    current += segment;
    used += columns;
  }
  lines.push(current);
  return lines;
}

/** The same at spaces where there are any: for prose. */
export function wrapWords(text: string, width: number): string[] {
  const lines: string[] = [];
  let current = '';
  for (const word of text.split(' ')) {
    const longer = current === '' ? word : `${current} ${word}`;
    if (displayWidth(longer) <= width) {
      current = longer;
      continue;
    }
    if (current !== '') lines.push(current);
    const pieces = wrapLine(word, width);
    lines.push(...pieces.slice(0, -1));
    current = pieces.at(-1)!;
  }
  lines.push(current);
  return lines;
}
