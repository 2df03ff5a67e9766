import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { DiskError, errorText, ioError, systemWords, takeTurn } from '../core/index.ts';

/** Text is handed on in pieces of this many characters, so that a long listing is not a system call a line. */
const PIECE_CHARACTERS = 64 * 1024;

/**
 * Standard output with back-pressure: `print` collects lines, `write` passes bytes, `end` hands on what is left. Waiting
 * for a reader that does not read ends with the signal.
 */
export class Output {
  readonly #stream: Writable;
  readonly #signal: AbortSignal;
  #pending = '';

  constructor(stream: Writable, signal: AbortSignal) {
    this.#stream = stream;
    this.#signal = signal;
  }

  /** One line; a promise only when the caller should wait for the reader. */
  print(line: string): Promise<void> | undefined {
    this.#pending += `${line}\n`;
    return this.#pending.length >= PIECE_CHARACTERS ? this.end() : undefined;
  }

  async printAll(lines: Iterable<string>): Promise<void> {
    for (const line of lines) await this.print(line);
  }

  /** Indented JSON: the whole answer of a command. */
  async json(value: unknown): Promise<void> {
    await this.print(JSON.stringify(value, jsonValue, 2));
  }

  /** A JSON array with an element a line, written as the elements come. */
  async jsonArray(values: AsyncIterable<unknown> | Iterable<unknown>): Promise<void> {
    let separator = '[\n';
    try {
      for await (const value of values) {
        this.#pending += `${separator}${JSON.stringify(value, jsonValue)}`;
        separator = ',\n';
        if (this.#pending.length >= PIECE_CHARACTERS) await this.end();
      }
    } finally {
      // What was printed before an error is an array all the same; the exit code says that it is not all.
      this.#pending += separator === ',\n' ? '\n]\n' : '[]\n';
    }
  }

  /** Bytes as they are. They are written out before this returns, so the caller may reuse its buffer. */
  async write(bytes: Uint8Array): Promise<void> {
    await this.end();
    const signal = this.#signal;
    signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const stop = (): void => reject(signal.reason);
      signal.addEventListener('abort', stop, { once: true });
      this.#stream.write(bytes, (error) => {
        signal.removeEventListener('abort', stop);
        if (error) reject(outputError(error));
        else resolve();
      });
    });
  }

  async end(): Promise<void> {
    const text = this.#pending;
    this.#pending = '';
    if (text === '' || this.#stream.write(text)) return takeTurn();
    try {
      await once(this.#stream, 'drain', { signal: this.#signal });
    } catch (error) {
      throw outputError(error);
    }
  }
}

/** A failure of standard output as a DiskError; an abort, and a reader that has gone (EPIPE), stay themselves. */
export function outputError(error: unknown): unknown {
  const { name, code } = error as NodeJS.ErrnoException;
  if (name === 'AbortError' || code === undefined || code === 'EPIPE') return error;
  return ioError({ layer: 'output', structure: 'standard output', found: systemWords(code), cause: error });
}

function jsonValue(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  return value;
}

export type Align = 'left' | 'right';

/** As many rows of a long table are kept to measure its columns. */
const MEASURED_ROWS = 10_000;

/** The same as `table` for any number of rows: columns grow where a row far down is wider than all before it. */
export async function* longTable(
  rows: AsyncIterable<readonly string[]>,
  align: readonly Align[] = [],
): AsyncGenerator<string[], void> {
  const widths: number[] = [];
  let kept: (readonly string[])[] = [];
  for await (const row of rows) {
    if (kept.push(row) < MEASURED_ROWS) continue;
    yield table(kept, align, widths);
    kept = [];
  }
  yield table(kept, align, widths);
}

/**
 * Rows as aligned columns, two blanks between them, no blanks at the ends of lines. Widths count characters; those given
 * are the least, and are what the rows needed afterwards.
 */
export function table(
  rows: readonly (readonly string[])[],
  align: readonly Align[] = [],
  widths: number[] = [],
): string[] {
  for (const row of rows)
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  return rows.map((row) =>
    row
      .map((cell, column) =>
        align[column] === 'right' ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!),
      )
      .join('  ')
      .trimEnd(),
  );
}

/** An error as one line for people: never a stack trace, never an escape sequence from an image. */
export function errorLine(error: unknown): string {
  const text = errorText(error);
  return error instanceof DiskError ? `${error.code.toLowerCase().replaceAll('_', ' ')}: ${text}` : text;
}

/** An error as JSON has it. */
export function errorJson(error: unknown): unknown {
  if (error instanceof DiskError) return error.toJSON();
  return { message: error instanceof Error ? error.message : String(error) };
}
