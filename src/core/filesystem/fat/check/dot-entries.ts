import { hasBit } from '../../../bytes/bits.ts';
import { ATTRIBUTE_BITS, DELETED_MARK, directoryEntry, END_OF_DIRECTORY } from '../directory-entry.ts';
import type { FatGeometry } from '../geometry.ts';
import { hasNoShortName } from './bad-short-name.ts';
import { firstClusterAt } from './scanned-entry.ts';

const NAME_BYTES = 11;

/** Whether the slot at `at` bears the name `.` or `..`. */
export function isNamed(bytes: Uint8Array, at: number, name: '.' | '..'): boolean {
  const wanted = name.padEnd(NAME_BYTES);
  for (let index = 0; index < NAME_BYTES; index++) if (bytes[at + index] !== wanted.charCodeAt(index)) return false;
  return true;
}

/** What is wrong with the first or second slot of a directory, whose entry must lead to `cluster`; undefined when nothing is. */
export function dotFault(
  bytes: Uint8Array,
  at: number,
  name: '.' | '..',
  cluster: number,
  geometry: FatGeometry,
): string | undefined {
  const place = name === '.' ? 'first' : 'second';
  const first = bytes[at]!;
  if (first === END_OF_DIRECTORY || first === DELETED_MARK) return `the ${place} slot is free and must be "${name}"`;
  if (!isNamed(bytes, at, name)) return `the ${place} slot is another entry and must be "${name}"`;
  const { attributes } = directoryEntry.parse(bytes, at);
  const found = firstClusterAt(bytes, at, geometry);
  if (!hasBit(attributes, ATTRIBUTE_BITS.directory)) return `the entry "${name}" is not marked as a directory`;
  if (found !== cluster) return `the entry "${name}" leads to cluster ${found} instead of ${cluster}`;
  return hasNoShortName(bytes, at) ? `the entry "${name}" says that it has no short name` : undefined;
}
