import { hasBit } from '../bytes/bits.ts';
import type { EntryKind } from '../filesystem/filesystem.ts';

const KIND_LETTERS: Readonly<Record<EntryKind, string>> = {
  file: '-',
  directory: 'd',
  symlink: 'l',
  'character device': 'c',
  'block device': 'b',
  fifo: 'p',
  socket: 's',
  unknown: '?',
};

export function kindLetter(kind: EntryKind): string {
  return KIND_LETTERS[kind];
}

/** Twelve permission bits in octal: `0644`. */
export function octalMode(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}

/** As `ls -l` prints it (POSIX): `drwxr-xr-x`, with `s`, `S`, `t`, `T` for set-id and sticky; `-` alone where there is no mode. */
export function formatMode(kind: EntryKind, mode: number | undefined): string {
  if (mode === undefined) return `${kindLetter(kind)}---------`;
  const triple = (shift: number, special: number, letter: string): string => {
    const execute = hasBit(mode, shift);
    const last = hasBit(mode, special) ? (execute ? letter : letter.toUpperCase()) : execute ? 'x' : '-';
    return `${hasBit(mode, shift + 2) ? 'r' : '-'}${hasBit(mode, shift + 1) ? 'w' : '-'}${last}`;
  };
  return `${kindLetter(kind)}${triple(6, 11, 's')}${triple(3, 10, 's')}${triple(0, 9, 't')}`;
}
