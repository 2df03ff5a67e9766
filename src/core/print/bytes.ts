const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'] as const;

/** A size for people, in powers of 1024: `512 B`, `64 KiB`, `1.5 GiB`; one decimal, and none when it is whole. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const rounded = Math.round(value * 10) / 10;
  return `${Number.isInteger(rounded) ? rounded : rounded.toFixed(1)} ${UNITS[unit]}`;
}

/** A whole number with its thousands apart: `1,048,576`. */
export function formatCount(value: number): string {
  // Not toLocaleString: loading the locale's data takes as long as most commands.
  return String(value).replace(/\B(?=(?:\d{3})+$)/g, ',');
}

/** A size for people and to the byte: `1.5 KiB (1,536 bytes)`. */
export function formatExactBytes(bytes: number): string {
  if (bytes < 1024) return bytes === 1 ? '1 byte' : `${bytes} bytes`;
  return `${formatBytes(bytes)} (${formatCount(bytes)} bytes)`;
}
