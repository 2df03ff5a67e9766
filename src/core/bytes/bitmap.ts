/** Whether one of `count` bits from `from` is set. */
export function anyBit(page: Uint8Array, from: number, count: number): boolean {
  for (let bit = from, end = from + count; bit < end; ) {
    const byte = page[bit >>> 3]!;
    if (byte === 0) bit = (bit | 7) + 1;
    else if (((byte >>> (bit & 7)) & 1) === 1) return true;
    else bit++;
  }
  return false;
}

/** Copies `count` bits from `from` into `target`, whose bits from `to` on are 0. */
export function copyBits(page: Uint8Array, from: number, count: number, target: Uint8Array, to: number): void {
  if (from % 8 === 0 && to % 8 === 0) {
    const whole = count >>> 3;
    target.set(page.subarray(from >>> 3, (from >>> 3) + whole), to >>> 3);
    const rest = count & 7;
    if (rest > 0) target[(to >>> 3) + whole] = page[(from >>> 3) + whole]! & ((1 << rest) - 1);
    return;
  }
  for (let bit = 0; bit < count; bit++) {
    if (((page[(from + bit) >>> 3]! >>> ((from + bit) & 7)) & 1) === 0) continue;
    target[(to + bit) >>> 3]! |= 1 << ((to + bit) & 7);
  }
}

/** Whether the bits of `bytes` from `from` to before `to` are all set. */
export function allSet(bytes: Uint8Array, from: number, to: number): boolean {
  for (let bit = from; bit < to; ) {
    const byte = bytes[bit >>> 3]!;
    if ((bit & 7) === 0 && byte === 0xff) bit += 8;
    else if (((byte >>> (bit & 7)) & 1) === 0) return false;
    else bit++;
  }
  return true;
}

/** Runs of bits among the first `count` that differ, as `[first, length, whether it is set in left]`. */
export function* differingBits(
  left: Uint8Array,
  right: Uint8Array,
  count: number,
): Generator<readonly [number, number, boolean], void> {
  let start = -1;
  let inLeft = false;
  for (let bit = 0; bit < count; bit++) {
    const index = bit >>> 3;
    if ((bit & 7) === 0 && left[index] === right[index]) {
      if (start >= 0) yield [start, bit - start, inLeft];
      start = -1;
      bit += 7;
      continue;
    }
    const one = (left[index]! >>> (bit & 7)) & 1;
    const differs = one !== ((right[index]! >>> (bit & 7)) & 1);
    if (start >= 0 && (!differs || (one === 1) !== inLeft)) {
      yield [start, bit - start, inLeft];
      start = -1;
    }
    if (differs && start < 0) {
      start = bit;
      inLeft = one === 1;
    }
  }
  if (start >= 0) yield [start, count - start, inLeft];
}

/** How many bits are set in both, as far as the shorter reaches. */
export function countCommonBits(left: Uint8Array, right: Uint8Array): number {
  const length = Math.min(left.length, right.length);
  let sum = 0;
  for (let index = 0; index < length; index++) sum += bitCount(left[index]! & right[index]!);
  return sum;
}

function bitCount(byte: number): number {
  const pairs = byte - ((byte >>> 1) & 0x55);
  const nibbles = (pairs & 0x33) + ((pairs >>> 2) & 0x33);
  return (nibbles + (nibbles >>> 4)) & 0x0f;
}
