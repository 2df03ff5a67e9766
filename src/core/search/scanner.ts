import { roundUp } from '../bytes/rounding.ts';
import { type BytePattern, MAX_PATTERN_BYTES, rarePlaces } from './byte-pattern.ts';
import { SCAN_CODE } from './scan-code.ts';

/** As scan.wat exports it. */
type Scan = (
  at: number,
  end: number,
  values: number,
  masks: number,
  length: number,
  first: number,
  second: number,
  found: number,
) => number;

/** What of it is used here: the types of Node.js leave it to those of browsers. */
declare const WebAssembly: {
  readonly Memory: new (limits: {
    readonly initial: number;
    readonly maximum: number;
    readonly shared: boolean;
  }) => { readonly buffer: SharedArrayBuffer };
  readonly Module: new (code: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: { readonly scan: Scan } };
};

const PAGE_BYTES = 65_536;
/** What `scan` may read past the end of the last match. */
const READ_PAST_BYTES = 64;
/** Places that one call of `find` looks at, at most: each may be a match. */
export const MAX_PLACES = 65_536;

/** A pattern as it lies in the scanner's memory. */
interface LoadedPattern {
  readonly length: number;
  readonly values: number;
  readonly masks: number;
  readonly places: readonly [number, number];
  readonly found: number;
}

/** Looks for patterns in buffers of its own memory, which it hands out to be filled. */
export class Scanner {
  /** Of `bufferBytes` each, and what a pattern that begins at their end may need. */
  readonly buffers: readonly Uint8Array[];
  readonly #scan: Scan;
  readonly #memory: SharedArrayBuffer;
  readonly #patterns: readonly LoadedPattern[];

  constructor(patterns: readonly BytePattern[], bufferCount: number, bufferBytes: number) {
    const spacing = roundUp(bufferBytes + MAX_PATTERN_BYTES + READ_PAST_BYTES, PAGE_BYTES);
    const patternBytes = 2 * MAX_PATTERN_BYTES + 4 * MAX_PLACES;
    const pages = roundUp(bufferCount * spacing + patterns.length * patternBytes, PAGE_BYTES) / PAGE_BYTES;
    // Shared, as all memory that devices read into: other threads decode into it.
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    const module = new WebAssembly.Module(Buffer.from(SCAN_CODE, 'base64'));
    this.#scan = new WebAssembly.Instance(module, { search: { memory } }).exports.scan;
    this.#memory = memory.buffer;
    const starts = Array.from({ length: bufferCount }, (_, index) => index * spacing);
    this.buffers = starts.map((start) => new Uint8Array(memory.buffer, start, bufferBytes + MAX_PATTERN_BYTES));
    this.#patterns = patterns.map((pattern, index) => {
      const values = bufferCount * spacing + index * patternBytes;
      const masks = values + MAX_PATTERN_BYTES;
      new Uint8Array(memory.buffer).set(pattern.values, values);
      new Uint8Array(memory.buffer).set(pattern.masks, masks);
      const found = masks + MAX_PATTERN_BYTES;
      return { length: pattern.values.length, values, masks, places: rarePlaces(pattern), found };
    });
  }

  /**
   * Where in `bytes`, a part of one of the buffers, a pattern begins among the `count` first places, ascending. What is
   * returned is valid until that pattern is looked for again.
   */
  find(pattern: number, bytes: Uint8Array, from: number, count: number): Uint32Array {
    const { length, values, masks, places, found } = this.#patterns[pattern]!;
    const at = bytes.byteOffset + from;
    const end = Math.min(at + Math.min(count, MAX_PLACES), bytes.byteOffset + bytes.length - length + 1);
    const matches = end <= at ? 0 : this.#scan(at, end, values, masks, length, ...places, found);
    return new Uint32Array(this.#memory, found, matches);
  }
}
