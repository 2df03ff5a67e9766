/** Integer helpers that hold for every safe integer, not for 32 bits only. All arguments are non-negative. */

export function isPowerOfTwo(value: number): boolean {
  // Not by the logarithm alone: from 2^49 up that of a neighbour rounds to a whole number too.
  return Number.isSafeInteger(value) && value > 0 && 2 ** Math.round(Math.log2(value)) === value;
}

export function roundDown(value: number, unit: number): number {
  return value - (value % unit);
}

export function roundUp(value: number, unit: number): number {
  const rest = value % unit;
  return rest === 0 ? value : value + (unit - rest);
}

export function divideUp(value: number, unit: number): number {
  return divideDown(value, unit) + (value % unit === 0 ? 0 : 1);
}

/** Quotient without fraction, exact for safe integers (division alone may round up near 2^53). */
export function divideDown(value: number, unit: number): number {
  return (value - (value % unit)) / unit;
}

export function clamp(value: number, low: number, high: number): number {
  return value < low ? low : value > high ? high : value;
}
