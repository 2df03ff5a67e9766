import { escapeText } from '../bytes/text.ts';
import type { Property } from '../format.ts';
import { formatBytes } from './bytes.ts';

/** Words of keys that are written otherwise than in lower case. */
const SPELLINGS: Readonly<Record<string, string>> = {
  crc: 'CRC',
  fat: 'FAT',
  guid: 'GUID',
  id: 'ID',
  lba: 'LBA',
  mbr: 'MBR',
  oem: 'OEM',
  uuid: 'UUID',
};

/** `clusterSize` -> `Cluster size`, `diskGuid` -> `Disk GUID`. */
export function propertyLabel(key: string): string {
  const words = key
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(' ')
    .map((word) => (Object.hasOwn(SPELLINGS, word) ? SPELLINGS[word]! : word));
  const label = words.join(' ');
  return label.charAt(0).toUpperCase() + label.slice(1);
}

/** The value in words, safe for a terminal: bytes with their size in units, yes and no, `-` for none. */
export function propertyText({ value, unit }: Property): string {
  if (value === null || value === '') return '-';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'string') return escapeText(value);
  if (unit !== 'bytes') return String(value);
  return value < 1024 ? `${value} bytes` : `${formatBytes(value)} (${value} bytes)`;
}
