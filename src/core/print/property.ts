import { escapeText } from '../bytes/text.ts';
import type { Property } from '../format.ts';
import { formatExactBytes } from './bytes.ts';

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

/** `clusterSize` -> `cluster size`, `diskGuid` -> `disk GUID`. */
export function propertyLabel(key: string): string {
  return key
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(' ')
    .map((word) => (Object.hasOwn(SPELLINGS, word) ? SPELLINGS[word] : word))
    .join(' ');
}

/** The value in words, safe for a terminal: bytes with their size in units, yes and no, `-` for none. */
export function propertyText({ value, unit }: Property): string {
  if (value === null || value === '') return '-';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'string') return escapeText(value);
  return unit === 'bytes' ? formatExactBytes(value) : String(value);
}
