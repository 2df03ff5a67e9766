import { divideDown, escapeText, type Property, type Timestamp } from '../../core/index.ts';

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** A size for people: `512 B`, `1.5 KiB`, `20 GiB`. */
export function formatSize(bytes: number): string {
  let unit = 0;
  let value = bytes;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || Number.isInteger(value) ? 0 : value < 10 ? 2 : value < 100 ? 1 : 0;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** A whole number with its thousands apart: `1,048,576`. */
export function formatCount(value: number): string {
  return value.toLocaleString('en-US');
}

/** A size for people and to the byte: `1.5 KiB (1,536 bytes)`. */
export function formatExactSize(bytes: number): string {
  return bytes < 1024 ? `${formatCount(bytes)} bytes` : `${formatSize(bytes)} (${formatCount(bytes)} bytes)`;
}

export function formatOffset(offset: number): string {
  return `0x${offset.toString(16)}`;
}

/** A byte offset with its sector, which is marked when the offset is inside it: `0x100000 (LBA 2048)`, `0x100010 (LBA 2048 + 16)`. */
export function formatPlace(offset: number, sectorSize: number): string {
  const within = offset % sectorSize;
  return `${formatOffset(offset)} (LBA ${divideDown(offset, sectorSize)}${within === 0 ? '' : ` + ${within}`})`;
}

/** `2024-05-06 07:08:09.123456789 UTC`; FAT's times are local and say so. */
export function formatTime(time: Timestamp): string {
  const zone = time.zone === 'utc' ? 'UTC' : 'local time';
  const date = new Date(time.seconds * 1000);
  if (Number.isNaN(date.getTime())) return `${time.seconds} seconds after 1970 ${zone}`;
  const [day, clock] = date.toISOString().replace('Z', '').split('T') as [string, string];
  return `${day} ${clock.slice(0, 8)}.${String(time.nanoseconds).padStart(9, '0')} ${zone}`;
}

const KIND_LETTERS: Readonly<Record<string, string>> = {
  directory: 'd',
  symlink: 'l',
  'character device': 'c',
  'block device': 'b',
  fifo: 'p',
  socket: 's',
};

/** Twelve permission bits as `ls -l` prints them: `-rwsr-xr-x (4755)`. */
export function formatMode(mode: number, kind: string): string {
  const octal = mode.toString(8).padStart(4, '0').slice(-4);
  const [special, ...classes] = [...octal].map(Number) as [number, number, number, number];
  const letters = classes.map((bits, index) => {
    const isSpecial = Math.floor(special / 2 ** (2 - index)) % 2 === 1;
    const executes = bits % 2 === 1;
    const mark = index === 2 ? 't' : 's';
    const last = isSpecial ? (executes ? mark : mark.toUpperCase()) : executes ? 'x' : '-';
    return `${bits >= 4 ? 'r' : '-'}${bits % 4 >= 2 ? 'w' : '-'}${last}`;
  });
  return `${KIND_LETTERS[kind] ?? '-'}${letters.join('')} (${octal})`;
}

/** `clusterSize` -> `cluster size`; runs of capitals (`UUID`) stay together. */
export function labelOf(key: string): string {
  return key.replace(
    /([a-z0-9])([A-Z])/g,
    (_, before: string, capital: string) => `${before} ${capital.toLowerCase()}`,
  );
}

export function formatProperty({ key, value, unit }: Property): readonly [string, string] {
  const label = labelOf(key);
  if (value === null) return [label, 'none'];
  if (typeof value === 'number') return [label, unit === 'bytes' ? formatExactSize(value) : formatCount(value)];
  if (typeof value === 'boolean') return [label, value ? 'yes' : 'no'];
  return [label, value === '' ? '(empty)' : escapeText(value)];
}

/** What went wrong, in one line that is safe for a terminal. */
export function formatError(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  // DiskError has escaped the names in it already; only what could still reach the terminal is escaped here.
  return text.split('\\').map(escapeText).join('\\');
}
