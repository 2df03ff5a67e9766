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
export function propertyText(property: Property): string {
  const { value, unit } = property;
  if (!hasValue(property)) return '-';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'number') return unit === 'bytes' ? formatExactBytes(value) : String(value);
  return escapeText(typeof value === 'object' ? listText(value ?? []) : value);
}

/** The separator is one that no item has a part of. */
function listText(items: readonly string[]): string {
  return items.join(items.some((item) => item.includes(',')) ? '; ' : ', ');
}

/** Whether there is anything to say: for people, who need not read past what is not there. */
export function hasValue({ value }: Property): boolean {
  return value !== null && value !== '' && !(Array.isArray(value) && value.length === 0);
}
