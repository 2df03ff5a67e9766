/** Integer helpers that hold for every safe integer, not for 32 bits only. All arguments are non-negative. */

export function isPowerOfTwo(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0 && Number.isInteger(Math.log2(value));
}

export function roundDown(value: number, unit: number): number {
  return value - (value % unit);
}

export function roundUp(value: number, unit: number): number {
  const rest = value % unit;
  return rest === 0 ? value : value + unit - rest;
}

export function divideUp(value: number, unit: number): number {
  return Math.ceil(value / unit);
}

/** Quotient without fraction, exact for safe integers (division alone may round up near 2^53). */
export function divideDown(value: number, unit: number): number {
  return (value - (value % unit)) / unit;
}

export function clamp(value: number, low: number, high: number): number {
  return value < low ? low : value > high ? high : value;
}
