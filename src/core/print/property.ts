import { escapeText } from '../bytes/text.ts';
import type { Property } from '../format.ts';
import { formatBytes } from './bytes.ts';

/** `clusterSize` -> `Cluster size`; runs of capitals (`GUID`) stay. */
export function propertyLabel(key: string): string {
  const words = key.replace(/([a-z0-9])([A-Z])/g, '$1 $2').split(' ');
  const spaced = words
    .map((word, index) => (index > 0 && !/^[A-Z0-9]{2,}$/.test(word) ? word.toLowerCase() : word))
    .join(' ');
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}

/** The value in words, safe for a terminal: bytes with their size in units, yes and no, `-` for none. */
export function propertyText({ value, unit }: Property): string {
  if (value === null || value === '') return '-';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'string') return escapeText(value);
  if (unit !== 'bytes') return String(value);
  return value < 1024 ? `${value} bytes` : `${formatBytes(value)} (${value} bytes)`;
}
