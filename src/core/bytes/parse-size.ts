import { DiskError } from '../errors.ts';

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1024,
  kib: 1024,
  m: 1024 ** 2,
  mib: 1024 ** 2,
  g: 1024 ** 3,
  gib: 1024 ** 3,
  t: 1024 ** 4,
  tib: 1024 ** 4,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
};

/**
 * A number as people write it: `4096`, `0x1000`, `2048s` (sectors of `sectorSize` bytes), `4KiB` or `4k` (powers of 1024), `4kB`... (powers of 1000).
 * Returns bytes. A fraction is allowed with a unit (`1.5MiB`) while the result is whole.
 */
export function parseSize(text: string, sectorSize: number): number {
  const bytes = sizeOf(text.trim(), sectorSize);
  if (bytes === undefined || !Number.isSafeInteger(bytes)) {
    throw new DiskError('OUT_OF_RANGE', {
      layer: 'number',
      expected: 'a whole number of bytes such as 4096, 0x1000, 2048s, 4KiB or 1.5MiB',
      found: text,
    });
  }
  return bytes;
}

function sizeOf(text: string, sectorSize: number): number | undefined {
  const hex = /^0x([0-9a-f_]+)(s?)$/i.exec(text);
  if (hex) return Number.parseInt(hex[1]!.replaceAll('_', ''), 16) * (hex[2] === '' ? 1 : sectorSize);
  const decimal = /^([0-9][0-9_]*(?:\.[0-9]+)?)\s*([a-z]*)$/i.exec(text);
  if (!decimal) return undefined;
  const value = Number(decimal[1]!.replaceAll('_', ''));
  const unit = decimal[2]!.toLowerCase();
  if (unit === 's') return value * sectorSize;
  const factor = Object.hasOwn(UNITS, unit) ? UNITS[unit] : undefined;
  return factor === undefined ? undefined : value * factor;
}
