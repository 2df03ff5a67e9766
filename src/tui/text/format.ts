import {
  divideDown,
  formatMode,
  type NodeKind,
  octalMode,
  type Property,
  propertyLabel,
  propertyText,
  type Timestamp,
} from '../../core/index.ts';

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
  const fraction = time.nanoseconds === 0 ? '' : `.${String(time.nanoseconds).padStart(9, '0')}`;
  return `${day} ${clock.slice(0, 8)}${fraction} ${zone}`;
}

/** `2024-05-06 07:08`, of milliseconds since 1970, in UTC. */
export function formatDay(milliseconds: number): string {
  const date = new Date(milliseconds);
  return Number.isNaN(date.getTime()) ? '' : date.toISOString().slice(0, 16).replace('T', ' ');
}

/** Twelve permission bits as `ls -l` prints them, and in octal: `-rwsr-xr-x (4755)`. */
export function formatModeBits(mode: number, kind: NodeKind): string {
  return `${formatMode(kind, mode)} (${octalMode(mode)})`;
}

export function formatProperty(property: Property): readonly [string, string] {
  return [propertyLabel(property.key), propertyText(property)];
}
