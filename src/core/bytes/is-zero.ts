const zeros = Buffer.alloc(64 * 1024);

/** Whether the bytes from `start` to before `end` are all zero. */
export function isZero(bytes: Uint8Array, start = 0, end: number = bytes.length): boolean {
  // Most ranges that are not zero say so with their first byte.
  if (start < end && bytes[start] !== 0) return false;
  for (let at = start; at < end; at += zeros.length) {
    const stop = Math.min(end, at + zeros.length);
    if (zeros.compare(bytes, at, stop, 0, stop - at) !== 0) return false;
  }
  return true;
}
