/** Kept for the next job, at most; fresh memory costs as much as decoding a third of what fits in it. */
const MAX_KEPT_BYTES = 32 * 1024 * 1024;

const kept = new Map<number, SharedArrayBuffer[]>();
let keptBytes = 0;

/** Shared memory of at least `length` bytes, in a size that comes again; what it holds is left from its last use. */
export function takeShared(length: number): SharedArrayBuffer {
  const size = 2 ** Math.ceil(Math.log2(Math.max(length, 4096)));
  const buffer = kept.get(size)?.pop();
  if (buffer === undefined) return new SharedArrayBuffer(size);
  keptBytes -= size;
  return buffer;
}

/** Gives memory back that nobody uses any more. */
export function giveShared(buffer: SharedArrayBuffer): void {
  if (keptBytes + buffer.byteLength > MAX_KEPT_BYTES) return;
  keptBytes += buffer.byteLength;
  const same = kept.get(buffer.byteLength);
  if (same === undefined) kept.set(buffer.byteLength, [buffer]);
  else same.push(buffer);
}
